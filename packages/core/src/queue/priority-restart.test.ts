import { createSimPlatform } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from '../../../../test/support/core-kit.js';
import type { Message } from '../message.js';
import { Turn } from '../turn.js';
import type { Delivery, Outcome, QueueDelivery } from './delivery.js';
import type { Got } from './got.js';
import { Memory } from './memory.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';

const address = queueAddress('q');
const priorityMax = 3;
const nobody = { deliver: () => true, detached: () => undefined };
const holderSpec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

interface Known {
  readonly number: number;
  readonly message: Message;
  /** To be flagged when it goes out next. */
  isFlagged: boolean;
}

/** A durable queue with priorities that lives through restarts, and a plain list of what it should hold. */
class World {
  private logs = new ControlledLogs();
  private queue = this.open();
  private ready: Known[] = [];
  private held: { known: Known; delivery: Delivery }[] = [];
  private count = 0;
  restarts = 0;

  /** Room for a few messages in memory. */
  private open(): Queue {
    this.logs.areReadsHeld = true;
    const turn = new Turn(createSimPlatform(1).clock);
    const properties = queueProperties('q', { durable: true, arguments: { 'x-max-priority': priorityMax } });
    const log = this.logs.log(properties.incarnation);
    const memory = new Memory(1_500, Number.POSITIVE_INFINITY);
    return new Queue(turn, new Persist(turn, this.logs), properties, log, memory);
  }

  get reads(): number {
    return this.logs.reads;
  }

  publish(priority: number, persistent: boolean, bytes: number): void {
    const message = messageOf(address, 'x'.repeat(bytes), { priority, persistent });
    this.ready.push({ number: ++this.count, message, isFlagged: false });
    this.queue.enqueue(message, null);
  }

  async get(acknowledges: boolean): Promise<void> {
    const later = this.queue.get(acknowledges ? this.queue.holder(holderSpec, nobody) : null);
    if (later instanceof Promise) this.logs.answerReads();
    const got: Got | null = await later;
    const first = this.sorted()[0];
    expect(got?.message.body().toString()).toBe(first?.message.body().toString());
    if (first === undefined) return;
    expect([got!.message.priority, got!.redelivered]).toEqual([first.message.priority, first.isFlagged]);
    this.ready = this.ready.filter((each) => each !== first);
    first.isFlagged = true;
    if (acknowledges) this.held.push({ known: first, delivery: got!.delivery! });
  }

  settle(index: number, outcome: Outcome): void {
    const [held] = this.held.splice(index % Math.max(1, this.held.length), 1);
    if (held === undefined) return;
    if (outcome === 'release') this.ready.push(held.known);
    this.queue.settle(held.delivery as QueueDelivery, outcome);
  }

  purge(): void {
    expect(this.queue.purge()).toBe(this.ready.length);
    this.ready = [];
  }

  /** A stop tells how far was delivered; after a crash all may have been. */
  async restart(isClean: boolean): Promise<void> {
    const { queue } = this;
    if (isClean) this.logs.delivered(queue.incarnation, queue.deliveredUpTo, queue.deliveredByLevel);
    for (const log of this.logs.logs.values()) log.commit();
    this.logs = isClean ? this.logs.afterStop() : this.logs.afterCrash();
    const [found] = await this.logs.recover();
    this.queue = this.open();
    this.queue.recover(found!);
    const alive = [...this.ready, ...this.held.map(({ known }) => known)];
    this.ready = alive.filter(({ message }) => message.persistent);
    if (!isClean) for (const known of this.ready) known.isFlagged = true;
    this.held = [];
    this.restarts++;
  }

  check(): void {
    const { queue, ready } = this;
    expect([queue.readyCount, queue.unsettledCount]).toEqual([ready.length, this.held.length]);
    expect(queue.readyBytes).toBe(ready.reduce((sum, { message }) => sum + message.bodyBytes, 0));
  }

  private sorted(): Known[] {
    const levelOf = ({ message }: Known) => Math.min(Math.max(message.priority, 0), priorityMax);
    return this.ready.sort((a, b) => levelOf(b) - levelOf(a) || a.number - b.number);
  }
}

type Step = (world: World) => void | Promise<void>;

const step = <A extends unknown[]>(
  weight: number,
  make: (...values: A) => Step,
  ...values: { [K in keyof A]: fc.Arbitrary<A[K]> }
) => ({ weight, arbitrary: fc.tuple(...(values as fc.Arbitrary<unknown>[])).map((given) => make(...(given as A))) });

const steps = fc.oneof(
  step(
    12,
    (priority: number, persistent: boolean, bytes: number) => (w) => w.publish(priority, persistent, bytes),
    fc.integer({ min: -1, max: 5 }),
    fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    fc.nat({ max: 40 }),
  ),
  step(8, (acknowledges: boolean) => (w) => w.get(acknowledges), fc.boolean()),
  step(
    4,
    (index: number, outcome: Outcome) => (w) => w.settle(index, outcome),
    fc.nat({ max: 20 }),
    fc.constantFrom<Outcome>('accept', 'release', 'reject'),
  ),
  step(2, (isClean: boolean) => (w) => w.restart(isClean), fc.boolean()),
  {
    weight: 1,
    arbitrary: fc.nat({ max: 4 }).map(
      (n): Step =>
        (w) =>
          n === 0 ? w.purge() : undefined,
    ),
  },
);

describe('a queue with priorities that lives through restarts', () => {
  it('keeps its order, its counts and what was delivered, priority by priority, from memory and from disk', async () => {
    let [restarts, reads] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 120, size: 'max' }), async (list) => {
        const world = new World();
        for (const run of list) {
          await run(world);
          world.check();
        }
        restarts += world.restarts;
        // All that is left, to the last.
        for (let i = 0; i < 200; i++) await world.get(false);
        reads += world.reads;
        world.check();
      }),
      { numRuns: 200, seed: 3 },
    );
    expect([restarts > 100, reads > 100]).toEqual([true, true]);
  });
});
