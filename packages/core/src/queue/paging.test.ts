import { createSimPlatform, SimRandom } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ControlledLog, ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from '../../../../test/support/core-kit.js';
import { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { Delivery, DeliverySink, QueueDelivery } from './delivery.js';
import { Memory } from './memory.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';

const address = queueAddress('q');
const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

/** A queue with little room, whose reads are answered when a test says so. */
class Paged {
  readonly platform = createSimPlatform(1);
  readonly turn = new Turn(this.platform.clock);
  readonly logs = new ControlledLogs();
  readonly log: ControlledLog | null;
  readonly memory = new Memory(2_000, 1_000_000);
  readonly queue: Queue;
  readonly got: string[] = [];
  readonly held: Delivery[] = [];
  private readonly sink: DeliverySink = {
    deliver: (_consumer, message, redelivered, delivery) => {
      this.got.push(`${message.body()}${redelivered ? '*' : ''}`);
      if (delivery !== null) this.held.push(delivery);
      return true;
    },
    detached: () => undefined,
  };

  constructor(isDurable: boolean) {
    this.logs.areReadsHeld = true;
    this.log = isDurable ? this.logs.log('i') : null;
    this.queue = new Queue(this.turn, new Persist(this.turn, this.logs), queueProperties('q'), this.log, this.memory);
  }

  publish(from: number, to: number, persistent = (_n: number) => true): void {
    for (let n = from; n <= to; n++) {
      this.queue.enqueue(messageOf(address, `${n}`, { persistent: persistent(n) }), null);
    }
  }

  consume(credit: number, acknowledges = true): QueueConsumer {
    const consumer = this.queue.attach({ ...spec, acknowledges }, this.sink);
    consumer.grant(credit);
    return consumer;
  }

  holder(): QueueConsumer {
    return this.queue.holder(spec, this.sink);
  }

  settleAll(outcome: 'accept' | 'release'): void {
    for (const delivery of this.held.splice(0)) delivery.consumer.settle(delivery, outcome);
    this.platform.clock.scheduler.runUntilIdleSync();
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

describe.each([
  ['durable', true],
  ['transient', false],
] as const)('a %s queue that is larger than its window', (_kind, isDurable) => {
  let paged: Paged;

  beforeEach(() => {
    paged = new Paged(isDurable);
    paged.publish(1, 1_000, (n) => n % 3 !== 0);
  });

  it('keeps a window in memory and counts the rest', () => {
    const { queue, memory } = paged;
    expect(queue.readyCount).toBe(1_000);
    expect(queue.readyBytes).toBe(numbers(1, 1_000).join('').length);
    expect(queue.pagedCount).toBeGreaterThan(980);
    expect(memory.usedBytes).toBeLessThan(3_000);
    expect(paged.logs.reads).toBe(0);
  });

  it('delivers everything in order, whenever reads are answered and publishes come', () => {
    const random = new SimRandom(7);
    const consumer = paged.consume(0);
    for (let published = 1_000; paged.got.length < 2_000; ) {
      if (random.chance(0.3)) paged.logs.answerReads();
      consumer.grant(random.integer(12));
      const count = Math.min(2_000 - published, random.integer(8));
      paged.publish(published + 1, published + count, () => random.chance(0.5));
      published += count;
      if (random.chance(0.5)) paged.settleAll('accept');
      expect(paged.memory.usedBytes).toBeLessThan(5_000);
    }
    paged.settleAll('accept');
    expect(paged.got).toEqual(numbers(1, 2_000));
    const { queue, memory, log } = paged;
    expect([queue.readyCount, queue.readyBytes, queue.pagedCount, queue.pagedBytes]).toEqual([0, 0, 0, 0]);
    expect([memory.usedBytes, log?.live.size ?? 0]).toEqual([0, 0]);
  });

  it('gives back in its place what was delivered beyond the window', () => {
    const consumer = paged.consume(50);
    for (let i = 0; i < 40; i++) paged.logs.answerReads();
    expect(paged.got).toEqual(numbers(1, 50));
    paged.settleAll('release');
    expect(paged.queue.readyCount).toBe(1_000);
    paged.got.length = 0;
    consumer.setCredit(60);
    paged.logs.answerReads();
    expect(paged.got).toEqual([...numbers(1, 50).map((n) => `${n}*`), ...numbers(51, 60)]);
  });

  it('answers get from the disk too, each message to one asker', async () => {
    const holder = paged.holder();
    const answers = [];
    for (let i = 0; i < 30; i++) answers.push(paged.queue.get(i % 2 === 0 ? holder : null));
    expect(answers.at(-1)).toBeInstanceOf(Promise);
    while (paged.logs.paging.concat(paged.log?.pages ?? []).some((pages) => pages.answer())) {
      await new Promise(setImmediate);
    }
    const got = (await Promise.all(answers)).map((each) => `${each?.message.body()}`);
    expect(got.sort((a, b) => Number(a) - Number(b))).toEqual(numbers(1, 30));
    expect([paged.queue.readyCount, paged.queue.unsettledCount]).toEqual([970, 15]);
  });

  it('gives nothing to somebody who left while it was read', async () => {
    const holder = paged.holder();
    const answers = Array.from({ length: 20 }, () => paged.queue.get(holder));
    expect(answers.at(-1)).toBeInstanceOf(Promise);
    holder.detach();
    paged.logs.answerReads();
    expect(await answers.at(-1)).toBeNull();
    expect([paged.queue.readyCount, paged.queue.unsettledCount]).toEqual([1_000, 0]);
  });

  it('is purged without reading, also while a read is under way', async () => {
    const consumer = paged.consume(1);
    consumer.grant(20);
    const { queue, logs, log } = paged;
    const reads = logs.reads;
    const held = paged.held.length;
    const waiting = queue.get(paged.holder());
    expect(queue.purge()).toBe(1_000 - held);
    expect([queue.readyCount, queue.readyBytes, queue.pagedCount]).toEqual([0, 0, 0]);
    logs.answerReads();
    expect(await waiting).toBeNull();
    expect([logs.reads, paged.held.length]).toEqual([reads, held]);
    // What consumers hold stays theirs.
    if (log !== null)
      expect(log.live.size).toBe(paged.held.filter((held) => (held as QueueDelivery).message.persistent).length);
    paged.publish(1_001, 1_003);
    consumer.grant(3);
    expect(paged.got.slice(held)).toEqual(numbers(1_001, 1_003));
  });

  it('keeps what cannot be read and delivers what stands behind it', () => {
    const pages = paged.log?.pages ?? paged.logs.paging[0]!;
    for (let n = 100; n < 400; n++) pages.broken.add(n);
    paged.consume(Number.POSITIVE_INFINITY, false);
    paged.logs.answerReads();
    expect(paged.got).toEqual([...numbers(1, 99), ...numbers(400, 1_000)]);
    const { queue, log } = paged;
    expect([queue.readyCount, queue.readyBytes]).toEqual([300, 900]);
    if (log !== null) expect(log.live.size).toBe(numbers(100, 399).filter((n) => Number(n) % 3 !== 0).length);
    paged.publish(1_001, 1_002);
    expect(paged.got.slice(-2)).toEqual(['1001', '1002']);
    expect(queue.purge()).toBe(300);
    expect([queue.readyCount, queue.readyBytes, log?.live.size ?? 0]).toEqual([0, 0, 0]);
  });

  it('deleted, forgets what it paged, and a read under way', () => {
    paged.consume(Number.POSITIVE_INFINITY);
    const got = paged.got.length;
    paged.queue.delete();
    paged.logs.answerReads();
    expect(paged.got).toHaveLength(got);
    expect([paged.queue.readyCount, paged.memory.usedBytes]).toEqual([0, 0]);
    for (const pages of paged.logs.paging) expect(pages.paged.size).toBe(0);
  });
});

describe('memory of a node', () => {
  it('leaves little to each queue when the budget is spent', () => {
    const memory = new Memory(64_000, 100_000);
    const turn = new Turn(createSimPlatform(1).clock);
    const persist = new Persist(turn, new ControlledLogs());
    const queues = Array.from(
      { length: 200 },
      (_, i) => new Queue(turn, persist, queueProperties(`q${i}`), null, memory),
    );
    for (const queue of queues) {
      for (let i = 0; i < 300; i++) queue.enqueue(messageOf(address, 'x'.repeat(100)), null);
      expect(queue.readyCount).toBe(300);
    }
    // Two whole windows, and not even two messages each beyond one for the ends.
    expect(memory.usedBytes).toBeLessThan(100_000 + 64_000 + 200 * 2_000);
    for (const queue of queues) queue.purge();
    expect(memory.usedBytes).toBe(0);
  });
});
