// A raw AMQP 0-9-1 client for protocol tests: it says what it is told, right or wrong, and shows what came back.
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { inspect } from 'node:util';
import {
  type BasicProperties,
  beginFrame,
  CodecWriter,
  decodeMethod,
  decodeProperties,
  encodeMethod,
  encodeProperties,
  encodeTable,
  endFrame,
  type FieldTable,
  FRAME_BODY,
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

export interface PeerOptions {
  /** What tune-ok asks for; by default what the server proposed. */
  readonly frameMax?: number;
  readonly channelMax?: number;
  /** Seconds; by default 0, none. The peer sends no heartbeats of its own. */
  readonly heartbeat?: number;
  /** PLAIN (default), AMQPLAIN or EXTERNAL; with `response` any other. */
  readonly mechanism?: string;
  readonly response?: string | Buffer;
  /** Instead of the path of the url. */
  readonly vhost?: string;
  /** Merged into `capabilities` of the client properties, which claim everything by default. */
  readonly capabilities?: { readonly [name: string]: boolean };
  readonly clientProperties?: { readonly [name: string]: string | FieldTable };
  readonly tls?: tls.ConnectionOptions;
  /** How long `expect` and its like wait before they throw, milliseconds; default 5000. */
  readonly timeoutMs?: number;
}

export interface Content {
  readonly properties?: BasicProperties | Buffer;
  readonly body?: Buffer | string;
}

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/** A method that came, with its content when it has one. */
export interface Received<M extends Method = Method> {
  readonly channel: number;
  readonly method: M;
  readonly properties?: BasicProperties;
  readonly rawProperties?: Buffer;
  readonly body?: Buffer;
}

const HAS_CONTENT: ReadonlySet<string> = new Set(['basic.return', 'basic.deliver', 'basic.get-ok']);
const CAPABILITIES = {
  authentication_failure_close: true,
  'basic.nack': true,
  'connection.blocked': true,
  consumer_cancel_notify: true,
  publisher_confirms: true,
};

interface Unfinished {
  readonly method: Method;
  rawProperties: Buffer | null;
  bodySize: number;
  readonly parts: Buffer[];
}

export class AmqpPeer {
  /** As tuned; before the handshake 131072. */
  frameMax = 131_072;
  channelMax = 0;
  heartbeat = 0;
  serverProperties: FieldTable = fieldTable();
  /** Heartbeat frames that came. */
  heartbeats = 0;
  /** Whether the other side has closed the connection, in whatever way. */
  closed = false;
  /** The protocol header with which the server refused ours, if it did. */
  protocolHeader: Buffer | null = null;

  private readonly socket: net.Socket;
  private readonly timeoutMs: number;
  private torn: Buffer = Buffer.alloc(0);
  private readonly log: Frame[] = [];
  private readonly inbox: Received[] = [];
  private readonly unfinished = new Map<number, Unfinished>();
  private broken: Error | null = null;
  private waiting: (() => void)[] = [];

  private constructor(socket: net.Socket, timeoutMs: number) {
    this.socket = socket;
    this.timeoutMs = timeoutMs;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.close());
    socket.on('end', () => this.close());
  }

  /** Connects and says nothing. */
  static async connect(url: string, options: PeerOptions = {}): Promise<AmqpPeer> {
    const { protocol, hostname: host, port } = new URL(url);
    const secure = protocol === 'amqps:';
    const address = { host, port: Number(port || (secure ? 5671 : 5672)) };
    const socket = secure ? tls.connect({ ...address, ...options.tls }) : net.connect(address);
    await once(socket, secure ? 'secureConnect' : 'connect');
    return new AmqpPeer(socket, options.timeoutMs ?? 5000);
  }

  /** Connects, goes through the handshake and returns after connection.open-ok. */
  static async open(url: string, options: PeerOptions = {}): Promise<AmqpPeer> {
    const peer = await AmqpPeer.connect(url, options);
    await peer.start(url, options);
    peer.send(0, { name: 'connection.open', virtualHost: options.vhost ?? vhostOf(url) });
    await peer.expect('connection.open-ok');
    return peer;
  }

  /** The handshake up to tune-ok: for tests of what comes after. */
  async start(url: string, options: PeerOptions = {}): Promise<void> {
    this.raw(PROTOCOL_HEADER);
    const start = await this.expect('connection.start');
    this.serverProperties = start.method.serverProperties;
    const mechanism = options.mechanism ?? 'PLAIN';
    this.send(0, {
      name: 'connection.start-ok',
      clientProperties: clientProperties(options),
      mechanism,
      response: options.response ?? saslResponse(mechanism, new URL(url)),
      locale: 'en_US',
    });
    const { method: tune } = await this.expect('connection.tune');
    this.frameMax = options.frameMax ?? tune.frameMax;
    this.channelMax = options.channelMax ?? tune.channelMax;
    this.heartbeat = options.heartbeat ?? 0;
    const { channelMax, frameMax, heartbeat } = this;
    this.send(0, { name: 'connection.tune-ok', channelMax, frameMax, heartbeat });
  }

  /** Opens a channel and returns its number, for brevity in tests. */
  async channel(channel = 1): Promise<number> {
    this.send(channel, { name: 'channel.open' });
    await this.expect('channel.open-ok');
    return channel;
  }

  /** Sends a method and, when `content` is given, header and body in frames of at most `frameMax`. */
  send(channel: number, method: MethodInput, content?: Content): void {
    const parts = [encodeMethod(channel, method)];
    if (content !== undefined) parts.push(...contentFrames(channel, content, this.frameMax));
    this.raw(Buffer.concat(parts));
  }

  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Sends one frame around `payload`, with a wrong size or end octet when asked for. */
  frame(type: number, channel: number, payload: Uint8Array, wrong: { size?: number; end?: number } = {}): void {
    this.raw(rawFrame(type, channel, payload, wrong));
  }

  /** The next method, which must have this name; throws when another one, the end or nothing comes. */
  async expect<Name extends MethodName>(name: Name, timeoutMs?: number): Promise<Received<MethodOf<Name>>> {
    const received = await this.next(timeoutMs, name);
    if (received.method.name !== name) throw new Error(`expected ${name}, got ${describe(received)}`);
    return received as Received<MethodOf<Name>>;
  }

  /** The next method, whichever it is. */
  async next(timeoutMs: number = this.timeoutMs, wanted = 'a method'): Promise<Received> {
    await this.until(() => this.inbox.length > 0 || this.closed, timeoutMs, wanted);
    const received = this.inbox.shift();
    if (received === undefined) throw this.broken ?? new Error(`expected ${wanted}, the connection was closed`);
    return received;
  }

  /** Waits until the other side has closed the connection; throws when a method comes first. */
  async expectEnd(timeoutMs: number = this.timeoutMs): Promise<void> {
    await this.until(() => this.inbox.length > 0 || this.closed, timeoutMs, 'the end');
    const received = this.inbox[0];
    if (received !== undefined) throw new Error(`expected the end, got ${describe(received)}`);
  }

  /** Waits `ms` milliseconds and throws when a method comes or the connection ends meanwhile. */
  async expectSilence(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const received = this.inbox[0];
    if (received !== undefined) throw new Error(`expected silence, got ${describe(received)}`);
    if (this.closed) throw new Error('expected silence, the connection was closed');
  }

  /** Every frame that came so far, the oldest first. */
  frames(): readonly Frame[] {
    return this.log;
  }

  /** How many methods came that nobody has asked for yet. */
  get pending(): number {
    return this.inbox.length;
  }

  /** Stops reading, so that the server's writes pile up; `resume` goes on. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Says goodbye as the specification wants it. */
  async goodbye(): Promise<void> {
    this.send(0, { name: 'connection.close', replyCode: 200, replyText: 'bye' });
    while ((await this.next()).method.name !== 'connection.close-ok');
    this.destroy();
  }

  /** Hangs up without a word. */
  destroy(): void {
    this.socket.destroy();
    this.close();
  }

  private close(): void {
    this.closed = true;
    this.wake();
  }

  private wake(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async until(ready: () => boolean, timeoutMs: number, wanted: string): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!ready()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`expected ${wanted}, nothing came for ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  private receive(chunk: Buffer): void {
    const bytes = this.torn.length === 0 ? chunk : Buffer.concat([this.torn, chunk]);
    let at = this.receiveProtocolHeader(bytes);
    try {
      while (bytes.length - at >= FRAME_OVERHEAD) {
        const end = at + FRAME_OVERHEAD + bytes.readUInt32BE(at + 3);
        checkFrame(bytes, at, end);
        if (end > bytes.length) break;
        const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end - 1);
        this.take({ type: bytes[at]!, channel: bytes.readUInt16BE(at + 1), payload });
        at = end;
      }
    } catch (error) {
      this.broken = error as Error;
      this.destroy();
    }
    this.torn = Buffer.from(bytes.subarray(at));
    this.wake();
  }

  /** A server that wants another protocol says which one, and nothing else. */
  private receiveProtocolHeader(bytes: Buffer): number {
    if (bytes.length < 8 || this.log.length > 0 || bytes.toString('latin1', 0, 4) !== 'AMQP') return 0;
    this.protocolHeader = Buffer.from(bytes.subarray(0, 8));
    return 8;
  }

  private take(frame: Frame): void {
    this.log.push(frame);
    if (frame.type === FRAME_HEARTBEAT) this.heartbeats++;
    else if (frame.type === FRAME_METHOD) this.takeMethod(frame);
    else this.takeContent(frame);
  }

  private takeMethod({ channel, payload }: Frame): void {
    if (this.unfinished.has(channel)) throw new Error(`a method in the middle of a content on channel ${channel}`);
    const method = decodeMethod(payload);
    if (!HAS_CONTENT.has(method.name)) this.inbox.push({ channel, method });
    else this.unfinished.set(channel, { method, rawProperties: null, bodySize: 0, parts: [] });
  }

  private takeContent({ type, channel, payload }: Frame): void {
    const unfinished = this.unfinished.get(channel);
    if (unfinished === undefined) throw new Error(`a frame of type ${type} without a method on channel ${channel}`);
    if (type === FRAME_HEADER) {
      if (unfinished.rawProperties !== null) throw new Error('a second content header');
      unfinished.bodySize = Number(payload.readBigUInt64BE(4));
      unfinished.rawProperties = payload.subarray(12);
    } else {
      if (type !== FRAME_BODY || unfinished.rawProperties === null) throw new Error(`unexpected frame of type ${type}`);
      unfinished.parts.push(payload);
    }
    const body = Buffer.concat(unfinished.parts);
    if (body.length < unfinished.bodySize) return;
    if (body.length > unfinished.bodySize) throw new Error('a body longer than its header says');
    this.unfinished.delete(channel);
    const { method, rawProperties } = unfinished;
    this.inbox.push({ channel, method, rawProperties, properties: decodeProperties(rawProperties), body });
  }
}

/** One frame as bytes, with a wrong size or end octet when asked for. */
export function rawFrame(
  type: number,
  channel: number,
  payload: Uint8Array,
  wrong: { size?: number; end?: number } = {},
): Buffer {
  const writer = new CodecWriter(payload.length + FRAME_OVERHEAD);
  writer.u8(type);
  writer.u16(channel);
  writer.u32(wrong.size ?? payload.length);
  writer.append(payload);
  writer.u8(wrong.end ?? FRAME_END);
  return writer.bytes();
}

/** Header and body frames of a message for class basic. */
export function contentFrames(channel: number, content: Content, frameMax: number): Buffer[] {
  const properties = content.properties ?? {};
  const body = Buffer.from(content.body ?? '');
  const header = new CodecWriter();
  const start = beginFrame(header, FRAME_HEADER, channel);
  header.u16(60);
  header.u16(0);
  header.u64(body.length);
  header.append(Buffer.isBuffer(properties) ? properties : encodeProperties(properties));
  endFrame(header, start);
  const frames = [header.bytes()];
  const step = frameMax === 0 ? Math.max(body.length, 1) : frameMax - FRAME_OVERHEAD;
  for (let at = 0; at < body.length; at += step) {
    frames.push(rawFrame(FRAME_BODY, channel, body.subarray(at, at + step)));
  }
  return frames;
}

function checkFrame(bytes: Buffer, at: number, end: number): void {
  const type = bytes[at]!;
  if (type < FRAME_METHOD || (type > FRAME_BODY && type !== FRAME_HEARTBEAT)) {
    throw new Error(`not a frame: ${bytes.toString('hex', at, at + FRAME_OVERHEAD)}`);
  }
  if (end <= bytes.length && bytes[end - 1] !== FRAME_END) throw new Error('a frame without its end octet');
}

function clientProperties(options: PeerOptions): FieldTable {
  return fieldTable({
    product: 'chapar-test-peer',
    capabilities: fieldTable({ ...CAPABILITIES, ...options.capabilities }),
    ...options.clientProperties,
  });
}

function saslResponse(mechanism: string, url: URL): Buffer | string {
  const user = decodeURIComponent(url.username || 'guest');
  const password = decodeURIComponent(url.password || 'guest');
  if (mechanism === 'PLAIN') return `\0${user}\0${password}`;
  return mechanism === 'AMQPLAIN' ? encodeTable(fieldTable({ LOGIN: user, PASSWORD: password })) : '';
}

function vhostOf(url: string): string {
  const path = new URL(url).pathname;
  return path.length > 1 ? decodeURIComponent(path.slice(1)) : '/';
}

function describe({ channel, method }: Received): string {
  const { name, id: _id, ...fields } = method;
  return `${name} on channel ${channel} ${inspect(fields, { breakLength: Infinity })}`;
}
