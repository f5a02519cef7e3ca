import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import { Pending } from './pending.js';

/** Notes what it is told. */
function slot(told: string[], position: number): ConfirmSlot {
  return {
    committed: () => told.push(`${position} committed`),
    refused: (why: string) => told.push(`${position} ${why}`),
  } as unknown as ConfirmSlot;
}

/** What a test has to see of private things: how much is kept. */
const inside = <T>(object: unknown): T => object as T;

describe('pending confirms', () => {
  it('tell every slot exactly once, in the order of positions, whatever comes early', () => {
    const step = fc.tuple(fc.constantFrom('push', 'commit', 'accept', 'refuse'), fc.nat({ max: 50 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const pending = new Pending();
        const told: string[] = [];
        const expected: string[] = [];
        let waiting: number[] = [];
        let accepted = new Set<number>();
        let last = 0;
        for (const [what, n] of steps) {
          if (what === 'push') {
            // Some positions have no slot, because nobody wants a confirm.
            last += 1 + (n % 3);
            pending.push(last, slot(told, last));
            waiting.push(last);
          } else if (what === 'commit') {
            const upTo = last - (n % 10);
            pending.committed(upTo);
            for (const position of waiting) {
              if (position <= upTo && !accepted.has(position)) expected.push(`${position} committed`);
            }
            waiting = waiting.filter((position) => position > upTo);
          } else if (what === 'accept') {
            const position = Math.max(1, last - (n % 15));
            pending.accepted(position);
            if (!waiting.includes(position) || accepted.has(position)) continue;
            expected.push(`${position} committed`);
            accepted.add(position);
          } else if (n < 5) {
            pending.refuseAll('store-failed');
            for (const position of waiting) if (!accepted.has(position)) expected.push(`${position} store-failed`);
            waiting = [];
            accepted = new Set();
          }
          expect(told).toEqual(expected);
          expect(pending.isEmpty).toBe(waiting.length === 0);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('find a position among many, and let go of what is told', () => {
    const pending = new Pending();
    const told: string[] = [];
    for (let position = 1; position <= 10_000; position++) pending.push(position * 2, slot(told, position * 2));
    pending.accepted(10_000);
    pending.accepted(10_001);
    expect(told).toEqual(['10000 committed']);
    for (let upTo = 1; upTo <= 19_000; upTo += 100) pending.committed(upTo);
    expect(told).toHaveLength(9_450);
    expect(inside<{ positions: number[] }>(pending).positions.length).toBeLessThan(3_000);
    pending.accepted(10_000);
    pending.accepted(1);
    pending.committed(Number.POSITIVE_INFINITY);
    expect(told).toHaveLength(10_000);
    expect(pending.isEmpty).toBe(true);
  });

  it('may be told from within what they tell', () => {
    const pending = new Pending();
    const told: string[] = [];
    const again = { committed: () => told.push('again'), refused: () => told.push('refused again') };
    const first = {
      committed: () => told.push('first'),
      refused: () => pending.push(9, again as unknown as ConfirmSlot),
    };
    pending.push(1, first as unknown as ConfirmSlot);
    pending.refuseAll('store-failed');
    expect(pending.isEmpty).toBe(false);
    pending.committed(9);
    expect(told).toEqual(['again']);
  });
});
