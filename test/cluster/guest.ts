import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect, type Options } from 'amqplib';
import type { BrokerNode } from './broker-node.js';

/** A connection to one node, a channel in confirm mode, and all that the node says on it. */
export class Guest {
  readonly connection: ChannelModel;
  /** Of messages that came back, in order. */
  readonly returned: string[] = [];
  channel!: ConfirmChannel;
  private isDropped = false;
  private complaint: Promise<Error> = Promise.resolve(new Error('no channel'));

  private constructor(connection: ChannelModel) {
    this.connection = connection;
    connection.on('error', () => {});
  }

  static async at(node: BrokerNode): Promise<Guest> {
    const guest = new Guest(await connect(node.url, { timeout: 5000 }));
    await guest.openChannel();
    return guest;
  }

  async openChannel(): Promise<void> {
    const channel = await this.connection.createConfirmChannel();
    this.complaint = new Promise((resolve) => channel.once('error', resolve));
    channel.on('return', ({ content }: { content: Buffer }) => this.returned.push(content.toString()));
    this.channel = channel;
  }

  /** Resolves when it is confirmed, rejects when it is nacked or the channel ends. */
  publish(key: string, text: string, options: Options.Publish & { readonly exchange?: string } = {}): Promise<void> {
    const { exchange = '', ...rest } = options;
    return new Promise((resolve, reject) => {
      this.channel.publish(exchange, key, Buffer.from(text), rest, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** What the node says about an attempt that it has to refuse with the end of the channel; another channel is opened then. */
  async refusal(attempt: (channel: ConfirmChannel) => Promise<unknown>): Promise<string> {
    const { complaint } = this;
    const tried = attempt(this.channel).then(
      () => 'it was allowed',
      () => null,
    );
    const allowed = await tried;
    if (allowed !== null) return allowed;
    const error = await Promise.race([complaint, sleep(2000, new Error('no reason was given'), { ref: false })]);
    await this.openChannel();
    return error.message;
  }

  async consume(queue: string, options: Options.Consume = {}): Promise<Mailbox> {
    return Mailbox.open(this.channel, queue, options);
  }

  /** The number of ready messages, and of consumers. */
  async count(queue: string): Promise<{ messages: number; consumers: number }> {
    const { messageCount, consumerCount } = await this.channel.checkQueue(queue);
    return { messages: messageCount, consumers: consumerCount };
  }

  async close(): Promise<void> {
    if (this.isDropped) return;
    await Promise.race([this.connection.close().catch(() => {}), sleep(3000)]);
  }

  /** The connection breaks without any goodbye. */
  drop(): void {
    const { connection } = this.connection as unknown as { connection: { stream: { destroy(): void } } };
    connection.stream.destroy();
    this.isDropped = true;
  }
}

/** What a consumer was given. */
export class Mailbox {
  readonly messages: ConsumeMessage[] = [];
  /** The node ended it with basic.cancel. */
  isCancelled = false;
  tag = '';
  private readonly channel: ConfirmChannel;
  private read = 0;

  private constructor(channel: ConfirmChannel) {
    this.channel = channel;
  }

  static async open(channel: ConfirmChannel, queue: string, options: Options.Consume): Promise<Mailbox> {
    const mailbox = new Mailbox(channel);
    const take = (message: ConsumeMessage | null) => {
      if (message === null) mailbox.isCancelled = true;
      else mailbox.messages.push(message);
    };
    mailbox.tag = (await channel.consume(queue, take, options)).consumerTag;
    return mailbox;
  }

  /** `text`, or `text again` where it came with the flag. */
  get texts(): string[] {
    return this.messages.map(({ content, fields }) => `${content}${fields.redelivered ? ' again' : ''}`);
  }

  /** The next one, settled unless `settle` says otherwise. */
  async next(settle: 'ack' | 'none' = 'ack'): Promise<ConsumeMessage> {
    await until(`message ${this.read + 1} of a consumer`, () => this.messages.length > this.read);
    const message = this.messages[this.read++]!;
    if (settle === 'ack') this.channel.ack(message);
    return message;
  }

  /** The texts of so many more, all settled. */
  async take(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push((await this.next()).content.toString());
    return texts;
  }

  cancelled(seconds = 20): Promise<void> {
    return until('the consumer is cancelled by the broker', () => this.isCancelled, seconds);
  }
}

/** Bounded in time; `isSo` may ask somebody. An error of it counts as no. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  let reason = '';
  for (;;) {
    try {
      if (await isSo()) return;
      reason = '';
    } catch (error) {
      reason = `: ${(error as Error).message}`;
    }
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}${reason}`);
    await sleep(5);
  }
}
