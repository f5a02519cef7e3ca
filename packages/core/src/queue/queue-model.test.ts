import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QueueModel } from '../../../../test/support/queue-model.js';
import type { Outcome } from './delivery.js';
import { Memory, unboundedMemory } from './memory.js';

type Step = (model: QueueModel) => void | Promise<void>;

const index = fc.nat({ max: 20 });
const outcome = fc.constantFrom<Outcome>('accept', 'release', 'reject');
const step = <A extends unknown[]>(
  weight: number,
  make: (...values: A) => Step,
  ...values: { [K in keyof A]: fc.Arbitrary<A[K]> }
) => ({
  weight,
  arbitrary: fc
    .tuple(...(values as fc.Arbitrary<unknown>[]))
    .map((given) => Object.assign(make(...(given as A)), { given })),
});

const steps = fc.oneof(
  step(
    10,
    (bytes: number, persistent: boolean, expirationMs: number, priority: number) => (m) =>
      m.publish(bytes, persistent, expirationMs, priority),
    fc.nat({ max: 5 }),
    fc.boolean(),
    fc.constantFrom(-1, -1, -1, 0, 3, 20),
    fc.integer({ min: -1, max: 4 }),
  ),
  step(2, (ms: number) => (m) => m.pass(ms), fc.nat({ max: 12 })),
  step(
    4,
    (acks: boolean, exclusive: boolean, priority: number, window: number | null, credit: number, room: number) => (m) =>
      m.attach(acks, exclusive, priority, window, credit, room),
    fc.boolean(),
    fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    fc.integer({ min: -1, max: 1 }),
    fc.constantFrom(null, 0, 1),
    fc.constantFrom(0, 1, 2, 5, Number.POSITIVE_INFINITY),
    fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
  ),
  step(3, (i: number, credit: number) => (m) => m.grant(i, credit), index, fc.integer({ min: -1, max: 3 })),
  step(1, (i: number, credit: number) => (m) => m.setCredit(i, credit), index, fc.nat({ max: 3 })),
  step(10, (i: number, verdict: Outcome) => (m) => m.settle(i, verdict), index, outcome),
  step(1, (i: number, verdict: Outcome) => (m) => m.settleAgain(i, verdict), index, outcome),
  step(2, (acks: boolean) => (m) => m.get(acks), fc.boolean()),
  step(1, () => (m) => m.purge()),
  step(1, (i: number) => (m) => m.stop(i), index),
  step(1, (i: number) => (m) => m.detach(i), index),
  step(
    2,
    (i: number, room: number) => (m) => m.resume(i, room),
    index,
    fc.constantFrom(1, 4, Number.POSITIVE_INFINITY),
  ),
  step(1, (window: number, limit: number) => (m) => m.setLimit(window, limit), fc.nat({ max: 1 }), fc.nat({ max: 4 })),
  step(5, () => (m) => m.endTurn()),
);

describe('a queue against a plain model', () => {
  // Room for a few messages in memory, and for fewer when the node's budget is spent.
  const tiny = () => new Memory(260, 600);
  const single = { 'x-single-active-consumer': true };
  for (const [kind, isDurable, memory, args] of [
    ['transient', false, unboundedMemory, {}],
    ['durable', true, unboundedMemory, {}],
    ['transient and paged', false, tiny, {}],
    ['durable and paged', true, tiny, {}],
    ['transient, one active consumer', false, unboundedMemory, single],
    ['durable and paged, one active consumer', true, tiny, single],
    ['transient, with priorities', false, unboundedMemory, { 'x-max-priority': 3 }],
    ['transient and paged, with priorities', false, tiny, { 'x-max-priority': 3 }],
    ['durable and paged, with priorities', true, tiny, { 'x-max-priority': 2 }],
  ] as const) {
    it(`${kind}: order, credit, windows, priorities, flags, counts and statistics`, async () => {
      let reads = 0;
      let expired = 0;
      const isPaged = memory === tiny;
      await fc.assert(
        fc.asyncProperty(
          fc.array(steps, isPaged ? { maxLength: 80, size: 'max' } : { maxLength: 80 }),
          fc.array(steps, { maxLength: 8 }),
          fc.constantFrom(null, null, 0, 15),
          async (before, afterDelete, ttlMs) => {
            const room = memory();
            const model = new QueueModel(isDurable, room, ttlMs === null ? args : { ...args, 'x-message-ttl': ttlMs });
            for (const run of before) {
              await run(model);
              model.check();
            }
            model.endTurn();
            model.check();
            reads += model.reads;
            expired += model.queue.statistics.dropped.expired;
            if (afterDelete.length < 6) return;
            model.delete();
            model.check();
            // Verdicts and credit may still come; nothing is delivered any more.
            for (let i = 0; i < 5; i++) {
              model.settle(i, 'release');
              model.grant(i, 2);
              model.resume(i, 1);
              model.settleAgain(i, 'accept');
            }
            model.endTurn();
            model.check();
            // Nothing waits in memory any more.
            expect(room.usedBytes).toBe(0);
          },
        ),
        { numRuns: isPaged ? 300 : 1_000, seed: 2 },
      );
      expect(expired).toBeGreaterThan(100);
      expect([kind, reads, reads > 100]).toEqual([kind, expect.any(Number), isPaged]);
    });
  }
});
