// As much of a server as a client needs to say its part: every synchronous method is answered with its -ok.
import { once } from 'node:events';
import net from 'node:net';
import {
  type BasicProperties,
  decodeMethod,
  decodeProperties,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEADER_BYTES,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  fieldTable,
  type Method,
  type MethodInput,
  PROTOCOL_HEADER,
} from '../../packages/amqp091/src/codec/index.js';

export interface Said {
  readonly channel: number;
  readonly method: Method;
  /** The frame as it came. */
  readonly bytes: Buffer;
  rawProperties?: Buffer;
  properties?: BasicProperties;
  body?: Buffer;
}

export class FakeServer {
  /** What the client said, in order, contents included. */
  readonly said: Said[] = [];
  /** What went wrong with what it said. */
  readonly failures: unknown[] = [];
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.server = server;
    server.on('connection', (socket) => this.accept(socket));
  }

  static async listen(): Promise<FakeServer> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeServer(server);
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${(this.server.address() as net.AddressInfo).port}/`;
  }

  /** Sends bytes to every client. */
  tell(...frames: readonly Buffer[]): void {
    for (const socket of this.sockets) socket.write(Buffer.concat(frames));
  }

  /** Everything of that name that was said. */
  methods<Name extends Method['name']>(name: Name): (Said & { method: Extract<Method, { name: Name }> })[] {
    return this.said.filter(({ method }) => method.name === name) as never;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    let torn = Buffer.alloc(0);
    let greeted = false;
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      torn = Buffer.concat([torn, chunk]);
      try {
        if (!greeted && torn.length >= PROTOCOL_HEADER.length) {
          greeted = true;
          torn = this.greet(socket, torn);
        }
        if (greeted) torn = this.receive(socket, torn);
      } catch (error) {
        this.failures.push(error);
        socket.destroy();
      }
    });
  }

  private greet(socket: net.Socket, bytes: Buffer): Buffer<ArrayBuffer> {
    if (!bytes.subarray(0, 8).equals(PROTOCOL_HEADER))
      throw new Error(`not a protocol header: ${bytes.toString('hex')}`);
    const capabilities = fieldTable({ publisher_confirms: true, 'basic.nack': true, consumer_cancel_notify: true });
    const serverProperties = fieldTable({ product: 'fake', capabilities });
    const start: MethodInput = { name: 'connection.start', versionMinor: 9, serverProperties, mechanisms: 'PLAIN' };
    socket.write(encodeMethod(0, { ...start, locales: 'en_US' }));
    return Buffer.from(bytes.subarray(8));
  }

  private receive(socket: net.Socket, bytes: Buffer): Buffer<ArrayBuffer> {
    let at = 0;
    while (bytes.length - at >= FRAME_OVERHEAD) {
      const end = at + FRAME_OVERHEAD + bytes.readUInt32BE(at + 3);
      if (end > bytes.length) break;
      this.take(socket, Buffer.from(bytes.subarray(at, end)));
      at = end;
    }
    return Buffer.from(bytes.subarray(at));
  }

  private take(socket: net.Socket, bytes: Buffer): void {
    const channel = bytes.readUInt16BE(1);
    const payload = bytes.subarray(FRAME_HEADER_BYTES, bytes.length - 1);
    if (bytes[0] === FRAME_METHOD) {
      const method = decodeMethod(payload);
      this.said.push({ channel, method, bytes });
      const answer = answerTo(method);
      if (answer !== null) socket.write(encodeMethod(channel, answer));
      return;
    }
    const content = this.said.findLast((said) => said.channel === channel);
    if (bytes[0] === FRAME_HEADER && content !== undefined) {
      content.rawProperties = payload.subarray(12);
      content.properties = decodeProperties(content.rawProperties);
      content.body = Buffer.alloc(0);
    } else if (bytes[0] === FRAME_BODY && content?.body !== undefined) {
      content.body = Buffer.concat([content.body, payload]);
    }
  }
}

const SILENT: ReadonlySet<string> = new Set(['basic.publish', 'basic.ack', 'basic.nack', 'basic.reject']);

function answerTo(method: Method): MethodInput | null {
  if (method.name === 'connection.start-ok') {
    return { name: 'connection.tune', channelMax: 2047, frameMax: 4096, heartbeat: 0 };
  }
  if (SILENT.has(method.name) || method.name.endsWith('-ok')) return null;
  if (method.name === 'queue.declare') return { name: 'queue.declare-ok', queue: method.queue, messageCount: 7 };
  if (method.name === 'basic.consume') return { name: 'basic.consume-ok', consumerTag: method.consumerTag };
  if (method.name === 'basic.cancel') return { name: 'basic.cancel-ok', consumerTag: method.consumerTag };
  if (method.name === 'basic.get') return { name: 'basic.get-empty' };
  return { name: `${method.name}-ok` } as MethodInput;
}
