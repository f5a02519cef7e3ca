import type { Span } from '../timeline.js';

/** Whether nothing was wrong in the cluster; of a trouble, all until it is known that everything has recovered from it. */
export class Calm {
  private readonly wrong: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** Moments at which all had been well for a while, upwards. */
  private readonly quiet: readonly number[];

  constructor(spans: readonly Span[], quiet: readonly number[]) {
    this.quiet = quiet;
    this.wrong = spans.map(({ fromMs, toMs }) => ({ fromMs, toMs: quiet.find((ms) => ms >= toMs) ?? Infinity }));
  }

  during(fromMs: number, toMs: number): boolean {
    return this.wrong.every((span) => span.toMs < fromMs || span.fromMs > toMs);
  }

  /** The first moment after it at which all was well. */
  after(ms: number): number {
    return this.quiet.find((each) => each > ms) ?? Infinity;
  }
}
