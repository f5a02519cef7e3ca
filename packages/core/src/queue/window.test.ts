import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from '../../../../test/support/core-kit.js';
import { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { Delivery, DeliverySink } from './delivery.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';
import { Window } from './window.js';

const address = queueAddress('q');

/** Queues, and consumers that share windows as those of a channel do. */
class Channel {
  readonly clock = createSimPlatform(1).clock;
  readonly turn = new Turn(this.clock);
  readonly window: Window;
  /** Bodies in the order of their deliveries, by consumer tag. */
  readonly got: string[] = [];
  held: Delivery[] = [];
  private readonly sink: DeliverySink = {
    deliver: (consumer, message, redelivered, delivery) => {
      this.got.push(`${consumer.spec.tag}:${message.body()}${redelivered ? '*' : ''}`);
      if (delivery !== null) this.held.push(delivery);
      return true;
    },
    detached: () => undefined,
  };

  constructor(limit: number) {
    this.window = new Window(limit);
  }

  queue(name: string): Queue {
    return new Queue(this.turn, new Persist(this.turn, new ControlledLogs()), queueProperties(name), null);
  }

  consume(queue: Queue, tag: string, credit = Number.POSITIVE_INFINITY, acknowledges = true): QueueConsumer {
    const spec = { tag, acknowledges, exclusive: false, priority: 0, arguments: {}, window: this.window };
    const consumer = queue.attach(spec, this.sink);
    consumer.grant(credit);
    return consumer;
  }

  publish(queue: Queue, ...bodies: string[]): void {
    for (const body of bodies) queue.enqueue(messageOf(address, body), null);
  }

  settle(outcome: 'accept' | 'release', count = Number.POSITIVE_INFINITY): void {
    for (const delivery of this.held.splice(0, count)) delivery.consumer.settle(delivery, outcome);
  }

  end(): void {
    this.clock.scheduler.runUntilIdleSync();
  }

  /** What was delivered since the last call. */
  take(): string[] {
    return this.got.splice(0);
  }

  get waiting(): number {
    return (this.window as unknown as { waiting: Set<unknown> }).waiting.size;
  }
}

describe('window', () => {
  it('bounds what several consumers of several queues hold together', () => {
    const channel = new Channel(3);
    const [a, b] = [channel.queue('a'), channel.queue('b')];
    channel.consume(a, 'a');
    channel.consume(b, 'b');
    channel.publish(a, '1', '2');
    channel.publish(b, '3', '4', '5');
    channel.publish(a, '6');
    expect(channel.take()).toEqual(['a:1', 'a:2', 'b:3']);
    channel.settle('accept', 1);
    expect(channel.held).toHaveLength(3);
    channel.settle('accept');
    channel.settle('accept');
    expect(channel.take().sort()).toEqual(['a:6', 'b:4', 'b:5']);
    expect([a.readyCount, b.readyCount, a.unsettledCount, b.unsettledCount]).toEqual([0, 0, 0, 0]);
  });

  it('wakes those that wait in the order in which they came', () => {
    const channel = new Channel(0);
    const queues = ['a', 'b', 'c'].map((name) => channel.queue(name));
    for (const queue of queues) {
      channel.consume(queue, queue.name);
      channel.publish(queue, '1', '2');
    }
    expect(channel.take()).toEqual([]);
    channel.window.setLimit(1);
    for (let i = 0; i < 5; i++) channel.settle('accept', 1);
    expect(channel.take()).toEqual(['a:1', 'b:1', 'c:1', 'a:2', 'b:2', 'c:2']);
  });

  it('lowered, lets what is held be settled first; lifted, lets everything through', () => {
    const channel = new Channel(4);
    const queue = channel.queue('q');
    channel.consume(queue, 'c');
    channel.publish(queue, ...'123456789');
    channel.window.setLimit(2);
    channel.settle('accept', 2);
    expect(channel.take()).toEqual(['c:1', 'c:2', 'c:3', 'c:4']);
    channel.settle('accept', 1);
    expect(channel.take()).toEqual(['c:5']);
    channel.window.setLimit(Number.POSITIVE_INFINITY);
    expect(channel.take()).toEqual(['c:6', 'c:7', 'c:8', 'c:9']);
  });

  it('does not hold for consumers that do not acknowledge (AMQP 0-9-1 basic.qos)', () => {
    const channel = new Channel(1);
    const queue = channel.queue('q');
    channel.consume(queue, 'ack');
    channel.publish(queue, '1', '2');
    expect(channel.take()).toEqual(['ack:1']);
    channel.consume(queue, 'no-ack', Number.POSITIVE_INFINITY, false);
    channel.publish(queue, '3');
    expect(channel.take()).toEqual(['no-ack:2', 'no-ack:3']);
  });

  it('what is given back stands before what waits, though giving it back opens the window', () => {
    const channel = new Channel(3);
    const queue = channel.queue('q');
    channel.consume(queue, 'c');
    channel.consume(queue, 'd');
    channel.publish(queue, ...'12345');
    channel.take();
    // A nack of many, then the end of the turn.
    channel.settle('release');
    channel.end();
    expect(channel.take().map((each) => each.slice(2))).toEqual(['1*', '2*', '3*']);
  });

  it('gives the places of a deleted queue to the others', () => {
    const channel = new Channel(3);
    const [a, b] = [channel.queue('a'), channel.queue('b')];
    channel.consume(a, 'a1');
    channel.consume(a, 'a2');
    channel.consume(b, 'b');
    channel.publish(a, '1', '2', '3', '4');
    channel.publish(b, '5', '6', '7', '8');
    channel.take();
    a.delete();
    expect(channel.take()).toEqual(['b:5', 'b:6', 'b:7']);
    // Verdicts on what was held of it come late, and change nothing.
    channel.settle('accept', 3);
    expect(channel.take()).toEqual([]);
    expect([a.readyCount, a.readyBytes, a.unsettledCount]).toEqual([0, 0, 3]);
    channel.settle('accept');
    expect(channel.take()).toEqual(['b:8']);
  });

  it('remembers nobody twice, and nobody who has gone', () => {
    const channel = new Channel(1);
    const queue = channel.queue('q');
    const first = channel.consume(queue, 'first');
    channel.publish(queue, ...Array.from({ length: 300 }, (_, i) => `${i}`));
    for (let i = 0; i < 100; i++) {
      // Credit that comes while the window is closed, as after each settlement of a consumer with a prefetch of its own.
      first.grant(1);
      first.resume();
      channel.consume(queue, `passing ${i}`).detach();
    }
    expect(channel.waiting).toBe(1);
    for (let i = 0; i < 100; i++) channel.settle('accept', 1);
    expect(channel.waiting).toBe(1);
    first.detach();
    channel.end();
    expect(channel.waiting).toBe(0);
    expect(queue.readyCount).toBe(200);
  });

  it('closed, with credit of their own, nobody takes more than both allow', () => {
    const channel = new Channel(2);
    const queue = channel.queue('q');
    const [a, b] = [channel.consume(queue, 'a', 1), channel.consume(queue, 'b', 5)];
    channel.publish(queue, ...'123456789');
    for (let i = 0; i < 20; i++) {
      expect(a.heldCount).toBeLessThanOrEqual(1);
      expect(a.heldCount + b.heldCount).toBeLessThanOrEqual(2);
      const [delivery] = channel.held.splice(i % 2, 1);
      if (delivery === undefined) continue;
      delivery.consumer.settle(delivery, 'accept');
      delivery.consumer.grant(1);
    }
    expect(channel.take().map((each) => each.slice(2))).toEqual([...'123456789']);
  });
});
