import { noArguments } from '../arguments.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import { brokerError } from '../errors.js';
import type { Message } from '../message.js';
import { type EffectivePolicy, noPolicy } from '../policy/effective-policy.js';
import type { Consumer } from './consumer.js';
import type { QueueProperties } from './queue-properties.js';
import { noRules, type QueueRules } from './rules.js';
import type { QueueCounts, SharedQueue } from './shared-queue.js';

/**
 * A way from exchanges to one peer, which bindings lead to as to any queue, without a buffer: a message is sent at once or not at all.
 * It is bound while its peer is connected, holds nothing, and nobody else consumes from it.
 */
export abstract class BufferlessQueue implements SharedQueue {
  readonly name: string;
  readonly incarnation = '';
  readonly logs = false;
  readonly mayRefuse = false;
  readonly properties: QueueProperties;
  readonly home: string | null;
  readonly policy: EffectivePolicy = noPolicy;
  readonly rules: QueueRules = noRules;
  deleted = false;

  /** `home`: the node where its peers are; null: this one. */
  constructor(name: string, vhost: string, home: string | null = null) {
    this.name = name;
    this.home = home;
    this.properties = {
      name,
      vhost,
      durable: false,
      autoDelete: true,
      owner: this,
      arguments: noArguments,
      incarnation: '',
    };
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    this.send(message);
    slot?.committed();
  }

  /** To the peer, or to nowhere. */
  protected abstract send(message: Message): void;

  /** Policies speak of what waits. */
  applyPolicy(): void {}

  assertReachable(): void {}

  used(): void {}

  counts(): QueueCounts {
    return { ready: 0, consumers: 1 };
  }

  attach(): Consumer {
    throw this.locked();
  }

  holder(): Consumer {
    throw this.locked();
  }

  get(): null {
    return null;
  }

  purge(): number {
    return 0;
  }

  delete(): void {
    this.deleted = true;
  }

  private locked(): Error {
    return brokerError('resourceLocked', { queue: this.name, vhost: this.properties.vhost });
  }
}
