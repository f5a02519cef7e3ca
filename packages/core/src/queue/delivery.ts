import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import type { Consumer, QueueConsumer } from './consumer.js';

/**
 * A message in a consumer's hands, until it is settled. Made only for consumers that acknowledge. The door keeps it under its own
 * delivery tag and hands it back to its consumer with the verdict.
 */
export interface Delivery {
  readonly consumer: Consumer;
  readonly position: Position;
  readonly redelivered: boolean;
}

/** A delivery of a queue of this node. The links belong to the consumer's list of what it holds. */
export class QueueDelivery implements Delivery {
  readonly consumer: QueueConsumer;
  readonly position: Position;
  readonly message: Message;
  readonly redelivered: boolean;
  /** When it was delivered, see `Turn.tenths`. */
  readonly since: number;
  settled = false;
  /** What stands in its place since its queue is mirrored. */
  heir: Delivery | null = null;
  previous: QueueDelivery | null = null;
  next: QueueDelivery | null = null;

  constructor(consumer: QueueConsumer, position: Position, message: Message, redelivered: boolean, since: number) {
    this.consumer = consumer;
    this.position = position;
    this.message = message;
    this.redelivered = redelivered;
    this.since = since;
  }
}

/** A consumer's verdict on a delivery; AMQP 1.0's outcomes cover ack, nack, requeue and MQTT's acknowledgements. */
export type Outcome = 'accept' | 'release' | 'reject';

/** Why a consumer was detached by the queue's side. */
export type DetachReason = 'queue-deleted' | 'consumer-timeout' | 'node-down' | 'fenced' | 'moved';

/** The door's side of a consumer. */
export interface DeliverySink {
  /**
   * Encodes the message for the peer, at once. `delivery` is null when the consumer does not acknowledge. Never calls back into the
   * queue. Returns false when the peer's pipe is full: nothing more is delivered until `Consumer.resume`.
   */
  deliver(consumer: Consumer, message: Message, redelivered: boolean, delivery: Delivery | null): boolean;
  /**
   * The queue let the consumer go. After `queue-deleted` and `node-down` what it held is void; after `consumer-timeout` what it held too long is ready
   * again, and it keeps the rest; after `fenced`, when the queue has a later owner than the consumer's, all that it held is ready again. After `moved`, which no door gets to see, another node leads the queue and knows what it holds. In all cases settling what it
   * holds no more does nothing.
   */
  detached(consumer: Consumer, why: DetachReason): void;
}
