import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { getNow, messageOf, queueAddress, queueProperties } from '../../../../test/support/core-kit.js';
import type { Arguments } from '../arguments.js';
import { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { Delivery, DeliverySink, QueueDelivery } from './delivery.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';
import { noRules } from './rules.js';

const address = queueAddress('q');

class Scene {
  readonly clock = createSimPlatform(1).clock;
  readonly turn = new Turn(this.clock);
  readonly queue: Queue;
  /** `tag:body`, a star when redelivered. */
  readonly got: string[] = [];
  readonly held: Delivery[] = [];
  readonly detached: string[] = [];
  readonly sink: DeliverySink = {
    deliver: (consumer, message, redelivered, delivery) => {
      this.got.push(`${consumer.spec.tag}:${message.body()}${redelivered ? '*' : ''}`);
      if (delivery !== null) this.held.push(delivery);
      return true;
    },
    detached: (consumer, why) => this.detached.push(`${consumer.spec.tag} ${why}`),
  };

  constructor(args: Arguments = { 'x-consumer-timeout': 1_000 }) {
    const properties = queueProperties('q', { arguments: args });
    this.queue = new Queue(this.turn, new Persist(this.turn, new ControlledLogs()), properties, null);
  }

  private spec(tag: string, args: Arguments) {
    return { tag, acknowledges: true, exclusive: false, priority: 0, arguments: args, window: null };
  }

  consume(tag: string, credit = 10, args: Arguments = {}): QueueConsumer {
    const consumer = this.queue.attach(this.spec(tag, args), this.sink);
    consumer.grant(credit);
    return consumer;
  }

  holder(): QueueConsumer {
    return this.queue.holder(this.spec('get', {}), this.sink);
  }

  publish(...bodies: string[]): void {
    for (const body of bodies) this.queue.enqueue(messageOf(address, body), null);
  }

  settle(at: number): void {
    const delivery = this.held[at]!;
    delivery.consumer.settle(delivery, 'accept');
  }

  advance(ms: number): void {
    this.clock.advanceSync(ms);
  }

  take(): string[] {
    return this.got.splice(0);
  }

  get counts(): [ready: number, unsettled: number] {
    return [this.queue.readyCount, this.queue.unsettledCount];
  }
}

describe('a consumer that holds messages too long', () => {
  it('loses those, and is cancelled; others get them, flagged', () => {
    const scene = new Scene();
    scene.consume('slow', 2);
    scene.publish('a');
    scene.advance(500);
    scene.publish('b');
    scene.consume('other');
    scene.advance(499);
    expect([scene.take(), scene.detached]).toEqual([['slow:a', 'slow:b'], []]);
    scene.advance(1);
    expect([scene.take(), scene.detached]).toEqual([['other:a*'], ['slow consumer-timeout']]);
    expect([...scene.queue.consumers].map(({ spec }) => spec.tag)).toEqual(['other']);
    // What it holds within its time stays with it, until that is over too.
    expect(scene.counts).toEqual([0, 2]);
    scene.settle(2);
    scene.advance(500);
    expect(scene.take()).toEqual(['other:b*']);
  });

  it('may settle late: nothing happens', () => {
    const scene = new Scene();
    scene.consume('slow', 1);
    scene.publish('a');
    scene.advance(1_000);
    expect(scene.counts).toEqual([1, 0]);
    scene.settle(0);
    expect([scene.counts, scene.queue.statistics.settled]).toEqual([[1, 0], 0]);
    scene.consume('next', 1);
    expect(scene.take()).toEqual(['slow:a', 'next:a*']);
  });

  it('is left alone when it settles in time, however long it goes on', () => {
    const scene = new Scene();
    scene.consume('fast', 100);
    for (let i = 0; i < 20; i++) {
      scene.publish(`${i}`);
      scene.advance(900);
      scene.settle(i);
    }
    scene.advance(10_000);
    expect([scene.detached, scene.queue.statistics.settled]).toEqual([[], 20]);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('is found by the tenth of a second, not before its time', () => {
    const scene = new Scene();
    scene.advance(37);
    scene.consume('slow', 1);
    scene.publish('a');
    scene.advance(999);
    expect(scene.detached).toEqual([]);
    scene.advance(100);
    expect(scene.detached).toEqual(['slow consumer-timeout']);
  });

  it('keeps its own limit, which counts instead of the queue’s', () => {
    const scene = new Scene();
    scene.consume('patient', 1, { 'x-consumer-timeout': 5_000 });
    scene.consume('hasty', 1, { 'x-consumer-timeout': 200 });
    scene.consume('for ever', 1, { 'x-consumer-timeout': 0 });
    scene.consume('ordinary', 1);
    scene.publish(...'abcd');
    scene.advance(200);
    expect(scene.detached).toEqual(['hasty consumer-timeout']);
    scene.advance(800);
    expect(scene.detached.slice(1)).toEqual(['ordinary consumer-timeout']);
    scene.advance(4_000);
    expect(scene.detached.slice(2)).toEqual(['patient consumer-timeout']);
    scene.advance(1_000_000);
    expect([scene.detached.length, scene.counts]).toEqual([3, [3, 1]]);
  });

  it('may have a limit where its queue has none', () => {
    const scene = new Scene({});
    scene.consume('free', 1);
    scene.consume('bound', 1, { 'x-consumer-timeout': 300 });
    scene.publish('a', 'b');
    scene.advance(10_000);
    expect([scene.detached, scene.counts]).toEqual([['bound consumer-timeout'], [1, 1]]);
  });

  for (const timeout of [-1, 1.5, '5', true]) {
    it(`is refused with the limit ${JSON.stringify(timeout)}`, () => {
      const scene = new Scene();
      expect(() => scene.consume('c', 1, { 'x-consumer-timeout': timeout })).toThrow(
        `PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': expected an integer of at least 0, got '${timeout}'`,
      );
    });
  }

  it('is not looked for where a limit of 0 says that there is none', () => {
    const scene = new Scene({ 'x-consumer-timeout': 0 });
    scene.consume('c', 1);
    scene.publish('a');
    expect(scene.clock.pendingTimers).toBe(0);
    scene.advance(1_000_000);
    expect(scene.detached).toEqual([]);
  });

  it('loses what it took with basic.get, and what it held when it was cancelled', () => {
    const scene = new Scene();
    scene.publish('a', 'b');
    const got = getNow(scene.queue, scene.holder())!;
    scene.consume('c', 1).stop();
    scene.advance(1_000);
    expect(scene.counts).toEqual([2, 0]);
    expect((got.delivery as QueueDelivery).settled).toBe(true);
    expect(getNow(scene.queue, null)!.redelivered).toBe(true);
  });

  it('is found when a policy says so, from when it took what it holds', () => {
    const scene = new Scene({});
    scene.consume('c', 1);
    scene.publish('a');
    scene.advance(5_000);
    scene.queue.applyRules({ ...noRules, consumerTimeoutMs: 6_000 });
    scene.advance(999);
    expect(scene.detached).toEqual([]);
    scene.advance(1);
    expect(scene.detached).toEqual(['c consumer-timeout']);
  });

  it('says since when it holds its oldest', () => {
    const scene = new Scene({});
    const consumer = scene.consume('c', 5);
    expect(consumer.oldestHeldSince).toBe(-1);
    scene.advance(1_200);
    scene.publish('a');
    scene.advance(700);
    scene.publish('b');
    expect(consumer.oldestHeldSince).toBe(12);
    scene.settle(0);
    expect(scene.turn.nowMs - scene.turn.timeOf(consumer.oldestHeldSince)).toBe(0);
  });

  it('is forgotten with its queue', () => {
    const scene = new Scene();
    scene.consume('c', 1);
    scene.publish('a');
    scene.queue.delete();
    expect(scene.detached).toEqual(['c queue-deleted']);
    scene.advance(10_000);
    expect([scene.detached.length, scene.clock.pendingTimers]).toEqual([1, 0]);
  });
});
