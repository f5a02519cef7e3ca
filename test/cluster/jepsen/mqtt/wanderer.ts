import type { Packet } from 'mqtt-packet';
import type { SimRandom } from '../../../../packages/platform/src/sim/random.js';
import type { BrokerNode } from '../../broker-node.js';
import { type ConnectionUser, MqttConnection } from './connection.js';
import type { Journal } from './entry.js';

/** What all clients of a round share. */
export interface Scene {
  readonly nodes: readonly BrokerNode[];
  readonly journal: Journal;
  readonly random: SimRandom;
}

/** Far beyond any round. */
const expirySeconds = 100_000;
/** When a client is tired of its node. Milliseconds. */
const stay = { least: 1000, more: 7000 };
const awayMaxMs = 2500;
const retryMaxMs = 600;

/**
 * A client with a session that is kept and a will, which keeps to the specification and goes from node to node: with a goodbye, without
 * one, or by coming to another node while its old connection is alive.
 */
export abstract class Wanderer {
  readonly name: string;
  protected readonly scene: Scene;
  protected readonly random: SimRandom;
  private connection: MqttConnection | null = null;
  /** Those that are not over, by number: also the ones that it left alone when it came elsewhere. */
  private readonly alive = new Set<number>();
  private isOpen = false;
  private isSettled = false;
  private connections = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(name: string, scene: Scene) {
    this.name = name;
    this.scene = scene;
    this.random = scene.random.fork(name);
  }

  begin(): void {
    this.connect();
  }

  /** Goes nowhere any more of itself; it comes back when its connection is lost. */
  settleDown(): void {
    this.isSettled = true;
    if (this.isOpen) this.later(null);
    else this.connectSoon(retryMaxMs);
  }

  end(): void {
    this.isSettled = true;
    this.later(null);
    const { connection } = this;
    this.connection = null;
    if (this.isOpen) this.left(connection!);
    else connection?.drop();
    this.isOpen = false;
  }

  /** Connections that the node of each should have ended long ago, since the client has come elsewhere. */
  get forgotten(): readonly number[] {
    return this.isOpen ? [...this.alive].filter((k) => k !== this.connections) : [];
  }

  protected get isConnected(): boolean {
    return this.isOpen;
  }

  /** Number of the present connection. */
  protected get k(): number {
    return this.connections;
  }

  protected say(packet: Packet): void {
    this.connection?.say(packet);
  }

  /** CONNACK has come. Without a session what was under way is nobody's any more. */
  protected abstract opened(isPresent: boolean): void;
  protected abstract heard(packet: Packet): void;
  /** Nothing more is heard on the connection that was there. */
  protected closed(): void {}

  // ---- going about -----------------------------------------------------------------------------------------------

  private wander(): void {
    const way = this.random.integer(3);
    const { connection } = this;
    if (way === 2) {
      this.connect();
      return;
    }
    this.connection = null;
    this.close();
    if (way === 0) this.left(connection!);
    else connection!.drop();
    this.connectSoon(awayMaxMs);
  }

  private close(): void {
    this.isOpen = false;
    this.closed();
  }

  private left(connection: MqttConnection): void {
    this.scene.journal.write({ e: 'left', c: this.name, k: this.connections, text: 'DISCONNECT' });
    connection.leave();
  }

  private connectSoon(withinMs: number): void {
    this.later(() => this.connect(), 50 + this.random.integer(withinMs));
  }

  private later(what: (() => void) | null, ms = 0): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = what === null ? null : setTimeout(what, ms);
  }

  private connect(): void {
    const { journal, nodes } = this.scene;
    this.later(null);
    this.close();
    const node = nodes[this.random.integer(nodes.length)]!;
    const k = ++this.connections;
    this.alive.add(k);
    journal.write({ e: 'connecting', c: this.name, k, at: node.name, will: true });
    const user: ConnectionUser = {
      heard: (packet) => {
        if (this.connection !== connection) return;
        if (packet.cmd === 'connack') this.admitted(packet.reasonCode ?? 0, packet.sessionPresent);
        else if (this.isOpen) this.heard(packet);
      },
      over: (text) => {
        this.alive.delete(k);
        journal.write({ e: 'over', c: this.name, k, text });
        if (this.connection !== connection) return;
        this.connection = null;
        this.close();
        this.connectSoon(retryMaxMs);
      },
    };
    const { hostname, port } = new URL(node.mqttUrl);
    const connection = new MqttConnection(hostname, Number(port), this.hello(k), user);
    this.connection = connection;
  }

  private hello(k: number) {
    return {
      clientId: this.name,
      clean: false,
      username: 'guest',
      password: Buffer.from('guest'),
      properties: { sessionExpiryInterval: expirySeconds, receiveMaximum: 20 },
      will: { topic: willTopic(this.name), payload: Buffer.from(String(k)), qos: 1 as const, retain: false },
    };
  }

  private admitted(code: number, present: boolean): void {
    const { journal } = this.scene;
    const { name: c, connections: k } = this;
    if (code !== 0) {
      journal.write({ e: 'refused', c, k, text: `0x${code.toString(16)}` });
      this.connection?.drop();
      return;
    }
    journal.write({ e: 'connected', c, k, present });
    this.isOpen = true;
    this.opened(present);
    if (!this.isSettled) this.later(() => this.wander(), stay.least + this.random.integer(stay.more));
  }
}

export const willPrefix = 'will/';

function willTopic(name: string): string {
  return `${willPrefix}${name}`;
}
