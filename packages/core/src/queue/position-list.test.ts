import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PositionList } from './position-list.js';

describe('a list of positions', () => {
  it('is a plain list, whatever is put in and taken', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), by: fc.array(fc.nat({ max: 9 })) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('far' as const), by: fc.array(fc.nat({ max: 2 ** 45 })) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('shift' as const), by: fc.array(fc.nat()) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), by: fc.array(fc.nat({ max: 40 })) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('unshift' as const), by: fc.array(fc.nat({ max: 2 })) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const list = new PositionList();
        let model: number[] = [];
        let last = 1_000_000;
        for (const { kind, by } of steps) {
          if (kind === 'push' || kind === 'far') {
            for (const distance of by) {
              last += distance + 1;
              if (last > Number.MAX_SAFE_INTEGER / 2) return;
              list.push(last);
              model.push(last);
            }
          } else if (kind === 'unshift') {
            for (const distance of by) {
              const position = (model[0] ?? last) - distance - 1;
              list.unshift(position);
              model = [position, ...model];
            }
          } else if (kind === 'remove') {
            // Those at these places, and their neighbours, which may be none of them.
            const chosen = by.flatMap((place) => (model[place] === undefined ? [] : [model[place], model[place] + 1]));
            const wanted = [...new Set(chosen)].sort((a, b) => a - b);
            expect(list.remove(wanted)).toEqual(model.filter((position) => wanted.includes(position)));
            model = model.filter((position) => !wanted.includes(position));
          } else {
            for (let i = 0; i < by.length && model.length > 0; i++) {
              expect(list.first).toBe(model[0]);
              expect(list.shift()).toBe(model.shift());
            }
          }
          expect([list.length, list.first]).toEqual([model.length, model[0] ?? 0]);
          for (const count of [0, 1, 3, model.length, model.length + 1]) {
            expect(list.firsts(count)).toEqual(model.slice(0, count));
          }
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('takes a byte for a position near the one before it, and gives back what was read', () => {
    const list = new PositionList();
    for (let position = 1; position <= 100_000; position++) list.push(position * 3);
    const chunks = (list as unknown as { chunks: { bytes: Uint8Array }[] }).chunks;
    const bytes = () => chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    expect(bytes()).toBeLessThan(105_000);
    for (let i = 0; i < 90_000; i++) list.shift();
    expect(bytes()).toBeLessThan(11_000);
    list.clear();
    expect([list.length, list.first, bytes()]).toEqual([0, 0, 0]);
    list.push(5);
    expect([list.first, list.shift(), list.length]).toEqual([5, 5, 0]);
  });
});
