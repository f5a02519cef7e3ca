import type { BasicProperties, FieldTable, MethodInput } from '../../packages/amqp091/src/codec/index.js';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
import type { Content, Received } from '../support/amqp-peer.js';
import type { Conversation } from './conversation.js';
import type { Line } from './place.js';
import { said } from './rendering.js';
import { SpokenChannel } from './spoken-channel.js';

export interface PublishOptions {
  readonly exchange?: string;
  readonly mandatory?: boolean;
  readonly properties?: BasicProperties;
  readonly headers?: { readonly [key: string]: FieldTable[string] };
}

/** One connection. When the broker closes a channel or the connection, the client opens it anew and goes on. */
export class Speaker {
  readonly name: string;
  private readonly conversation: Conversation;
  private line: Line | null = null;
  private readonly channels = new Map<number, SpokenChannel>();
  private readonly deliveries: BasicProperties[] = [];

  constructor(conversation: Conversation, name: string) {
    this.conversation = conversation;
    this.name = name;
  }

  async connect(): Promise<void> {
    this.line = await this.conversation.place.dial();
    const numbers = this.channels.size === 0 ? [1] : [...this.channels.keys()];
    for (const number of numbers) await this.channel(number);
  }

  /** Opens one more channel. */
  async channel(number: number): Promise<void> {
    this.channels.set(number, new SpokenChannel(`${this.name}${number}`));
    this.line!.send(number, { name: 'channel.open' });
    await this.skip('channel.open-ok');
  }

  /** Says it, and everybody listens to what comes. */
  async say(method: MethodInput, content?: Content, channel = 1): Promise<void> {
    this.tell(method, content, channel);
    await this.conversation.listen();
  }

  /** Says it, and goes on at once. */
  tell(method: MethodInput, content?: Content, channel = 1): void {
    const spoken = this.channels.get(channel)!;
    this.conversation.note(said(spoken.name, method, content));
    spoken.said(method);
    this.line!.send(channel, method, content);
  }

  /** Everybody listens, after one or more `tell`. */
  listen(): Promise<void> {
    return this.conversation.listen();
  }

  async declare(queue: string, args: object = {}, more: object = {}, channel = 1): Promise<void> {
    const table = fieldTable(args as FieldTable);
    const given = Object.keys(table).length === 0 ? {} : { arguments: table };
    await this.say({ name: 'queue.declare', queue, ...given, ...more }, undefined, channel);
  }

  async exchange(exchange: string, type: string, args: object = {}, more: object = {}): Promise<void> {
    const table = fieldTable(args as FieldTable);
    const given = Object.keys(table).length === 0 ? {} : { arguments: table };
    await this.say({ name: 'exchange.declare', exchange, type, ...given, ...more });
  }

  async bind(queue: string, exchange: string, routingKey = '', args?: FieldTable): Promise<void> {
    await this.say({ name: 'queue.bind', queue, exchange, routingKey, ...(args ? { arguments: args } : {}) });
  }

  async publish(routingKey: string, body: string, options: PublishOptions = {}, channel = 1): Promise<void> {
    this.send(routingKey, body, options, channel);
    await this.conversation.listen();
  }

  /** Publishes, and goes on at once. */
  send(routingKey: string, body: string, options: PublishOptions = {}, channel = 1): void {
    const { exchange = '', mandatory = false, headers, properties = {} } = options;
    const all = headers === undefined ? properties : { ...properties, headers: fieldTable(headers) };
    this.tell({ name: 'basic.publish', exchange, routingKey, mandatory }, { properties: all, body }, channel);
  }

  async get(queue: string, noAck = true, channel = 1): Promise<void> {
    await this.say({ name: 'basic.get', queue, noAck }, undefined, channel);
  }

  async consume(queue: string, consumerTag: string, more: object = {}, channel = 1): Promise<void> {
    await this.say({ name: 'basic.consume', queue, consumerTag, ...more }, undefined, channel);
  }

  /** The properties of what this client gets, delivered or asked for, while something happens. */
  async got(happening: () => Promise<void>): Promise<BasicProperties[]> {
    this.deliveries.length = 0;
    await happening();
    return [...this.deliveries];
  }

  /** Closes the connection without a word; it can be made anew with `connect`. */
  async hangUp(): Promise<void> {
    this.conversation.note([`-- ${this.name} hangs up`]);
    await this.line!.hangUp();
    this.line = null;
    this.channels.clear();
    await this.conversation.listen();
  }

  // ---- for the conversation ----------------------------------------------------------------------------------------

  get isOwed(): boolean {
    return [...this.channels.values()].some((channel) => channel.isOwed);
  }

  async collect(): Promise<number> {
    if (this.line === null) return 0;
    const received = await this.line.take();
    for (const one of received) this.heard(one);
    return received.length;
  }

  report(): string[] {
    return [...this.channels.values()].flatMap((channel) => channel.report());
  }

  /** Opens what was closed over an error. */
  async recover(): Promise<void> {
    const lost = [...this.channels.values()].find(({ end }) => end === 'connection.close');
    if (lost !== undefined) {
      this.line!.send(0, { name: 'connection.close-ok' });
      await this.line!.hangUp();
      return this.connect();
    }
    for (const [number, { end }] of this.channels) {
      if (end === null) continue;
      this.line!.send(number, { name: 'channel.close-ok' });
      await this.channel(number);
    }
  }

  private heard(received: Received): void {
    const { channel, method, properties } = received;
    if (method.name === 'basic.deliver' || method.name === 'basic.get-ok') this.deliveries.push(properties!);
    if (channel !== 0) this.channels.get(channel)?.heard(received);
    else if (method.name === 'connection.close') for (const spoken of this.channels.values()) spoken.heard(received);
    else throw new Error(`${method.name} on channel 0`);
  }

  private async skip(name: string): Promise<void> {
    for (let pauses = 0; pauses < this.conversation.place.pausesMax; pauses++) {
      await this.conversation.place.pause();
      for (const received of await this.line!.take()) {
        if (received.method.name === name) return;
        this.heard(received);
      }
    }
    throw new Error(`${this.name} waited for ${name}`);
  }
}
