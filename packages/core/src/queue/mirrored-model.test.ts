import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MirroredModel } from '../../../../test/support/mirrored-model.js';
import type { Outcome } from './delivery.js';
import { Memory, unboundedMemory } from './memory.js';

type Step = (model: MirroredModel) => void | Promise<void>;

const index = fc.nat({ max: 20 });
const outcome = fc.constantFrom<Outcome>('accept', 'release', 'reject');
const positions = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 });
const credit = fc.constantFrom(0, 1, 2, 5, Number.POSITIVE_INFINITY);
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
    12,
    (bytes: number, expirationMs: number, priority: number) => (m) => m.publish(bytes, expirationMs, priority),
    fc.nat({ max: 5 }),
    fc.constantFrom(-1, -1, -1, 0, 3, 20),
    fc.integer({ min: -1, max: 4 }),
  ),
  step(8, (count: number) => (m) => m.commit(count), fc.integer({ min: 1, max: 4 })),
  step(3, (many: number) => (m) => m.attach(many), credit),
  step(5, (i: number, many: number, further: number[]) => (m) => m.return(i, many, further), index, credit, positions),
  step(1, (i: number, late: number[]) => (m) => m.claimLate(i, late), index, positions),
  step(3, (i: number, many: number) => (m) => m.grant(i, many), index, fc.integer({ min: -1, max: 3 })),
  step(8, (i: number, verdict: Outcome) => (m) => m.settle(i, verdict), index, outcome),
  step(1, (i: number, verdict: Outcome) => (m) => m.settleStale(i, verdict), index, outcome),
  step(1, (i: number) => (m) => m.detach(i), index),
  step(1, () => (m) => m.purge()),
  step(1, () => (m) => m.get()),
  step(2, (ms: number) => (m) => m.pass(ms), fc.nat({ max: 12 })),
  step(3, () => (m) => m.begin()),
  step(2, (more: number) => (m) => m.succeed(more), fc.nat({ max: 3 })),
  step(5, () => (m) => m.endTurn()),
);

describe('a mirrored queue against a plain model, from leader to leader', () => {
  const tiny = () => new Memory(260, 600);
  for (const [kind, memory, args] of [
    ['with room in memory', unboundedMemory, {}],
    ['on disk', tiny, {}],
    ['with priorities', unboundedMemory, { 'x-max-priority': 3 }],
    ['with priorities, on disk', tiny, { 'x-max-priority': 2 }],
  ] as const) {
    it(`${kind}: nothing before it is committed, nothing lost, everything in one place`, async () => {
      const seen = { leads: 0, cut: 0, claimed: 0 };
      await fc.assert(
        fc.asyncProperty(
          fc.array(steps, { maxLength: 90, size: 'max' }),
          fc.constantFrom(null, null, 0, 15),
          async (taken, ttlMs) => {
            const model = new MirroredModel(ttlMs === null ? args : { ...args, 'x-message-ttl': ttlMs }, memory);
            for (const run of taken) {
              await run(model);
              model.check();
            }
            model.begin();
            model.endTurn();
            model.check();
            for (const count of ['leads', 'cut', 'claimed'] as const) seen[count] += model[count];
          },
        ),
        { numRuns: 400, seed: 3 },
      );
      expect([seen.leads > 400, seen.cut > 200, seen.claimed > 140]).toEqual([true, true, true]);
    }, 60_000);
  }
});
