import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress } from '../../../../test/support/core-kit.js';
import type { Message } from '../message.js';
import { Ready } from './ready.js';

const address = queueAddress('q');

interface Waiting {
  readonly position: number;
  readonly message: Message;
  readonly returned: boolean;
}

/** The same as a sorted list. */
class Model {
  list: Waiting[] = [];

  add(entry: Waiting): void {
    this.list.push(entry);
    this.list.sort((a, b) => a.position - b.position);
  }
}

function assertSame(ready: Ready, { list }: Model): void {
  expect(ready.length).toBe(list.length);
  expect(ready.isEmpty).toBe(list.length === 0);
  expect(ready.bytes).toBe(list.reduce((sum, { message }) => sum + message.bodyBytes, 0));
  expect(ready.headPosition).toBe(list[0]?.position ?? 0);
  if (list.length > 0) expect(ready.headRedelivered).toBe(list[0]!.returned);
  expect(ready.freshPosition).toBe(list.find(({ returned }) => !returned)?.position ?? 0);
}

/** What a test has to see of private things: how much is kept. */
const slotsOf = (ready: Ready): unknown[] => (ready as unknown as { front: { messages: unknown[] } }).front.messages;

describe('ready list', () => {
  it('is a list sorted by position, whatever is taken and given back', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 40 }) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 40 }) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('giveBack' as const), count: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), count: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ready = new Ready();
        const model = new Model();
        const held: Waiting[] = [];
        let position = 0;
        for (const { kind, count } of steps) {
          if (kind === 'push') {
            for (let i = 0; i < count; i++) {
              const message = messageOf(address, 'x'.repeat(position % 5));
              // Positions have holes.
              position += 1 + (count % 3);
              ready.push(position, message);
              model.add({ position, message, returned: false });
            }
          } else if (kind === 'shift') {
            for (let i = 0; i < count && model.list.length > 0; i++) {
              const expected = model.list.shift()!;
              expect(ready.headPosition).toBe(expected.position);
              expect(ready.shift()).toBe(expected.message);
              held.push({ ...expected, returned: true });
            }
          } else if (kind === 'giveBack') {
            if (held.length === 0) continue;
            const [given] = held.splice(count % held.length, 1);
            ready.giveBack(given!.position, given!.message);
            model.add(given!);
          } else {
            ready.clear();
            model.list = [];
          }
          assertSame(ready, model);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('gives 20,000 messages back in any order and hands them out in theirs', () => {
    const ready = new Ready();
    const message = messageOf(address);
    const count = 20_000;
    for (let position = 1; position <= count; position++) ready.push(position, message);
    for (let position = 1; position <= count; position++) ready.shift();
    for (let i = 0; i < count; i++) ready.giveBack(((i * 7_919) % count) + 1, message);
    const order: number[] = [];
    while (!ready.isEmpty) {
      order.push(ready.headPosition);
      ready.shift();
    }
    expect(order).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  });

  it('lets the memory of a backlog go when that is drained', () => {
    const ready = new Ready();
    for (let position = 1; position <= 5_000; position++) ready.push(position, messageOf(address));
    expect(slotsOf(ready).length).toBeGreaterThanOrEqual(5_000);
    while (!ready.isEmpty) ready.shift();
    expect(slotsOf(ready)).toHaveLength(0);
    ready.push(6_000, messageOf(address));
    expect(ready.headPosition).toBe(6_000);
  });

  it('keeps no message that was taken', () => {
    const ready = new Ready();
    for (let position = 1; position <= 10; position++) ready.push(position, messageOf(address));
    for (let i = 0; i < 9; i++) ready.shift();
    expect(slotsOf(ready).filter((each) => each !== undefined)).toHaveLength(1);
  });
});
