// A raw AMQP 0-9-1 client over a simulated wire: the twin of test/support/amqp-peer.ts. Whoever waits for an answer drives the time.
import { inspect } from 'node:util';
import type { SimPlatform, SimWire, TlsSession, WireSink } from '@chapar/platform';
import {
  type BasicProperties,
  decodeMethod,
  decodeProperties,
  encodeMethod,
  encodeTable,
  type FieldTable,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_BYTES,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  fieldTable,
  type Method,
  type MethodInput,
  type MethodName,
  type MethodOf,
  PROTOCOL_HEADER,
} from '../../packages/amqp091/src/codec/index.js';
import { type Content, contentFrames, type Frame, type Received, rawFrame } from '../support/amqp-peer.js';

export interface SimPeerOptions {
  readonly user?: string;
  readonly password?: string;
  readonly vhost?: string;
  /** What tune-ok asks for; by default what the server proposed. */
  readonly frameMax?: number;
  readonly channelMax?: number;
  /** Seconds; by default 0, none. */
  readonly heartbeat?: number;
  readonly mechanism?: string;
  readonly response?: string | Buffer;
  readonly capabilities?: { readonly [name: string]: boolean };
  readonly clientProperties?: { readonly [name: string]: string | FieldTable };
  /** What the TLS handshake told the server; connects to the TLS listener. */
  readonly tls?: TlsSession;
}

const hasContent: ReadonlySet<string> = new Set(['basic.return', 'basic.deliver', 'basic.get-ok']);
const capabilities = {
  authentication_failure_close: true,
  'basic.nack': true,
  'connection.blocked': true,
  consumer_cancel_notify: true,
  publisher_confirms: true,
};

export class SimPeer implements WireSink {
  readonly wire: SimWire;
  frameMax = 131_072;
  serverProperties: FieldTable = fieldTable();
  mechanisms = '';
  tune: MethodOf<'connection.tune'> | null = null;
  heartbeats = 0;
  /** The server ended its side, or all of it is gone. */
  isEnded = false;
  isClosed = false;
  error: Error | null = null;
  receivedBytes = 0;
  /** The protocol header with which the server refused ours. */
  protocolHeader: Buffer | null = null;
  readonly frames: Frame[] = [];
  /** False: frames are not kept, for peers that get very many. */
  keepsFrames = true;
  private readonly platform: SimPlatform;
  private readonly options: SimPeerOptions;
  private readonly inbox: Received[] = [];
  private torn: Buffer = Buffer.alloc(0);
  private readonly unfinished = new Map<
    number,
    { method: Method; raw: Buffer | null; bytes: number; parts: Buffer[] }
  >();

  constructor(wire: SimWire, platform: SimPlatform, options: SimPeerOptions = {}) {
    this.wire = wire;
    this.platform = platform;
    this.options = options;
    wire.open(this);
  }

  // ---- saying ----------------------------------------------------------------------------------------------------

  /** Everything up to open-ok, tuned as the options say. */
  async handshake(): Promise<void> {
    await this.logIn();
    this.tuneOk();
    this.send(0, { name: 'connection.open', virtualHost: this.options.vhost ?? '/' });
    await this.expect('connection.open-ok');
  }

  /** The handshake up to connection.tune. */
  async logIn(): Promise<void> {
    this.raw(PROTOCOL_HEADER);
    const { method } = await this.expect('connection.start');
    this.serverProperties = method.serverProperties;
    this.mechanisms = method.mechanisms.toString('utf8');
    this.startOk();
    this.tune = (await this.expect('connection.tune')).method;
  }

  startOk(): void {
    const { mechanism = 'PLAIN', clientProperties = {} } = this.options;
    this.send(0, {
      name: 'connection.start-ok',
      clientProperties: fieldTable({
        product: 'sim-peer',
        capabilities: fieldTable({ ...capabilities, ...this.options.capabilities }),
        ...clientProperties,
      }),
      mechanism,
      response: this.options.response ?? this.response(mechanism),
      locale: 'en_US',
    });
  }

  private response(mechanism: string): Buffer | string {
    const { user = 'guest', password = user } = this.options;
    if (mechanism === 'PLAIN') return `\0${user}\0${password}`;
    return mechanism === 'AMQPLAIN' ? encodeTable(fieldTable({ LOGIN: user, PASSWORD: password })) : '';
  }

  tuneOk(): void {
    const { frameMax, channelMax, heartbeat = 0 } = this.options;
    const asked = frameMax ?? this.tune!.frameMax;
    this.frameMax = asked === 0 ? this.tune!.frameMax : asked;
    this.send(0, {
      name: 'connection.tune-ok',
      channelMax: channelMax ?? this.tune!.channelMax,
      frameMax: asked,
      heartbeat,
    });
  }

  async open(channel: number): Promise<void> {
    await this.call(channel, { name: 'channel.open' }, 'channel.open-ok');
  }

  /** Sends a method and, when `content` is given, header and body in frames of at most frame-max. */
  send(channel: number, method: MethodInput, content?: Content): void {
    const parts = [encodeMethod(channel, method)];
    if (content !== undefined) parts.push(...contentFrames(channel, content, this.frameMax));
    this.raw(Buffer.concat(parts));
  }

  publish(channel: number, routingKey: string, body: Buffer | string, more: PublishOptions = {}): void {
    const { exchange = '', mandatory = false, properties = {} } = more;
    this.send(channel, { name: 'basic.publish', exchange, routingKey, mandatory }, { properties, body });
  }

  frame(type: number, channel: number, payload: Uint8Array, wrong: { size?: number; end?: number } = {}): void {
    this.raw(rawFrame(type, channel, payload, wrong));
  }

  raw(bytes: Uint8Array): void {
    this.wire.write(Buffer.from(bytes), null);
  }

  // ---- hearing ---------------------------------------------------------------------------------------------------

  /** Sends and returns the answer, which must be `answer`. */
  async call<Name extends MethodName>(
    channel: number,
    method: MethodInput,
    answer: Name,
  ): Promise<Received<MethodOf<Name>>['method']> {
    this.send(channel, method);
    return (await this.expect(answer)).method;
  }

  /** The next method, which must have this name; drives the time until nothing more happens. */
  async expect<Name extends MethodName>(name: Name): Promise<Received<MethodOf<Name>>> {
    const received = await this.next();
    if (received === undefined) {
      const state = this.isClosed || this.isEnded ? 'the connection was closed' : 'nothing came';
      throw new Error(`expected ${name}, ${state}${this.error === null ? '' : `: ${this.error.message}`}`);
    }
    if (received.method.name !== name) throw new Error(`expected ${name}, got ${describe(received)}`);
    return received as Received<MethodOf<Name>>;
  }

  async next(): Promise<Received | undefined> {
    if (this.inbox.length === 0) await this.platform.clock.runUntilIdle();
    return this.inbox.shift();
  }

  /** All that has come when nothing more happens. */
  async all(): Promise<Received[]> {
    await this.platform.clock.runUntilIdle();
    return this.inbox.splice(0);
  }

  /** `all`, by name. */
  async names(): Promise<string[]> {
    return (await this.all()).map(({ method }) => method.name);
  }

  /** The bodies of what was delivered or got, as text; throws when anything else came. */
  async bodies(): Promise<string[]> {
    return (await this.all()).map((received) => {
      if (received.body === undefined) throw new Error(`expected messages, got ${describe(received)}`);
      return received.body.toString();
    });
  }

  /** Nothing has come, and the connection is still there. */
  async silence(): Promise<void> {
    await this.platform.clock.runUntilIdle();
    const received = this.inbox[0];
    if (received !== undefined) throw new Error(`expected silence, got ${describe(received)}`);
    if (this.isEnded || this.isClosed) throw new Error('expected silence, the connection was closed');
  }

  // ---- leaving ---------------------------------------------------------------------------------------------------

  /** As the specification wants it. */
  async goodbye(): Promise<void> {
    await this.call(0, { name: 'connection.close', replyCode: 200, replyText: 'bye' }, 'connection.close-ok');
    this.wire.end();
    await this.platform.clock.runUntilIdle();
  }

  /** Without a word. */
  async drop(): Promise<void> {
    this.wire.destroy();
    await this.platform.clock.runUntilIdle();
  }

  // ---- the wire --------------------------------------------------------------------------------------------------

  received(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    const bytes = this.torn.length === 0 ? chunk : Buffer.concat([this.torn, chunk]);
    let at = this.readProtocolHeader(bytes);
    while (bytes.length - at >= FRAME_OVERHEAD) {
      const end = at + FRAME_OVERHEAD + bytes.readUInt32BE(at + 3);
      if (end > bytes.length) break;
      if (bytes[end - 1] !== FRAME_END) throw new Error('the server sent a frame without its end octet');
      this.take({
        type: bytes[at]!,
        channel: bytes.readUInt16BE(at + 1),
        payload: Buffer.from(bytes.subarray(at + FRAME_HEADER_BYTES, end - 1)),
      });
      at = end;
    }
    this.torn = Buffer.from(bytes.subarray(at));
  }

  drained(): void {}

  ended(): void {
    this.isEnded = true;
    this.wire.end();
  }

  closed(error: Error | null): void {
    this.isClosed = true;
    this.error = error;
  }

  private readProtocolHeader(bytes: Buffer): number {
    if (this.receivedBytes !== bytes.length || bytes.length < 8 || bytes.toString('latin1', 0, 4) !== 'AMQP') return 0;
    this.protocolHeader = Buffer.from(bytes.subarray(0, 8));
    return 8;
  }

  private take(frame: Frame): void {
    if (this.keepsFrames) this.frames.push(frame);
    const { type, channel, payload } = frame;
    if (payload.length + FRAME_OVERHEAD > this.frameMax) throw new Error(`a frame of ${payload.length} bytes`);
    if (type === FRAME_HEARTBEAT) this.heartbeats++;
    else if (type === FRAME_METHOD) this.takeMethod(channel, decodeMethod(payload));
    else this.takeContent(type, channel, payload);
  }

  private takeMethod(channel: number, method: Method): void {
    if (this.unfinished.has(channel)) throw new Error(`a method within a content on channel ${channel}`);
    if (!hasContent.has(method.name)) this.inbox.push({ channel, method });
    else this.unfinished.set(channel, { method, raw: null, bytes: 0, parts: [] });
  }

  private takeContent(type: number, channel: number, payload: Buffer): void {
    const content = this.unfinished.get(channel);
    if (content === undefined) throw new Error(`a frame of type ${type} without a method on channel ${channel}`);
    if (type === FRAME_HEADER) {
      content.bytes = Number(payload.readBigUInt64BE(4));
      content.raw = payload.subarray(12);
    } else {
      content.parts.push(payload);
    }
    const bytes = content.parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes < content.bytes) return;
    this.unfinished.delete(channel);
    const { method, raw, parts } = content;
    const properties: BasicProperties = decodeProperties(raw!);
    this.inbox.push({ channel, method, rawProperties: raw!, properties, body: Buffer.concat(parts) });
  }
}

export interface PublishOptions {
  readonly exchange?: string;
  readonly mandatory?: boolean;
  readonly properties?: BasicProperties | Buffer;
}

export function describe({ channel, method }: Received): string {
  const { name, id: _id, ...fields } = method;
  return `${name} on channel ${channel} ${inspect(fields, { breakLength: Infinity })}`;
}
