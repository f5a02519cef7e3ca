import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { getNow, messageOf, queueAddress, queueProperties, TopologyKit } from '../../../../test/support/core-kit.js';
import type { Arguments } from '../arguments.js';
import { declareQueue } from '../topology/declare.js';
import { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { Delivery, DeliverySink, Outcome } from './delivery.js';
import { expiresAtMs } from './expiry.js';
import { Memory, unboundedMemory } from './memory.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';
import { noRules } from './rules.js';

const address = queueAddress('q');
const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

class Scene {
  readonly clock = createSimPlatform(1).clock;
  readonly turn = new Turn(this.clock);
  readonly logs = new ControlledLogs();
  readonly log = this.logs.log('i');
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

  constructor(args: Arguments = {}, memory: Memory = unboundedMemory()) {
    const properties = queueProperties('q', { durable: true, arguments: args });
    this.queue = new Queue(this.turn, new Persist(this.turn, this.logs), properties, this.log, memory);
  }

  publish(body: string, expirationMs?: number): void {
    const options = expirationMs === undefined ? { persistent: true } : { persistent: true, expirationMs };
    this.queue.enqueue(messageOf(address, body, options), null);
  }

  consume(credit = Number.POSITIVE_INFINITY): QueueConsumer {
    const consumer = this.queue.attach(spec, this.sink);
    consumer.grant(credit);
    return consumer;
  }

  settle(outcome: Outcome, at: number): void {
    const delivery = this.held[at]!;
    delivery.consumer.settle(delivery, outcome);
  }

  advance(ms: number): void {
    this.clock.advanceSync(ms);
  }

  /** Ready, and expired so far. */
  get counts(): [ready: number, expired: number] {
    return [this.queue.readyCount, this.queue.statistics.dropped.expired];
  }

  take(): string[] {
    return this.got.splice(0);
  }
}

describe('the time at which a message expires', () => {
  const at = (expirationMs: number | undefined, ttlMs: number) => {
    const message = messageOf(address, 'x', expirationMs === undefined ? {} : { expirationMs });
    message.receivedAtMs = 1_000;
    return expiresAtMs(message, { ...noRules, ttlMs });
  };

  it('is that of the queue or its own, the lower', () => {
    expect(at(undefined, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(at(undefined, 50)).toBe(1_050);
    expect(at(20, Number.POSITIVE_INFINITY)).toBe(1_020);
    expect(at(20, 50)).toBe(1_020);
    expect(at(80, 50)).toBe(1_050);
    expect(at(0, 50)).toBe(1_000);
    expect(at(80, 0)).toBe(1_000);
  });
});

describe('expiry', () => {
  it("removes messages when the queue's time to live is over, and not before", () => {
    const scene = new Scene({ 'x-message-ttl': 1_000 });
    scene.publish('a');
    scene.advance(400);
    scene.publish('b');
    scene.advance(599);
    expect(scene.counts).toEqual([2, 0]);
    scene.advance(1);
    expect(scene.counts).toEqual([1, 1]);
    scene.advance(399);
    expect(scene.counts).toEqual([1, 1]);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 2]);
    expect([...scene.log.live.keys()]).toEqual([]);
    expect(scene.queue.readyBytes).toBe(0);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('removes the oldest message when its own time is over', () => {
    const scene = new Scene();
    scene.publish('a', 100);
    scene.publish('b');
    scene.advance(100);
    expect(scene.counts).toEqual([1, 1]);
    expect(getNow(scene.queue, null)!.message.body().toString()).toBe('b');
  });

  it('removes what expired behind a longer-lived message when it is the oldest, and never delivers it', () => {
    const scene = new Scene();
    scene.publish('long', 10_000);
    for (const body of 'abc') scene.publish(body, 100);
    scene.publish('d', 20_000);
    scene.publish('e', 100);
    scene.advance(500);
    expect(scene.counts).toEqual([6, 0]);
    scene.consume(1);
    expect(scene.take()).toEqual(['long']);
    // At the end of the turn at the latest.
    scene.advance(0);
    expect(scene.counts).toEqual([2, 3]);
    scene.consume(2);
    expect(scene.take()).toEqual(['d']);
    scene.advance(0);
    expect(scene.counts).toEqual([0, 4]);
  });

  it('finds the next deadline behind a message that has none', () => {
    const scene = new Scene();
    scene.publish('forever');
    scene.publish('a', 300);
    scene.advance(200);
    getNow(scene.queue, null);
    scene.advance(99);
    expect(scene.counts).toEqual([1, 0]);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 1]);
  });

  it('gives a message without time to live to a consumer that waits, and to nobody else', () => {
    const scene = new Scene();
    scene.publish('nobody', 0);
    expect(scene.counts).toEqual([0, 1]);
    expect(getNow(scene.queue, null)).toBeNull();
    const consumer = scene.consume(1);
    scene.publish('now', 0);
    scene.publish('too late', 0);
    expect([scene.take(), scene.counts]).toEqual([['now'], [0, 2]]);
    consumer.grant(5);
    expect(scene.take()).toEqual([]);
  });

  it('does the same for a queue whose time to live is 0', () => {
    const scene = new Scene({ 'x-message-ttl': 0 });
    scene.publish('nobody');
    scene.publish('nobody', 60_000);
    scene.consume(1);
    scene.publish('now');
    scene.publish('too late');
    expect([scene.take(), scene.counts]).toEqual([['now'], [0, 3]]);
  });

  it('never answers basic.get with what has expired', () => {
    const scene = new Scene();
    for (const body of 'abc') scene.publish(body, 100);
    scene.publish('d');
    scene.advance(100);
    scene.publish('e', 0);
    expect(getNow(scene.queue, null)!.message.body().toString()).toBe('d');
    expect(getNow(scene.queue, null)).toBeNull();
    expect(scene.counts).toEqual([0, 4]);
  });

  it('lets what is given back live as long as it was to live, and no longer', () => {
    const scene = new Scene({ 'x-message-ttl': 1_000 });
    scene.consume(3);
    for (const body of 'abc') scene.publish(body);
    scene.advance(500);
    scene.settle('release', 1);
    scene.advance(0);
    expect(scene.counts).toEqual([1, 0]);
    scene.advance(499);
    expect(scene.counts).toEqual([1, 0]);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 1]);
    // In a consumer's hands nothing expires; given back too late, it does.
    expect(scene.queue.unsettledCount).toBe(2);
    scene.settle('release', 0);
    scene.advance(0);
    expect([scene.counts, scene.take()]).toEqual([
      [0, 2],
      ['a', 'b', 'c'],
    ]);
    scene.settle('accept', 2);
    expect(scene.log.live.size).toBe(0);
  });

  it('ends the life of what was given to a consumer at once and comes back', () => {
    const scene = new Scene();
    const consumer = scene.consume(1);
    scene.publish('a', 100);
    consumer.detach();
    scene.advance(99);
    expect(scene.counts).toEqual([1, 0]);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 1]);
  });

  it('is not hurried by somebody who sets the clock', () => {
    const scene = new Scene({ 'x-message-ttl': 1_000 });
    scene.publish('a');
    scene.clock.jumpWall(86_400_000);
    scene.publish('b');
    scene.advance(999);
    expect(scene.counts).toEqual([2, 0]);
    scene.clock.jumpWall(-2 * 86_400_000);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 2]);
  });

  it('counts for what waits already when a policy says so, and no longer when it says so no more', () => {
    const scene = new Scene();
    scene.publish('a');
    scene.publish('b', 400);
    scene.advance(500);
    scene.publish('c');
    scene.queue.applyRules({ ...noRules, ttlMs: 600 });
    expect(scene.counts).toEqual([3, 0]);
    scene.advance(99);
    expect(scene.counts).toEqual([3, 0]);
    // The second had expired behind the first.
    scene.advance(1);
    expect(scene.counts).toEqual([1, 2]);
    scene.queue.applyRules(noRules);
    scene.advance(10_000);
    expect(scene.counts).toEqual([1, 2]);
    scene.queue.applyRules({ ...noRules, ttlMs: 600 });
    scene.advance(0);
    expect(scene.counts).toEqual([0, 3]);
  });

  it('needs no timer where nothing can expire, and one where a million can', () => {
    const scene = new Scene();
    for (let i = 0; i < 10; i++) scene.publish('x');
    scene.advance(0);
    expect([scene.clock.pendingTimers, scene.turn.deadlines.count]).toEqual([0, 0]);
    const other = new Scene({ 'x-message-ttl': 1_000 });
    for (let i = 0; i < 1_000; i++) other.publish('x', 500 + i);
    expect([other.clock.pendingTimers, other.turn.deadlines.count]).toEqual([1, 1]);
  });

  it('ends with the queue', () => {
    const scene = new Scene({ 'x-message-ttl': 1_000 });
    scene.publish('a');
    scene.queue.delete();
    expect(scene.turn.deadlines.count).toBe(0);
    scene.advance(2_000);
    expect(scene.queue.statistics.dropped.expired).toBe(0);
  });

  it('purged messages are not expired', () => {
    const scene = new Scene({ 'x-message-ttl': 1_000 });
    scene.publish('a');
    scene.queue.purge();
    scene.advance(500);
    scene.publish('b');
    scene.advance(999);
    expect(scene.counts).toEqual([1, 0]);
    scene.advance(1);
    expect(scene.counts).toEqual([0, 1]);
  });
});

describe('expiry of a backlog on disk', () => {
  const count = 5_000;

  function backlog(isHeld: boolean): Scene {
    const scene = new Scene({ 'x-message-ttl': 1_000 }, new Memory(20_000, 1_000_000));
    scene.log.pages.isHeld = isHeld;
    for (let i = 0; i < count; i++) scene.publish(`${i}`);
    expect(scene.queue.pagedCount).toBeGreaterThan(count * 0.98);
    return scene;
  }

  it('keeps the deadline of the oldest, which stays in memory', () => {
    const scene = backlog(true);
    scene.advance(999);
    expect(scene.counts).toEqual([count, 0]);
    scene.advance(1);
    expect(scene.queue.statistics.dropped.expired).toBeGreaterThan(0);
  });

  it('goes on with what is read, chunk after chunk', () => {
    const scene = backlog(true);
    scene.publish('young', 500_000);
    scene.advance(999);
    scene.publish('younger');
    for (let i = 0; i < 20; i++) {
      scene.advance(1);
      scene.log.pages.answer();
    }
    expect(scene.counts).toEqual([1, count + 1]);
    expect(scene.log.pages.reads).toBeGreaterThan(100);
    expect(getNow(scene.queue, null)!.message.body().toString()).toBe('younger');
  });

  it('answers a basic.get that waits for the disk with what has not expired', async () => {
    const scene = backlog(false);
    scene.advance(1_000);
    scene.publish('fresh');
    const got = await scene.queue.get(null);
    expect(got!.message.body().toString()).toBe('fresh');
    expect(scene.queue.statistics.dropped.expired).toBe(count);
  });

  it('gives consumers what has not expired', async () => {
    const scene = backlog(false);
    scene.advance(900);
    scene.publish('fresh');
    scene.advance(100);
    scene.consume();
    await scene.clock.advance(10);
    expect([scene.take(), scene.counts]).toEqual([['fresh'], [0, count]]);
  });
});

describe('expiry over a restart', () => {
  async function before(args: Arguments, expirationMs?: number) {
    const kit = await TopologyKit.open();
    const wish = { name: 'q', serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: args };
    const queue = await declareQueue(kit.topology, kit.vhost, wish);
    for (const body of ['a', 'b', 'c']) {
      const options = expirationMs === undefined ? { persistent: true } : { persistent: true, expirationMs };
      queue.enqueue(messageOf(address, body, options), null);
    }
    kit.logs.logs.get(queue.incarnation)!.commit();
    return kit;
  }
  const ready = (kit: TopologyKit) => kit.vhost.localQueue('q')!.readyCount;

  for (const [name, args, expirationMs] of [
    ['of the queue', { 'x-message-ttl': 10_000 }, undefined],
    ['of the message', {}, 10_000],
  ] as const) {
    it(`counts the time that passed meanwhile: the time to live ${name}`, async () => {
      const kit = await before(args, expirationMs);
      const next = await kit.restart(kit.logs.afterCrash(), 9_000);
      await next.platform.clock.advance(999);
      expect(ready(next)).toBe(3);
      await next.platform.clock.advance(1);
      expect(ready(next)).toBe(0);
      const late = await kit.restart(kit.logs.afterCrash(), 3_600_000);
      await late.platform.clock.advance(0);
      expect(ready(late)).toBe(0);
    });

    it(`never counts backwards: the time to live ${name}`, async () => {
      const kit = await before(args, expirationMs);
      const next = await kit.restart(kit.logs.afterCrash(), -3_600_000);
      await next.platform.clock.advance(9_999);
      expect(ready(next)).toBe(3);
      await next.platform.clock.advance(1);
      expect(ready(next)).toBe(0);
    });
  }

  it('reads nothing where nothing can expire, and the oldest alone where it has not', async () => {
    const kit = await before({});
    const next = await kit.restart(kit.logs.afterCrash(), 1_000);
    await next.platform.clock.advance(1_000);
    expect([ready(next), next.logs.reads]).toEqual([3, 0]);
    const mortal = await before({ 'x-message-ttl': 10_000 });
    const after = await mortal.restart(mortal.logs.afterCrash(), 1_000);
    await after.platform.clock.advance(1_000);
    expect([ready(after), after.vhost.localQueue('q')!.pagedCount]).toEqual([3, 2]);
  });
});
