import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { getNow, messageOf, queueAddress, queueProperties } from '../../../../test/support/core-kit.js';
import { Turn } from '../turn.js';
import type { ConsumerSpec, QueueConsumer } from './consumer.js';
import type { Delivery, DeliverySink, QueueDelivery } from './delivery.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';

const address = queueAddress('q');

class Scene {
  readonly clock = createSimPlatform(1).clock;
  readonly turn = new Turn(this.clock);
  readonly queue = new Queue(this.turn, new Persist(this.turn, new ControlledLogs()), queueProperties('q'), null);
  /** `tag:body`, a star when redelivered. */
  readonly got: string[] = [];
  readonly held: Delivery[] = [];
  /** How many deliveries each pipe still takes, by tag. */
  readonly room = new Map<string, number>();
  readonly detached: string[] = [];
  readonly sink: DeliverySink = {
    deliver: (consumer, message, redelivered, delivery) => {
      const { tag } = consumer.spec;
      this.got.push(`${tag}:${message.body()}${redelivered ? '*' : ''}`);
      if (delivery !== null) this.held.push(delivery);
      const room = (this.room.get(tag) ?? Number.POSITIVE_INFINITY) - 1;
      this.room.set(tag, room);
      return room > 0;
    },
    detached: (consumer, why) => this.detached.push(`${consumer.spec.tag} ${why}`),
  };

  consume(tag: string, credit = Number.POSITIVE_INFINITY, more: Partial<ConsumerSpec> = {}): QueueConsumer {
    const spec = { tag, acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null, ...more };
    const consumer = this.queue.attach(spec, this.sink);
    consumer.grant(credit);
    return consumer;
  }

  publish(...bodies: string[]): void {
    for (const body of bodies) this.queue.enqueue(messageOf(address, body), null);
  }

  settle(outcome: 'accept' | 'release' | 'reject', ...at: number[]): void {
    for (const delivery of at.map((each) => this.held[each]!)) delivery.consumer.settle(delivery, outcome);
  }

  take(): string[] {
    return this.got.splice(0);
  }

  end(): string[] {
    this.clock.scheduler.runUntilIdleSync();
    return this.take();
  }
}

describe('queue', () => {
  it('delivers in order, in turn, in the same turn of the event loop', () => {
    const scene = new Scene();
    for (const tag of ['a', 'b', 'c']) scene.consume(tag);
    scene.publish(...'1234567');
    expect(scene.take()).toEqual(['a:1', 'b:2', 'c:3', 'a:4', 'b:5', 'c:6', 'a:7']);
  });

  it('delivers a backlog in order, in turn among those that come with equal credit', () => {
    const scene = new Scene();
    scene.publish(...Array.from({ length: 100 }, (_, i) => `${i}`));
    const consumers = ['a', 'b', 'c', 'd'].map((tag) => scene.consume(tag, 1));
    expect(scene.take()).toEqual(['a:0', 'b:1', 'c:2', 'd:3']);
    for (let i = 0; i < 24; i++) {
      scene.settle('accept', ...consumers.map((_, at) => i * 4 + at));
      for (const consumer of consumers) consumer.grant(1);
    }
    const byTag = new Map<string, number>();
    for (const { consumer } of scene.held) byTag.set(consumer.spec.tag, (byTag.get(consumer.spec.tag) ?? 0) + 1);
    expect([...byTag.values()]).toEqual([25, 25, 25, 25]);
    expect(scene.held.map((held) => Number((held as QueueDelivery).message.body()))).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  it('serves a higher priority first while that has credit', () => {
    const scene = new Scene();
    scene.consume('low', 2, { priority: -1 });
    scene.consume('high', 2, { priority: 10 });
    scene.consume('middle', 1);
    scene.publish(...'123456');
    expect(scene.take()).toEqual(['high:1', 'high:2', 'middle:3', 'low:4', 'low:5']);
    expect(scene.queue.readyCount).toBe(1);
  });

  for (const priority of [Number.NaN, Number.POSITIVE_INFINITY, 1.5, '5', null, true]) {
    it(`refuses a consumer whose x-priority is ${JSON.stringify(priority)} (${priority})`, () => {
      const scene = new Scene();
      const more = { priority: typeof priority === 'number' ? priority : 0, arguments: { 'x-priority': priority } };
      expect(() => scene.consume('c', 1, more)).toThrow(
        `PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': expected an integer, got '${priority}'`,
      );
      expect(scene.queue.consumers.size).toBe(0);
    });
  }

  it('puts what is given back where it stood, flagged, before it delivers any of it', () => {
    const scene = new Scene();
    const first = scene.consume('a', 3);
    scene.publish(...'12345');
    scene.consume('b', 10);
    expect(scene.take()).toEqual(['a:1', 'a:2', 'a:3', 'b:4', 'b:5']);
    // A nack of many, newest first, and one of another consumer between them.
    scene.settle('release', 2, 4, 0);
    scene.settle('accept', 1);
    first.grant(3);
    expect(scene.take()).toEqual([]);
    // Whoever publishes or comes meanwhile waits behind.
    scene.publish('6');
    scene.consume('c', 1);
    expect(scene.end()).toEqual(['b:1*', 'a:3*', 'c:5*', 'b:6']);
  });

  it('lets a get take the oldest, also what was given back in this turn', () => {
    const scene = new Scene();
    scene.consume('a', 2);
    scene.publish(...'123');
    scene.settle('release', 1);
    const got = getNow(scene.queue, null)!;
    expect([got.message.body().toString(), got.redelivered, got.delivery]).toEqual(['2', true, null]);
    expect(getNow(scene.queue, null)!.redelivered).toBe(false);
    expect(getNow(scene.queue, null)).toBeNull();
    expect(scene.end()).toEqual(['a:1', 'a:2']);
  });

  it('waits with a consumer whose pipe is full, and goes on when that has room', () => {
    const scene = new Scene();
    scene.room.set('slow', 2);
    const slow = scene.consume('slow');
    scene.publish(...'1234');
    expect(scene.take()).toEqual(['slow:1', 'slow:2']);
    slow.grant(5);
    expect(scene.take()).toEqual([]);
    scene.room.set('slow', 1);
    slow.resume();
    expect(scene.take()).toEqual(['slow:3']);
    // Others take over meanwhile.
    scene.consume('quick');
    expect(scene.take()).toEqual(['quick:4']);
  });

  it('gives everything back of a consumer that is gone, and nothing of one that was only stopped', () => {
    const scene = new Scene();
    const [stopped, gone] = [scene.consume('stopped', 2), scene.consume('gone', 2)];
    scene.publish(...'1234');
    stopped.stop();
    gone.detach();
    expect([scene.queue.readyCount, scene.queue.unsettledCount]).toEqual([2, 2]);
    scene.settle('accept', 0);
    scene.settle('release', 2);
    // Verdicts that come too late.
    scene.settle('accept', 1, 3);
    scene.settle('accept', 0);
    expect([scene.queue.readyCount, scene.queue.unsettledCount]).toEqual([3, 0]);
    scene.take();
    scene.consume('next');
    expect(scene.end()).toEqual(['next:2*', 'next:3*', 'next:4*']);
  });

  it('counts messages and bytes, waiting and held', () => {
    const scene = new Scene();
    const counts = () => {
      const { readyCount, readyBytes, unsettledCount, unsettledBytes } = scene.queue;
      return [readyCount, readyBytes, unsettledCount, unsettledBytes];
    };
    scene.publish('a', 'bb', 'ccc', '');
    expect(counts()).toEqual([4, 6, 0, 0]);
    scene.consume('c', 2);
    expect(counts()).toEqual([2, 3, 2, 3]);
    scene.settle('release', 1);
    expect(counts()).toEqual([3, 5, 1, 1]);
    expect(scene.queue.purge()).toBe(3);
    expect(counts()).toEqual([0, 0, 1, 1]);
    scene.settle('reject', 0);
    expect(counts()).toEqual([0, 0, 0, 0]);
    expect(scene.queue.purge()).toBe(0);
    expect({ ...scene.queue.statistics }).toEqual({
      published: 4,
      refused: 0,
      delivered: 2,
      deliveredSettled: 0,
      got: 0,
      gotSettled: 0,
      getEmpty: 0,
      redelivered: 0,
      settled: 1,
      requeued: 1,
      purged: 3,
      dropped: { rejected: 1, expired: 0, maxlen: 0, delivery_limit: 0 },
    });
  });
});

describe('a long backlog', () => {
  /** The first portion may make up for what came in since the last one; the others are small. */
  const firstMax = 4_096 + 65_536;

  it('goes out in several turns, in order, and others have theirs between', () => {
    const scene = new Scene();
    const count = 90_000;
    scene.publish(...Array.from({ length: count }, (_, i) => `${i}`));
    const portions: number[] = [];
    const look = () => {
      const taken = scene.take().length;
      portions.push(taken);
      if (taken > 0) scene.clock.endOfTurn(look);
    };
    scene.consume('c');
    look();
    // Somebody who comes while it goes on waits for the next portion, and gets its share from there on.
    scene.consume('d');
    scene.publish('last');
    scene.clock.scheduler.runUntilIdleSync();
    expect(portions[0]).toBe(firstMax);
    expect(Math.max(...portions.slice(1))).toBeLessThanOrEqual(4_096 + 2);
    expect(portions.reduce((sum, each) => sum + each)).toBe(count + 1);
    expect(scene.held.map((held) => (held as QueueDelivery).message.body().toString())).toEqual([
      ...Array.from({ length: count }, (_, i) => `${i}`),
      'last',
    ]);
    const shares = ['c', 'd'].map((tag) => scene.held.filter(({ consumer }) => consumer.spec.tag === tag).length);
    expect(shares[0]! - shares[1]!).toBeGreaterThanOrEqual(firstMax - 1);
    expect(shares[0]! - shares[1]!).toBeLessThanOrEqual(firstMax + 1);
  });

  it('that is given back while it goes out keeps its order', () => {
    const scene = new Scene();
    scene.publish(...Array.from({ length: 80_000 }, (_, i) => `${i}`));
    const first = scene.consume('first', 40_000);
    first.detach();
    scene.take();
    scene.consume('next');
    expect(scene.end().map((each) => Number.parseInt(each.slice(5), 10))).toEqual(
      Array.from({ length: 80_000 }, (_, i) => i),
    );
  });

  it('ends with its queue', () => {
    const scene = new Scene();
    scene.publish(...Array.from({ length: 80_000 }, (_, i) => `${i}`));
    scene.consume('c');
    scene.queue.delete();
    expect(scene.end()).toHaveLength(firstMax);
  });
});

describe('exclusive consumers', () => {
  it('come alone and stay alone', () => {
    const scene = new Scene();
    const first = scene.consume('first');
    expect(() => scene.consume('x', 1, { exclusive: true })).toThrow(
      "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    );
    expect(scene.queue.roster.exclusive).toBeNull();
    first.stop();
    const alone = scene.consume('x', 1, { exclusive: true });
    expect(scene.queue.roster.exclusive).not.toBeNull();
    expect(() => scene.consume('y')).toThrow('in exclusive use');
    expect(() => scene.consume('y', 1, { exclusive: true })).toThrow('in exclusive use');
    alone.detach();
    scene.consume('y');
    expect(scene.queue.roster.exclusive).toBeNull();
  });

  it('do not keep get from taking', () => {
    const scene = new Scene();
    scene.consume('x', 0, { exclusive: true });
    scene.publish('1');
    expect(getNow(scene.queue, null)!.message.body().toString()).toBe('1');
  });
});

describe('a queue that is deleted', () => {
  it('tells its consumers once, and forgets all that it had', () => {
    const scene = new Scene();
    const [a, b] = [scene.consume('a', 1), scene.consume('b', 1)];
    const stopped = scene.consume('stopped', 1);
    scene.publish(...'12345');
    stopped.stop();
    let unused = 0;
    scene.queue.onUnused = () => unused++;
    scene.queue.delete();
    scene.queue.delete();
    expect(scene.detached).toEqual(['a queue-deleted', 'b queue-deleted']);
    expect([scene.queue.readyCount, scene.queue.readyBytes, scene.queue.consumers.size, unused]).toEqual([0, 0, 0, 0]);
    expect([a.activity, b.activity, a.heldCount]).toEqual(['waiting', 'waiting', 0]);
    scene.take();
    // Whatever still comes does nothing.
    for (const consumer of [a, b, stopped]) {
      consumer.grant(5);
      consumer.resume();
      consumer.stop();
      consumer.detach();
    }
    scene.settle('release', 0, 1, 2);
    expect(scene.end()).toEqual([]);
    expect(scene.queue.readyCount).toBe(0);
  });

  it('keeps no consumer or owner alive for those who still know it', () => {
    const scene = new Scene();
    const owner = {};
    const properties = queueProperties('q', { owner });
    const queue = new Queue(scene.turn, new Persist(scene.turn, new ControlledLogs()), properties, null);
    const spec = { tag: '', acknowledges: false, exclusive: true, priority: 0, arguments: {}, window: null };
    const consumer = queue.attach(spec, scene.sink);
    consumer.grant(1);
    queue.delete();
    const reachable = new Set<unknown>();
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || reachable.has(value) || value === scene.turn) return;
      reachable.add(value);
      for (const inner of value instanceof Set || value instanceof Map ? value.values() : Object.values(value))
        walk(inner);
    };
    walk(queue);
    expect(reachable.has(queue.properties)).toBe(true);
    expect(reachable.has(owner)).toBe(false);
    expect(reachable.has(consumer)).toBe(false);
    expect(reachable.has(scene.sink)).toBe(false);
  });

  it('has nothing to deliver when the end of the turn comes', () => {
    const scene = new Scene();
    scene.consume('a', 1);
    scene.publish('1', '2');
    scene.settle('release', 0);
    scene.queue.delete();
    expect(scene.end()).toEqual(['a:1']);
  });
});

describe('the last consumer', () => {
  it('is missed once, when it goes, whichever way', () => {
    for (const end of ['stop', 'detach'] as const) {
      const scene = new Scene();
      let unused = 0;
      scene.queue.onUnused = () => unused++;
      const [a, b] = [scene.consume('a'), scene.consume('b')];
      a[end]();
      a[end]();
      expect(unused).toBe(0);
      b[end]();
      b[end]();
      expect(unused).toBe(1);
    }
  });

  it('is not somebody who takes with get', () => {
    const scene = new Scene();
    let unused = 0;
    scene.queue.onUnused = () => unused++;
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const holder = scene.queue.holder(spec, scene.sink);
    scene.publish('1');
    scene.queue.get(holder);
    expect([scene.queue.consumers.size, holder.heldCount]).toEqual([0, 1]);
    holder.detach();
    expect([unused, scene.queue.readyCount]).toEqual([0, 1]);
  });
});
