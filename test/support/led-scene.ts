import type { Arguments, ConfirmSlot, Delivery, Outcome, QueueConsumer, QueueDelivery } from '@chapar/core';
import { Memory, Queue, Turn, unboundedMemory } from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { Persist } from '../../packages/core/src/queue/persist.js';
import { ControlledLogs } from './controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from './core-kit.js';
import { LedLog } from './led-log.js';

const address = queueAddress('q');
const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

/** A mirrored queue on the node that leads it, from one leader to the next. */
export class LedScene {
  readonly clock = createSimPlatform(1).clock;
  readonly turn = new Turn(this.clock);
  log = new LedLog();
  queue: Queue;
  readonly told: string[] = [];
  readonly got: string[] = [];
  readonly held: Delivery[] = [];
  readonly detached: string[] = [];
  memory: Memory;
  private readonly args: Arguments;
  private readonly tiny: boolean;

  /** `tiny`: the next leaders have room for a few messages in memory. */
  constructor(args: Arguments = {}, memory = unboundedMemory(), tiny = true) {
    this.tiny = tiny;
    this.args = args;
    this.memory = memory;
    this.queue = this.open(memory);
  }

  private open(memory: Memory): Queue {
    const properties = queueProperties('q', { durable: true, autoDelete: true, arguments: this.args });
    return new Queue(this.turn, new Persist(this.turn, new ControlledLogs()), properties, this.log, memory);
  }

  /** The lead passes on; what was logged up to `upTo` is there. */
  succeed(upTo?: number): void {
    this.queue.dissolve();
    this.log = this.log.succeed(upTo);
    this.memory = this.tiny ? new Memory(1_100, 2_000) : unboundedMemory();
    this.queue = this.open(this.memory);
    this.queue.recover(this.log.state());
  }

  /** What the consumer has now of what it says it had; null: nobody has answered. */
  claim(consumer: QueueConsumer, ...positions: number[]): { deliveries: readonly QueueDelivery[] | null } {
    const claim: { deliveries: readonly QueueDelivery[] | null } = { deliveries: null };
    this.queue.claim(consumer, positions, (deliveries) => (claim.deliveries = deliveries));
    return claim;
  }

  publish(...bodies: string[]): void {
    for (const body of bodies) {
      const slot = {
        committed: () => this.told.push(`${body} committed`),
        refused: (why: string) => this.told.push(`${body} ${why}`),
      } as unknown as ConfirmSlot;
      // As transient ones: a mirrored queue logs them, too.
      this.queue.enqueue(messageOf(address, body), slot);
    }
  }

  consume(more: object = {}): QueueConsumer {
    const sink = {
      deliver: (_consumer: unknown, message: { body(): Buffer }, redelivered: boolean, delivery: Delivery | null) => {
        this.got.push(`${message.body()}${redelivered ? '*' : ''}`);
        if (delivery !== null) this.held.push(delivery);
        return true;
      },
      detached: (_consumer: unknown, why: string) => this.detached.push(why),
    };
    const consumer = this.queue.attach({ ...spec, ...more }, sink);
    consumer.grant(Number.POSITIVE_INFINITY);
    return consumer;
  }

  settle(outcome: Outcome, delivery = this.held.shift()!): void {
    delivery.consumer.settle(delivery, outcome);
  }

  async end(): Promise<void> {
    await this.clock.advance(0);
  }
}
