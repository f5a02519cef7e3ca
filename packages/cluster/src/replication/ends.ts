import type { Position } from '@chapar/core';

const samplesMax = 512;
/** Of how long ago something is: so exactly it is known. */
const share = 1 / 8;

interface Sample {
  readonly end: Position;
  readonly atMs: number;
}

/** Where a log ended when, the coarser the longer ago: since when somebody has been behind follows from it. */
export class Ends {
  private samples: Sample[] = [];

  /** Called now and then. */
  note(end: Position, nowMs: number): void {
    if (this.samples.at(-1)?.end === end) return;
    this.samples.push({ end, atMs: nowMs });
    if (this.samples.length > samplesMax) this.thin(nowMs);
  }

  /** For how long something has stood in the log behind this position; 0: nothing does. Milliseconds. */
  behindMs(position: Position, nowMs: number): number {
    const first = this.samples.find(({ end }) => end > position);
    return first === undefined ? 0 : nowMs - first.atMs;
  }

  private thin(nowMs: number): void {
    const { samples } = this;
    const kept: Sample[] = [];
    for (const [i, sample] of samples.entries()) {
      const [before, next] = [kept.at(-1), samples[i + 1]];
      const isNeeded =
        before === undefined || next === undefined || next.atMs - before.atMs > (nowMs - next.atMs) * share;
      if (isNeeded) kept.push(sample);
    }
    this.samples = kept.slice(-samplesMax);
  }
}
