import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import type { SimRandom } from '../../packages/platform/src/sim/random.js';
import { AmqpPeer } from '../support/amqp-peer.js';
import type { Key, Ledger, Stream, View } from './ledger.js';
import { STAMP_BYTES } from './stamp.js';

/** One life of the broker, as those who use it need to know it. */
export interface Life {
  readonly number: number;
  readonly url: string;
  readonly ledger: Ledger;
  readonly random: SimRandom;
}

/** A client that works until the broker dies under it; `over` resolves when it has read the last word that the broker said. */
export interface Person {
  readonly over: Promise<void>;
}

export interface SenderPlan {
  readonly queue: string;
  readonly publisher: string;
  readonly transientPercent: number;
  readonly bytesMax: number;
  /** In one life. */
  readonly messagesMax: number;
}

/** Unconfirmed messages of one sender. */
const window = 200;

async function open({ url }: Life): Promise<{ channel: ConfirmChannel; over: Promise<void> }> {
  const connection: ChannelModel = await connect(url);
  connection.on('error', () => {});
  const over = new Promise<void>((resolve) => connection.once('close', () => resolve()));
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return { channel, over };
}

/** Mostly small, now and then up to the largest. */
function bytesOf(random: SimRandom, bytesMax: number): number {
  const kind = random.integer(100);
  const most = kind < 70 ? 1024 : kind < 98 ? 8192 : 200 * 1024;
  const least = kind < 20 ? STAMP_BYTES : STAMP_BYTES + random.integer(64);
  return kind < 20 ? least : least + random.integer(Math.max(1, Math.min(most, bytesMax) - least));
}

/** Publishes with confirms, as many as the window allows. */
export async function sender(life: Life, plan: SenderPlan): Promise<Person> {
  const { ledger, random, number } = life;
  const { channel, over } = await open(life);
  const stream = ledger.stream(plan.queue, plan.publisher);
  let left = plan.messagesMax;
  let unconfirmed = 0;
  let isPumping = false;
  const publish = (): void => {
    const persistent = random.integer(100) >= plan.transientPercent;
    const body = ledger.send(stream, number, persistent, bytesOf(random, plan.bytesMax));
    const sequence = stream.marks.length - 1;
    left--;
    unconfirmed++;
    channel.publish('', plan.queue, body, { persistent }, (error) => {
      if (error !== null) return;
      ledger.confirmed(stream, sequence);
      unconfirmed--;
      if (isPumping) return;
      isPumping = true;
      setImmediate(pump);
    });
  };
  const pump = (): void => {
    isPumping = false;
    // Without the broker amqplib throws; nothing is sent then.
    try {
      while (unconfirmed < window && left > 0) publish();
    } catch {
      left = 0;
    }
  };
  pump();
  return { over };
}

/** Publishes in transactions of a few messages; one in five is rolled back. */
export async function transactor(life: Life, plan: SenderPlan): Promise<Person> {
  const { ledger, random, number } = life;
  const peer = await AmqpPeer.open(life.url);
  await peer.channel();
  peer.send(1, { name: 'tx.select' });
  await peer.expect('tx.select-ok');
  const stream = ledger.stream(plan.queue, plan.publisher);
  const batch = async (): Promise<void> => {
    const first = stream.marks.length;
    const count = 1 + random.integer(20);
    for (let i = 0; i < count; i++) {
      const body = ledger.send(stream, number, true, bytesOf(random, plan.bytesMax));
      const properties = { deliveryMode: 2 };
      peer.send(1, { name: 'basic.publish', exchange: '', routingKey: plan.queue }, { properties, body });
    }
    const sequences = Array.from({ length: count }, (_, i) => first + i);
    if (random.integer(5) === 0) {
      for (const sequence of sequences) ledger.withdrawn(stream, sequence);
      peer.send(1, { name: 'tx.rollback' });
      await peer.expect('tx.rollback-ok');
    } else {
      peer.send(1, { name: 'tx.commit' });
      await peer.expect('tx.commit-ok');
      for (const sequence of sequences) ledger.confirmed(stream, sequence);
    }
  };
  const work = async (): Promise<void> => {
    for (let left = plan.messagesMax; left > 0; left -= 10) await batch();
    await peer.expectEnd(60_000);
  };
  const over = work().catch((error: unknown) => {
    // The broker was killed under it; anything else is its fault.
    if (!peer.closed) ledger.faults.push(`${plan.publisher}: ${String(error)}`);
    peer.destroy();
  });
  return { over };
}

export interface ReceiverPlan {
  readonly queue: string;
  readonly consumer: string;
  readonly prefetch: number;
  /** How many of a hundred are given back or thrown away instead of accepted. */
  readonly requeuePercent: number;
  readonly rejectPercent: number;
  /** Then it stops to acknowledge; in one life. */
  readonly messagesMax: number;
}

/** A message is published, persistent, after so many settlements: once it is confirmed they are on the disk as well. */
const settlementsAFence = 50;

/** Consumes, and settles in one of the ways there are. */
export async function receiver(life: Life, plan: ReceiverPlan, fences: string): Promise<Person> {
  const { channel, over } = await open(life);
  await channel.prefetch(plan.prefetch);
  const desk = new Desk(life, plan, channel, fences);
  await channel.consume(plan.queue, (message) => {
    if (message !== null) desk.take(message);
  });
  return { over };
}

class Desk {
  private readonly view: View;
  private readonly fences: Stream;
  /** Received, and not acknowledged yet. */
  private held: { readonly message: ConsumeMessage; readonly key: Key }[] = [];
  private settled: Key[] = [];
  private left: number;
  private readonly life: Life;
  private readonly plan: ReceiverPlan;
  private readonly channel: ConfirmChannel;
  private readonly fenceQueue: string;

  constructor(life: Life, plan: ReceiverPlan, channel: ConfirmChannel, fenceQueue: string) {
    this.life = life;
    this.plan = plan;
    this.channel = channel;
    this.fenceQueue = fenceQueue;
    this.view = life.ledger.view(plan.queue, plan.requeuePercent === 0);
    this.fences = life.ledger.stream(fenceQueue, plan.consumer);
    this.left = plan.messagesMax;
  }

  take(message: ConsumeMessage): void {
    const { ledger, number, random } = this.life;
    const key = ledger.received(this.view, message.content, message.fields.redelivered, number);
    if (key === null || this.left-- <= 0) return;
    const verdict = random.integer(100);
    const { requeuePercent, rejectPercent } = this.plan;
    if (verdict < requeuePercent) this.channel.nack(message, false, true);
    else if (verdict < requeuePercent + rejectPercent) this.reject(message, key);
    else this.accept(message, key);
    if (this.settled.length >= settlementsAFence) this.fence();
  }

  private reject(message: ConsumeMessage, key: Key): void {
    this.channel.reject(message, false);
    this.settled.push(key);
  }

  /** Each on its own, or several at once. */
  private accept(message: ConsumeMessage, key: Key): void {
    this.held.push({ message, key });
    const { random } = this.life;
    if (this.held.length < this.plan.prefetch / 2 && random.integer(10) > 0) return;
    const areInOrder = this.plan.requeuePercent + this.plan.rejectPercent === 0;
    if (areInOrder && random.integer(2) === 0) this.channel.ack(message, true);
    else for (const held of this.held) this.channel.ack(held.message);
    for (const held of this.held) this.settled.push(held.key);
    this.held = [];
  }

  private fence(): void {
    const { ledger, number } = this.life;
    const { settled } = this;
    this.settled = [];
    const body = ledger.send(this.fences, number, true, STAMP_BYTES + 512);
    const sequence = this.fences.marks.length - 1;
    this.channel.publish('', this.fenceQueue, body, { persistent: true }, (error) => {
      if (error !== null) return;
      ledger.confirmed(this.fences, sequence);
      for (const key of settled) ledger.gone(key);
    });
  }
}
