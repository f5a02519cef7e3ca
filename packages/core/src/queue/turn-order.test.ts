import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QueueConsumer } from './consumer.js';
import { TurnOrder } from './turn-order.js';

/** As much of a consumer as the turn order looks at. */
interface Member {
  readonly name: number;
  readonly spec: { readonly priority: number };
  active: boolean;
  nextActive: Member;
  previousActive: Member;
  /** Its window is open. */
  open: boolean;
  mayTake(): boolean;
}

function member(name: number, priority: number, order: TurnOrder): Member {
  const made = {
    name,
    spec: { priority },
    active: false,
    open: true,
    mayTake(): boolean {
      // What the real one does when its window is closed.
      if (!this.open) order.leave(made as unknown as QueueConsumer);
      return this.open;
    },
  } as Member;
  made.nextActive = made.previousActive = made;
  return made;
}

const real = (each: Member): QueueConsumer => each as unknown as QueueConsumer;

describe('turn order', () => {
  it('is a list a priority: joining goes to its end, who takes goes to its end, leaving leaves a gap', () => {
    const step = fc.tuple(fc.constantFrom('join', 'leave', 'take', 'open', 'close'), fc.nat({ max: 9 }));
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 10 }),
        fc.array(step, { maxLength: 150 }),
        (priorities, steps) => {
          const order = new TurnOrder();
          const members = priorities.map((priority, name) => member(name, priority, order));
          // All that are in, in the order of their turns within each priority.
          let model: Member[] = [];
          const take = (): Member | null => {
            const sorted = [...model].sort((a, b) => b.spec.priority - a.spec.priority);
            for (const each of sorted) {
              model = model.filter((other) => other !== each);
              if (!each.open) continue;
              model.push(each);
              return each;
            }
            return null;
          };
          for (const [what, index] of steps) {
            const one = members[index % members.length]!;
            if (what === 'open' || what === 'close') one.open = what === 'open';
            else if (what === 'join' && !one.active) {
              order.join(real(one));
              model.push(one);
            } else if (what === 'leave') {
              order.leave(real(one));
              model = model.filter((other) => other !== one);
            } else if (what === 'take') {
              expect((order.take() as unknown as Member | null)?.name).toBe(take()?.name);
            }
            expect(members.filter(({ active }) => active).map(({ name }) => name)).toEqual(
              model.map(({ name }) => name).sort((a, b) => a - b),
            );
          }
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  it('serves equals in turn, to within one', () => {
    const order = new TurnOrder();
    const members = Array.from({ length: 7 }, (_, name) => member(name, 0, order));
    for (const each of members) order.join(real(each));
    const taken = Array.from({ length: 7 * 13 + 4 }, () => (order.take() as unknown as Member).name);
    expect(taken).toEqual(taken.map((_, i) => i % 7));
  });

  it('forgets priorities that nobody uses any more', () => {
    const order = new TurnOrder();
    const staying = member(-1, 3, order);
    order.join(real(staying));
    for (let priority = 0; priority < 10_000; priority++) {
      const passing = member(priority, priority * 7, order);
      order.join(real(passing));
      order.leave(real(passing));
      expect((order as unknown as { ranks: unknown[] }).ranks.length).toBeLessThanOrEqual(16);
    }
    expect((order.take() as unknown as Member).name).toBe(-1);
  });

  it('keeps all priorities that are in use, however many', () => {
    const order = new TurnOrder();
    const members = Array.from({ length: 500 }, (_, name) => member(name, (name * 7_919) % 500, order));
    for (const each of members) order.join(real(each));
    const taken: number[] = [];
    for (let next = order.take(); next !== null; next = order.take()) {
      taken.push(next.spec.priority);
      order.leave(next);
    }
    expect(taken).toEqual(Array.from({ length: 500 }, (_, i) => 499 - i));
  });
});
