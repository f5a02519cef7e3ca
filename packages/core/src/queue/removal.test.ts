import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress } from '../../../../test/support/core-kit.js';
import type { Message } from '../message.js';
import { Memory } from './memory.js';
import { ReturnedHeap } from './returned-heap.js';
import { Ring } from './ring.js';

const address = queueAddress('q');

interface Known {
  readonly position: number;
  readonly message: Message;
}

const known = (position: number): Known => ({ position, message: messageOf(address, 'x'.repeat(position % 7)) });

type Kind = 'push' | 'shift' | 'remove' | 'miss';
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Kind>('push', 'push', 'push', 'shift', 'remove', 'miss'),
    at: fc.nat({ max: 60 }),
  }),
  { maxLength: 120, size: 'max' },
);

describe('messages are taken out of the middle', () => {
  it('of a ring, which keeps the order of the others and counts what they cost', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const memory = new Memory(1e9, 1e9);
        const ring = new Ring(memory);
        const model: Known[] = [];
        let last = 0;
        for (const { kind, at } of taken) {
          if (kind === 'push') {
            last += 1 + at;
            model.push(known(last));
            ring.push(last, model.at(-1)!.message);
          } else if (kind === 'shift' && model.length > 0) {
            expect(ring.shift()).toBe(model.shift()!.message);
          } else if (kind === 'remove' && model.length > 0) {
            const [chosen] = model.splice(at % model.length, 1);
            expect(ring.remove(chosen!.position)).toBe(chosen!.message);
          } else if (kind === 'miss' && !model.some(({ position }) => position === at)) {
            expect(ring.remove(at)).toBeNull();
          }
          expect([ring.length, ring.headPosition, ring.tailPosition]).toEqual([
            model.length,
            model[0]?.position ?? 0,
            model.at(-1)?.position ?? 0,
          ]);
          if (model.length > 0) expect(ring.head).toBe(model[0]!.message);
          expect(memory.usedBytes).toBe(ring.costBytes);
        }
        while (model.length > 0) expect(ring.shift()).toBe(model.shift()!.message);
        expect(memory.usedBytes).toBe(0);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('of those that were given back, of which the oldest is still the next', () => {
    fc.assert(
      fc.property(steps, fc.integer(), (taken, salt) => {
        const heap = new ReturnedHeap();
        let model: Known[] = [];
        for (const { kind, at } of taken) {
          const position = 1 + Math.abs((at * 7919 + salt) % 101);
          const isThere = model.some((each) => each.position === position);
          if (kind === 'push' && !isThere) {
            const each = known(position);
            model = [...model, each].sort((a, b) => a.position - b.position);
            heap.push(position, each.message);
          } else if (kind === 'shift' && model.length > 0) {
            expect(heap.headPosition).toBe(model[0]!.position);
            expect(heap.shift()).toBe(model.shift()!.message);
          } else if (kind === 'remove' && model.length > 0) {
            const [chosen] = model.splice(at % model.length, 1);
            expect(heap.remove(chosen!.position)).toBe(chosen!.message);
          } else if (kind === 'miss' && !isThere) {
            expect(heap.remove(position)).toBeNull();
          }
          expect(heap.length).toBe(model.length);
        }
        while (model.length > 0) expect(heap.shift()).toBe(model.shift()!.message);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
