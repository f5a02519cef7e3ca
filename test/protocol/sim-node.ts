import { Amqp091Door, amqp091Dialect } from '@chapar/amqp091';
import { type Authorizer, Broker, type CertificateLogin, type NodeLimits } from '@chapar/core';
import { type DoorSettings, defaultSettings, MqttDoor, mqttDialect } from '@chapar/mqtt';
import {
  createSimPlatform,
  type Listener,
  type SimPlatform,
  type SimWire,
  type TlsSession,
  type Wire,
} from '@chapar/platform';
import { openStore, type Store } from '@chapar/store';
import { SimPeer, type SimPeerOptions } from './sim-peer.js';
import { SimUsers } from './sim-users.js';

export const amqpPort = 5672;
export const amqpsPort = 5671;
export const mqttPort = 1883;
export const mqttsPort = 8883;

const defaultLimits: NodeLimits = {
  connectionsMax: Number.POSITIVE_INFINITY,
  channelsMax: 2047,
  frameBytesMax: 131_072,
  heartbeatSeconds: 60,
  handshakeSeconds: 10,
  messageBytesMax: 16 * 1024 * 1024,
  unsentBytesMax: 512 * 1024,
  stalledSeconds: 60,
};

export interface SimNodeOptions {
  readonly seed?: number;
  readonly limits?: Partial<NodeLimits>;
  readonly mqtt?: Partial<DoorSettings>;
  readonly certificateLogin?: CertificateLogin;
  /** Instead of the permissions in metadata. */
  readonly authorizer?: Authorizer;
  /** A machine that served before: what is on its disk is recovered. */
  readonly platform?: SimPlatform;
}

interface SimNodeParts {
  readonly platform: SimPlatform;
  readonly broker: Broker;
  readonly door: Amqp091Door;
  readonly mqtt: MqttDoor;
  readonly users: SimUsers;
  readonly store: Store;
  readonly listeners: readonly Listener[];
}

/** One node with the AMQP 0-9-1 door, its real store on a simulated disk, its listeners on a simulated network. `guest` may do everything in `/`. */
export class SimNode {
  readonly platform: SimPlatform;
  readonly broker: Broker;
  readonly door: Amqp091Door;
  readonly mqtt: MqttDoor;
  readonly users: SimUsers;
  private readonly store: Store;
  private readonly listeners: readonly Listener[];

  private constructor(parts: SimNodeParts) {
    this.platform = parts.platform;
    this.broker = parts.broker;
    this.door = parts.door;
    this.mqtt = parts.mqtt;
    this.users = parts.users;
    this.store = parts.store;
    this.listeners = parts.listeners;
  }

  static async start(options: SimNodeOptions = {}): Promise<SimNode> {
    const platform = options.platform ?? createSimPlatform(options.seed ?? 1);
    const users = new SimUsers();
    users.add('guest', { tags: ['administrator'] });
    const starting = (async () => {
      const store = await openStore({ platform, dataDir: '/data' });
      const broker = new Broker({
        platform,
        metadata: store.metadata,
        logs: store.logs,
        users,
        authenticator: users,
        authorizer: options.authorizer ?? null,
        identity: {
          node: 'chapar@sim',
          clusterName: 'sim',
          product: 'Chapar',
          productVersion: '4.1.0',
          version: '0.1.0',
        },
        limits: { ...defaultLimits, ...options.limits },
      });
      broker.dialects.add(amqp091Dialect);
      broker.dialects.add(mqttDialect(broker.dialects));
      await broker.open();
      await broker.permissions.set('/', 'guest', { configure: '.*', write: '.*', read: '.*' });
      const door = new Amqp091Door(broker, {
        certificateLogin: options.certificateLogin ?? 'common_name',
        recognise: () => null,
      });
      const mqtt = new MqttDoor(
        broker,
        { ...defaultSettings, certificateLogin: 'common_name', ...options.mqtt },
        () => null,
      );
      await mqtt.open();
      const tls = { certFile: 'cert', keyFile: 'key', clientCertificate: 'optional' } as const;
      const accept = (wire: Wire) => door.accept(wire);
      const listeners = [
        await platform.network.listen({ host: null, port: amqpPort, tls: null }, accept),
        await platform.network.listen({ host: null, port: amqpsPort, tls }, accept),
        await platform.network.listen({ host: null, port: mqttPort, tls: null }, (wire) => mqtt.accept(wire)),
        await platform.network.listen({ host: null, port: mqttsPort, tls }, (wire) =>
          mqtt.accept(wire, mqtt.listener('mqtts')),
        ),
      ];
      return new SimNode({ platform, broker, door, mqtt, users, store, listeners });
    })();
    return platform.settle(starting);
  }

  /** A user with these permissions in `/`; without any it may not even enter. */
  async addUser(name: string, permissions?: { configure?: string; write?: string; read?: string }): Promise<void> {
    this.users.add(name);
    if (permissions === undefined) return;
    const { configure = '', write = '', read = '' } = permissions;
    await this.settle(this.broker.permissions.set('/', name, { configure, write, read }));
  }

  /** A client's end of a new connection, on which nothing has been said. */
  wire(tls?: TlsSession): SimWire {
    const { network } = this.platform;
    return tls === undefined ? network.connect({ port: amqpPort }) : network.connect({ port: amqpsPort, tls });
  }

  /** The broker's end of a peer's connection. */
  farEnd(peer: SimPeer): SimWire {
    const { port } = peer.wire.local;
    const far = this.platform.network.wires.find(({ remote, local }) => remote.port === port && local.port !== port);
    if (far === undefined) throw new Error('the peer is not connected');
    return far;
  }

  /** Connects and says nothing. */
  connect(options: SimPeerOptions = {}): SimPeer {
    return new SimPeer(this.wire(options.tls), this.platform, options);
  }

  /** Connects and goes through the handshake. */
  async peer(options: SimPeerOptions = {}): Promise<SimPeer> {
    const peer = this.connect(options);
    await peer.handshake();
    return peer;
  }

  /** The same with channel 1 open. */
  async channel(options: SimPeerOptions = {}): Promise<SimPeer> {
    const peer = await this.peer(options);
    await peer.open(1);
    return peer;
  }

  /** Lets simulated time pass, and promises with it. */
  advance(ms: number): Promise<void> {
    return this.platform.clock.advance(ms);
  }

  /** Until all input and output is done. */
  idle(): Promise<void> {
    return this.platform.clock.runUntilIdle();
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.platform.settle(promise);
  }

  /** The message that something was logged with, the last one first. */
  logged(text: string | RegExp): boolean {
    const fits = (message: string) => (typeof text === 'string' ? message.includes(text) : text.test(message));
    return this.platform.log.lines.some(({ message }) => fits(message));
  }

  /** A clean stop. */
  async stop(): Promise<void> {
    const stop = async () => {
      for (const listener of this.listeners) await listener.close();
      await Promise.all([this.door.stop('shutdown (test)', 1000), this.mqtt.stop('shutdown (test)', 1000)]);
      await this.broker.close();
      await this.store.close();
    };
    await this.settle(stop());
  }
}
