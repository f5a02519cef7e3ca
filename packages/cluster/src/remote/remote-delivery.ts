import type { Consumer, Delivery, Position } from '@chapar/core';
import type { RemoteConsumer } from './remote-consumer.js';

/** A message of another node's queue in the hands of a consumer of this one. */
export class RemoteDelivery implements Delivery {
  readonly consumer: Consumer;
  readonly position: Position;
  readonly redelivered: boolean;
  settled = false;
  /** Its queue has it no longer as delivered: what is said of it is for nobody. */
  isVoid = false;
  previous: RemoteDelivery | null = null;
  next: RemoteDelivery | null = null;

  constructor(consumer: RemoteConsumer, position: Position, redelivered: boolean) {
    this.consumer = consumer.shown;
    this.position = position;
    this.redelivered = redelivered;
  }
}
