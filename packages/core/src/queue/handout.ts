import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import type { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import { QueueDelivery } from './delivery.js';
import type { Exit } from './exit.js';
import type { Got } from './got.js';
import type { Paging } from './paging.js';
import type { ReadyMessages } from './ready-messages.js';
import type { QueueStatistics } from './statistics.js';
import type { Timing } from './timing.js';

export interface HandoutParts {
  readonly turn: Turn;
  readonly statistics: QueueStatistics;
  readonly ready: ReadyMessages;
  readonly paging: Paging;
  readonly exit: Exit;
  readonly timing: Timing;
}

/** The way of a queue's messages into somebody's hands, and how much is there. */
export class Handout {
  /** Given out and not settled: how many, and the bytes of their bodies. */
  count = 0;
  bytes = 0;
  private readonly turn: Turn;
  private readonly statistics: QueueStatistics;
  private readonly ready: ReadyMessages;
  private readonly paging: Paging;
  private readonly exit: Exit;
  private readonly timing: Timing;

  constructor({ turn, statistics, ready, paging, exit, timing }: HandoutParts) {
    this.turn = turn;
    this.statistics = statistics;
    this.ready = ready;
    this.paging = paging;
    this.exit = exit;
    this.timing = timing;
  }

  deliver(consumer: QueueConsumer, position: Position, message: Message, redelivered: boolean): void {
    const statistics = this.statistics;
    let shown = message;
    if (redelivered) {
      statistics.redelivered++;
      shown = this.exit.shown(position, message);
    }
    if (!consumer.spec.acknowledges) {
      statistics.deliveredSettled++;
      const more = consumer.sink.deliver(consumer, shown, redelivered, null);
      this.exit.gone(position, message, true);
      if (!more) consumer.pause();
      return;
    }
    message.keep();
    statistics.delivered++;
    const delivery = this.hold(consumer, position, message, redelivered);
    if (!consumer.sink.deliver(consumer, shown, redelivered, delivery)) consumer.pause();
  }

  /** From now on it is in the consumer's hands. */
  hold(consumer: QueueConsumer, position: Position, message: Message, redelivered: boolean): QueueDelivery {
    const delivery = new QueueDelivery(consumer, position, message, redelivered, this.turn.tenths);
    this.count++;
    this.bytes += message.bodyBytes;
    consumer.hold(delivery);
    this.timing.timeout?.holds(consumer);
    return delivery;
  }

  /** It is in nobody's hands any more. */
  letGo(delivery: QueueDelivery): void {
    delivery.consumer.letGo(delivery);
    this.count--;
    this.bytes -= delivery.message.bodyBytes;
  }

  /** The oldest, which is in memory, for somebody who asked for it. */
  get(holder: QueueConsumer | null): Got {
    const { ready, statistics } = this;
    const position = ready.headPosition;
    const redelivered = ready.headRedelivered;
    const own = ready.shift();
    this.timing.expiry?.takeDue();
    this.paging.fill();
    if (redelivered) statistics.redelivered++;
    const message = redelivered ? this.exit.shown(position, own) : own;
    if (holder === null) {
      statistics.gotSettled++;
      this.exit.gone(position, own, true);
      return { message, redelivered, delivery: null, ready: ready.length };
    }
    statistics.got++;
    return { message, redelivered, delivery: this.hold(holder, position, own, redelivered), ready: ready.length };
  }
}
