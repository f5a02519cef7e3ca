import { SimPeers } from '@chapar/cluster';
import { type DoorSettings, defaultSettings, MqttDoor, mqttDialect } from '@chapar/mqtt';
import type { IConnackPacket, IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet';
import { type Heard, MqttPeer, type Version } from '../protocol/mqtt/peer.js';
import { mqttPort } from '../protocol/sim-node.js';
import { SimBroker } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

/** So long everything that was said takes to come to everybody. Milliseconds. */
const soonMs = 100;
/** An answer waits for a node that does not say anything, but not for ever. Milliseconds. */
const answerMs = 3000;

/** A session may have to come from another node, or its log to find a leader. Milliseconds. */
const admittedMs = 20_000;

/** A node of a simulated cluster that takes MQTT. */
export interface MqttNode {
  readonly at: SimBroker;
  readonly door: MqttDoor;
}

/** Simulated brokers that are one, with the MQTT door. */
export class MqttCluster {
  readonly members: SimMembers;
  readonly peers: SimPeers;
  readonly nodes: MqttNode[] = [];

  constructor(seed = 1) {
    this.members = new SimMembers(seed);
    this.peers = new SimPeers(this.members.world.scheduler);
  }

  static async of(...names: string[]): Promise<MqttCluster> {
    const cluster = new MqttCluster();
    for (const name of names) await cluster.add(name);
    return cluster;
  }

  async add(name: string, settings: Partial<DoorSettings> = {}): Promise<MqttNode> {
    return this.start(this.members.machine(name), settings);
  }

  /** Also one that was killed, with its disk. */
  async start(member: SimBroker['member'], settings: Partial<DoorSettings> = {}): Promise<MqttNode> {
    const at = await SimBroker.start(member, this.peers);
    at.broker.dialects.add(mqttDialect(at.broker.dialects));
    const door = new MqttDoor(at.broker, { ...defaultSettings, ...settings }, () => null);
    await at.settle(door.open());
    await at.settle(
      member.platform.network.listen({ host: null, port: mqttPort, tls: null }, (wire) => door.accept(wire)),
    );
    const node = { at, door };
    this.nodes.push(node);
    return node;
  }

  /** A client that is let in at a node. */
  async join(node: MqttNode, clientId: string, more: Partial<IConnectPacket> = {}, version: Version = 5) {
    const peer = this.peer(node, clientId, more, version);
    for (let waitedMs = 0; waitedMs < admittedMs; waitedMs += soonMs) {
      await this.soon();
      const packet = await peer.next();
      if (packet?.cmd === 'connack') return new Client(this, peer, packet);
      if (packet !== undefined) throw new Error(`expected connack, got ${JSON.stringify(packet)}`);
    }
    throw new Error(`${clientId} was not let in`);
  }

  /** One that has said CONNECT, and was not answered yet. */
  peer({ at }: MqttNode, clientId: string, more: Partial<IConnectPacket> = {}, version: Version = 5): MqttPeer {
    const { platform } = at.member;
    const peer = new MqttPeer(platform.network.connect({ port: mqttPort }), platform, version);
    peer.connect({ clientId, ...more });
    return peer;
  }

  /** Nothing gets from a node to the others, nor to etcd; or all is well again. */
  isolate(node: MqttNode, isCut: boolean): void {
    const { name, member } = node.at;
    member.client.path.cut = isCut;
    for (const other of this.nodes) if (other.at.name !== name) this.sever(node, other, isCut);
  }

  /** Nothing gets from one node to another, nor back; or all is well again. */
  sever({ at: one }: MqttNode, { at: other }: MqttNode, isCut = true): void {
    for (const [from, to] of [
      [one.name, other.name],
      [other.name, one.name],
    ] as const) {
      if (isCut) this.peers.cut(from, to);
      else this.peers.mend(from, to);
    }
  }

  soon(ms = soonMs): Promise<void> {
    return this.members.advance(ms);
  }
}

/** A client of a node. */
export class Client {
  readonly peer: MqttPeer;
  private readonly cluster: MqttCluster;
  private readonly published: IPublishPacket[] = [];

  readonly connack: IConnackPacket;

  constructor(cluster: MqttCluster, peer: MqttPeer, connack: IConnackPacket) {
    this.cluster = cluster;
    this.peer = peer;
    this.connack = connack;
  }

  async subscribe(filters: string | { [filter: string]: 0 | 1 | 2 | object }, qos = 0): Promise<number[]> {
    const wanted = typeof filters === 'string' ? { [filters]: qos } : filters;
    const subscriptions = Object.entries(wanted).map(([topic, options]) =>
      typeof options === 'number' ? { topic, qos: options as 0 } : { topic, qos: 0 as const, ...options },
    );
    this.peer.send({ cmd: 'subscribe', messageId: 60_000, subscriptions });
    return (await this.answer('suback')).granted as number[];
  }

  async unsubscribe(...filters: string[]): Promise<void> {
    this.peer.send({ cmd: 'unsubscribe', messageId: 60_001, unsubscriptions: filters });
    await this.answer('unsuback');
  }

  /** What was published before it is kept for `heard`. */
  private async answer<C extends 'suback' | 'unsuback'>(cmd: C): Promise<Heard<C>> {
    for (let waitedMs = 0; waitedMs < answerMs; waitedMs += soonMs) {
      await this.cluster.soon();
      const answer = (await this.take()).find((packet) => packet.cmd === cmd);
      if (answer !== undefined) return answer as Heard<C>;
    }
    throw new Error(`no ${cmd} came`);
  }

  /** What is no PUBLISH. */
  private async take(): Promise<Packet[]> {
    const packets = await this.peer.all();
    for (const packet of packets) if (packet.cmd === 'publish') this.published.push(packet);
    return packets.filter(({ cmd }) => cmd !== 'publish');
  }

  publish(topic: string, payload: string, qos: 0 | 1 | 2 = 0): void {
    this.peer.publish(topic, payload, { qos });
  }

  /** What was published to it by now; each as its payload and as many `!` as its QoS. Acknowledged. */
  async heard(): Promise<string[]> {
    await this.cluster.soon();
    await this.take();
    return this.published.splice(0).map(({ payload, qos, messageId }) => {
      if (qos > 0) this.peer.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: messageId! });
      return payload.toString() + '!'.repeat(qos);
    });
  }
}
