import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueHeap } from './due-heap.js';

describe('due heap', () => {
  it('is a list sorted by time and position, whatever comes and goes', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.nat({ max: 9 }), fc.boolean()) },
      { weight: 2, arbitrary: fc.constant(null) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), fc.boolean(), (steps, isCleared) => {
        const heap = new DueHeap();
        let list: [dueMs: number, position: number][] = [];
        for (const [position, each] of steps.entries()) {
          if (each !== null) {
            // Positions come in any order when a message is tried again.
            const [dueMs, isOld] = each;
            const at = isOld ? 1_000 - position : 1_000 + position;
            heap.push(dueMs, at);
            list.push([dueMs, at]);
            list.sort(([dueA, a], [dueB, b]) => dueA - dueB || a - b);
          } else if (list.length > 0) {
            heap.shift();
            list.shift();
          }
          expect([heap.length, heap.dueMs, heap.position]).toEqual([list.length, ...(list[0] ?? [Infinity, 0])]);
        }
        if (isCleared) {
          heap.clear();
          list = [];
        }
        for (; list.length > 0; list.shift()) {
          expect([heap.dueMs, heap.position]).toEqual(list[0]);
          heap.shift();
        }
        expect([heap.length, heap.dueMs, heap.position]).toEqual([0, Infinity, 0]);
      }),
      { numRuns: 200, seed: 6 },
    );
  });

  it('keeps two numbers for each, and gives them back', () => {
    const heap = new DueHeap();
    const inside = heap as unknown as { dues: Float64Array; positions: Float64Array };
    const bytes = () => inside.dues.byteLength + inside.positions.byteLength;
    expect(bytes()).toBe(0);
    for (let position = 1; position <= 65_536; position++) heap.push(65_536 - position, position);
    expect(bytes()).toBe(16 * 65_536);
    while (heap.length > 0) heap.shift();
    expect(bytes()).toBeLessThan(4096);
  });
});
