// A client of MQTT over a simulated wire that says what it is told, right or wrong, built and read by mqtt-packet: not by our codec.
import type { SimPlatform, SimWire, WireSink } from '@chapar/platform';
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser,
} from 'mqtt-packet';
import type { SimNode } from '../sim-node.js';
import { mqttPort } from '../sim-node.js';

export type Version = 3 | 4 | 5;

/** A packet, and the bytes that it came in. */
export type Heard<C extends Packet['cmd'] = Packet['cmd']> = Extract<Packet, { cmd: C }> & { readonly raw?: Buffer };

export class MqttPeer implements WireSink {
  readonly wire: SimWire;
  readonly version: Version;
  isEnded = false;
  isClosed = false;
  /** Everything that came, as it came. */
  readonly bytes: Buffer[] = [];
  private readonly platform: SimPlatform;
  private readonly inbox: Packet[] = [];
  private readonly parser;
  private nextId = 1;

  constructor(wire: SimWire, platform: SimPlatform, version: Version) {
    this.wire = wire;
    this.platform = platform;
    this.version = version;
    this.parser = parser({ protocolVersion: version });
    this.parser.on('packet', (packet) => this.inbox.push(packet));
    this.parser.on('error', (error: Error) => {
      throw error;
    });
    wire.open(this);
  }

  // ---- saying ----------------------------------------------------------------------------------------------------

  raw(bytes: Uint8Array | readonly number[]): void {
    this.wire.write(Buffer.from(bytes as Uint8Array), null);
  }

  send(packet: Packet): void {
    this.raw(generate(packet, { protocolVersion: this.version }));
  }

  connect(more: Partial<IConnectPacket> = {}): void {
    this.send(connectPacket(this.version, more));
  }

  publish(topic: string, payload: string | Buffer, more: Partial<IPublishPacket> = {}): number {
    const messageId = more.messageId ?? (more.qos ? this.nextId++ : undefined);
    this.send({
      cmd: 'publish',
      topic,
      payload,
      qos: 0,
      dup: false,
      retain: false,
      ...more,
      ...(messageId === undefined ? {} : { messageId }),
    });
    return messageId ?? 0;
  }

  /** Subscribes and waits for SUBACK; returns the reason codes. */
  async subscribe(filters: string | { [filter: string]: number | object }, qos = 0, subscriptionIdentifier?: number) {
    const wanted = typeof filters === 'string' ? { [filters]: qos } : filters;
    this.send({
      cmd: 'subscribe',
      messageId: this.nextId++,
      subscriptions: Object.entries(wanted).map(([topic, options]) =>
        typeof options === 'number' ? { topic, qos: options as 0 } : { topic, qos: 0, ...options },
      ),
      ...(subscriptionIdentifier === undefined ? {} : { properties: { subscriptionIdentifier } }),
    });
    return (await this.expect('suback')).granted as number[];
  }

  // ---- hearing ---------------------------------------------------------------------------------------------------

  async next(): Promise<Packet | undefined> {
    if (this.inbox.length === 0) await this.platform.clock.runUntilIdle();
    return this.inbox.shift();
  }

  async expect<C extends Packet['cmd']>(cmd: C): Promise<Heard<C>> {
    const packet = await this.next();
    if (packet === undefined)
      throw new Error(`expected ${cmd}, ${this.isOver ? 'the connection was closed' : 'nothing came'}`);
    if (packet.cmd !== cmd) throw new Error(`expected ${cmd}, got ${JSON.stringify(packet)}`);
    return packet as Heard<C>;
  }

  /** All that has come when nothing more happens. */
  async all(): Promise<Packet[]> {
    await this.platform.clock.runUntilIdle();
    return this.inbox.splice(0);
  }

  /** All that has come by now. */
  taken(): Packet[] {
    return this.inbox.splice(0);
  }

  /** The payloads of what was published to it, as text; acknowledges nothing. */
  async payloads(): Promise<string[]> {
    return (await this.messages()).map(({ payload }) => payload.toString());
  }

  async messages(): Promise<IPublishPacket[]> {
    return (await this.all()).map((packet) => {
      if (packet.cmd !== 'publish') throw new Error(`expected messages, got ${JSON.stringify(packet)}`);
      return packet;
    });
  }

  async silence(): Promise<void> {
    const packets = await this.all();
    if (packets.length > 0) throw new Error(`expected silence, got ${JSON.stringify(packets[0])}`);
    if (this.isOver) throw new Error('expected silence, the connection was closed');
  }

  /** The broker has closed the connection, after DISCONNECT with this code where there is such (5.0). */
  async expectEnd(reasonCode?: number): Promise<void> {
    if (reasonCode !== undefined && this.version === 5) {
      const packet = await this.expect('disconnect');
      if (packet.reasonCode !== reasonCode) throw new Error(`expected ${reasonCode}, got ${JSON.stringify(packet)}`);
    }
    const rest = await this.all();
    if (rest.length > 0) throw new Error(`expected the end, got ${JSON.stringify(rest[0])}`);
    if (!this.isOver) throw new Error('expected the end, the connection is still there');
  }

  get isOver(): boolean {
    return this.isEnded || this.isClosed;
  }

  // ---- leaving ---------------------------------------------------------------------------------------------------

  async goodbye(reasonCode = 0, sessionExpiryInterval?: number): Promise<void> {
    const properties = sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval };
    this.send({ cmd: 'disconnect', reasonCode, properties });
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
    this.bytes.push(Buffer.from(chunk));
    this.parser.parse(Buffer.from(chunk));
  }

  drained(): void {}

  ended(): void {
    this.isEnded = true;
    this.wire.end();
  }

  closed(): void {
    this.isClosed = true;
  }
}

export function connectPacket(version: Version, more: Partial<IConnectPacket> = {}): IConnectPacket {
  return {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clean: true,
    clientId: 'client',
    keepalive: 0,
    ...more,
  };
}

/** A client's end of a new connection, on which nothing was said. */
export function dial(node: SimNode, version: Version = 5): MqttPeer {
  return new MqttPeer(node.platform.network.connect({ port: mqttPort }), node.platform, version);
}

/** Connects and is let in. */
export async function join(
  node: SimNode,
  clientId: string,
  version: Version = 5,
  more: Partial<IConnectPacket> = {},
): Promise<MqttPeer & { readonly connack: IConnackPacket }> {
  const peer = dial(node, version);
  peer.connect({ clientId, ...more });
  const connack = await peer.expect('connack');
  const code = version === 5 ? connack.reasonCode : connack.returnCode;
  if (code !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
  return Object.assign(peer, { connack });
}
