import { Turn } from '@chapar/core';
import { SimWorld } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFrames } from './batch.js';
import { FrameCursor } from './frame-cursor.js';
import type { SentFrame } from './outgoing.js';
import { Outgoing } from './outgoing.js';

const KiB = 1024;

/** A lane that lets go of batches when it is told to, in their order. */
class SlowLane {
  readonly batches: { batch: Buffer; copy: Buffer; left: () => void }[] = [];
  readonly buffers = new Set<ArrayBufferLike>();
  sent = 0;

  open(): void {}

  close(): void {}

  send(batch: Buffer, _carried?: unknown, left: () => void = () => undefined): boolean {
    this.batches.push({ batch, copy: Buffer.from(batch), left });
    this.buffers.add(batch.buffer);
    this.sent++;
    return true;
  }

  /** It has sent the first ones: they are as they were. */
  letGo(count: number): void {
    for (const { batch, copy, left } of this.batches.splice(0, count)) {
      expect(batch.equals(copy)).toBe(true);
      left();
    }
  }
}

function begin(): { turn: Turn; out: Outgoing; lane: SlowLane } {
  const { clock } = new SimWorld(1).machine('10.0.0.1');
  const turn = new Turn(clock);
  const out = new Outgoing(turn, clock);
  const lane = new SlowLane();
  out.open(lane);
  return { turn, out, lane };
}

function write(out: Outgoing, bytes: number, seed: number, onEnd: ((frame: SentFrame) => void) | null = null): void {
  out.begin(1, onEnd);
  out.expect(bytes);
  out.whole(Buffer.alloc(bytes, seed));
  out.varint(seed);
}

describe('what goes to a peer', () => {
  it('is not written over before its lane has let go of it, and never where somebody keeps it', () => {
    const bytes = fc.oneof(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 16 * KiB, max: 30 * KiB }),
      fc.integer({ min: 1, max: 90 * KiB }),
    );
    const step = fc.oneof(
      fc.record({ bytes, isKept: fc.nat({ max: 9 }).map((n) => n === 0) }),
      fc.record({ letGo: fc.integer({ min: 1, max: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { turn, out, lane } = begin();
        const kept: { frame: SentFrame; copy: Buffer }[] = [];
        const keep = (frame: SentFrame) => kept.push({ frame, copy: Buffer.from(frame.bytes) });
        for (const [i, each] of steps.entries()) {
          if ('letGo' in each) lane.letGo(each.letGo);
          else {
            write(out, each.bytes, i, each.isKept ? keep : null);
            if (i % 3 > 0) turn.flush();
          }
        }
        out.close();
        lane.letGo(lane.batches.length);
        for (const { frame, copy } of kept) expect(frame.bytes.equals(copy)).toBe(true);
      }),
    );
  });

  it('waits for the last of those that lie in one buffer', () => {
    const { turn, out, lane } = begin();
    for (const [i, bytes] of [20 * KiB, 20 * KiB].entries()) {
      write(out, bytes, i);
      turn.flush();
    }
    expect([lane.sent, lane.buffers.size]).toEqual([2, 1]);
    lane.letGo(1);
    write(out, 40 * KiB, 2);
    turn.flush();
    lane.letGo(2);
    expect(lane.buffers.size).toBe(2);
    write(out, 40 * KiB, 3);
    turn.flush();
    lane.letGo(1);
    expect(lane.buffers.size).toBe(2);
  });

  it('lies in a few buffers, however much it is, while its lane keeps up', () => {
    const { turn, out, lane } = begin();
    for (let i = 0; i < 200; i++) {
      write(out, 100 * KiB, i);
      turn.flush();
      lane.letGo(i === 0 ? 0 : 1);
    }
    expect(lane.sent).toBe(200);
    expect(lane.buffers.size).toBeLessThan(5);
  });

  it('arrives in whole frames', () => {
    const { turn, out, lane } = begin();
    for (let i = 0; i < 50; i++) write(out, 10 * KiB, i);
    turn.flush();
    const cursor = new FrameCursor();
    let frames = 0;
    for (const { batch } of lane.batches) {
      readFrames(batch, cursor, () => {
        const at = cursor.skip(10 * KiB);
        expect(cursor.buffer[at]).toBe(frames);
        expect(cursor.varint()).toBe(frames++);
      });
    }
    expect(frames).toBe(50);
  });
});
