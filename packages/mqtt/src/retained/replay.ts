import { type Address, DIALECT_MQTT, type Flushable, Message, Queue, type SharedQueue } from '@chapar/core';
import type { Connection } from '../connection.js';
import { editedProperties, OWN, storedForm, storedQos, u32Property } from '../stored-publish.js';
import type { Subscription } from '../subscriptions.js';
import { passes, passing, routingKeyOf } from '../topic-bridge.js';
import type { RetainedMessage } from './retained.js';

/** Sent in one go before others have their turn. */
const pieceCount = 256;
/** In the session's queue, waiting for the client. */
const waitingMax = 1000;

interface Part {
  readonly subscription: Subscription;
  readonly messages: Iterator<RetainedMessage | null>;
}

/** Retained messages on their way to a client that has subscribed (§3.8.4): as fast as it reads, piece by piece. */
export class Replay implements Flushable {
  private readonly connection: Connection;
  private readonly parts: Part[] = [];
  private isAsked = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  add(subscription: Subscription, messages: Iterator<RetainedMessage | null>): void {
    this.parts.push({ subscription, messages });
    this.goOn();
  }

  /** The client has read, or acknowledged. */
  goOn(): void {
    if (this.isAsked || this.parts.length === 0) return;
    this.isAsked = true;
    this.connection.door.broker.turn.postpone(this);
  }

  endOfTurn(): void {
    this.isAsked = false;
    const { connection, parts } = this;
    for (let left = pieceCount; left > 0 && parts.length > 0; left--) {
      if (connection.isOver || !this.hasRoom()) return;
      const { value, done } = parts[0]!.messages.next();
      if (done) parts.shift();
      else if (value !== null) this.send(parts[0]!.subscription, value as RetainedMessage);
    }
    this.goOn();
  }

  private hasRoom(): boolean {
    const { session } = this.connection;
    return this.connection.mayDeliverMore() && readyCountOf(session.queue) < waitingMax;
  }

  private send({ qos, subscriptionId }: Subscription, { topic, message }: RetainedMessage): void {
    const { door, session, sender } = this.connection;
    const { queue } = session;
    if (Math.min(qos, storedQos(message)) === 0 || queue === null) {
      if (message.address === passing) passes(topic);
      sender.sendPlain(message, true, subscriptionId === 0 ? null : [subscriptionId]);
      return;
    }
    const address = session.vhost.address(door.settings.exchange, routingKeyOf(topic));
    queue.enqueue(replayed(message, address, subscriptionId), null);
  }
}

/** A queue that lives elsewhere bounds what is under way to it by itself. */
function readyCountOf(queue: SharedQueue | null): number {
  return queue instanceof Queue ? queue.readyCount : 0;
}

/** The message as it waits in the session's queue, beside others that are not sent for being retained. */
function replayed(message: Message, address: Address, subscriptionId: number): Message {
  const properties = editedProperties(message, [OWN.origin], u32Property(OWN.replay, subscriptionId));
  const form = storedForm(storedQos(message), true, properties);
  const { persistent, priority, expirationMs, bodyBytes } = message;
  const body = message.parts ?? [message.body()];
  const copy = new Message(
    address,
    DIALECT_MQTT,
    persistent,
    priority,
    expirationMs,
    form,
    0,
    form.length,
    0,
    0,
    body,
    bodyBytes,
  );
  copy.receivedAtMs = message.receivedAtMs;
  return copy;
}
