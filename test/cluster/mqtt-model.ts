import { SimRandom } from '@chapar/platform';
import type { IConnackPacket, IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet';
import type { MqttPeer } from '../protocol/mqtt/peer.js';
import { MqttCluster, type MqttNode } from './mqtt-cluster.js';

const lasting = { sessionExpiryInterval: 100_000 };
const willTopic = 'w';
/** What a client that takes its time lets come before it has acknowledged any of it. */
const slowMaximum = 10;
const topicOf = (qos: 1 | 2): string => `t${qos}`;

/** A client with a session that is kept, who keeps to the specification and comes to whichever node. */
abstract class Wanderer {
  peer: MqttPeer | null = null;
  node: MqttNode | null = null;
  isOpen = false;
  readonly wrongs: string[] = [];
  protected readonly id: string;
  private hadSession = false;
  private readonly properties: object;

  constructor(id: string, properties: object = lasting) {
    this.id = id;
    this.properties = properties;
  }

  connect(cluster: MqttCluster, node: MqttNode, isAbrupt: boolean): void {
    if (isAbrupt) this.peer?.wire.destroy();
    this.isOpen = false;
    this.node = node;
    this.peer = cluster.peer(node, this.id, this.wish());
  }

  protected wish(): Partial<IConnectPacket> {
    return { clean: false, properties: this.properties };
  }

  /** Whatever came. True when there is nobody on the other side. */
  hear(): boolean {
    const { peer } = this;
    if (peer === null) return true;
    for (const packet of peer.taken()) {
      if (packet.cmd === 'connack') this.admitted(packet);
      else if (this.isOpen) this.heard(packet);
    }
    if (peer.isOver) this.leave();
    return this.peer === null;
  }

  leave(): void {
    this.peer = null;
    this.isOpen = false;
  }

  private admitted({ reasonCode, sessionPresent }: IConnackPacket): void {
    if (reasonCode !== 0) return;
    if (this.hadSession && !sessionPresent) this.wrongs.push(`${this.id} had a session, and has none`);
    this.hadSession = true;
    this.isOpen = true;
    this.opened(sessionPresent);
  }

  protected say(packet: Packet): void {
    this.peer!.send(packet);
  }

  protected abstract opened(sessionPresent: boolean): void;
  protected abstract heard(packet: Packet): void;
}

class Hearer extends Wanderer {
  /** By QoS. */
  readonly texts: { 1: string[]; 2: string[] } = { 1: [], 2: [] };
  readonly wills: string[] = [];
  isSubscribed = false;
  private readonly known = new Set<number>();
  /** Of a client that takes its time: how many it acknowledges now, of so many that it has not. Null: all at once. */
  private readonly haste: ((owed: number) => number) | null;
  private owed: Packet[] = [];
  /** Of the last message that came on this connection. */
  private lastId = 0;

  constructor(id: string, haste: ((owed: number) => number) | null) {
    super(id, haste === null ? lasting : { ...lasting, receiveMaximum: slowMaximum });
    this.haste = haste;
  }

  override hear(): boolean {
    const isAway = super.hear();
    const { owed, haste } = this;
    if (haste !== null && this.isOpen) for (const packet of owed.splice(0, haste(owed.length))) this.say(packet);
    return isAway;
  }

  protected opened(): void {
    this.owed = [];
    this.lastId = 0;
    if (this.isSubscribed) return;
    const subscriptions = ([1, 2] as const).map((qos) => ({ topic: topicOf(qos), qos }));
    subscriptions.push({ topic: willTopic, qos: 2 });
    this.say({ cmd: 'subscribe', messageId: 60_000, subscriptions });
  }

  protected heard(packet: Packet): void {
    if (packet.cmd === 'suback') this.isSubscribed = true;
    else if (packet.cmd === 'publish') this.published(packet);
    else if (packet.cmd === 'pubrel') {
      this.known.delete(packet.messageId!);
      this.say({ cmd: 'pubcomp', messageId: packet.messageId! });
    }
  }

  private published({ qos, messageId, payload, topic }: IPublishPacket): void {
    const id = messageId!;
    if (qos === 1) this.texts[1].push(payload.toString());
    else if (!this.known.has(id)) (topic === willTopic ? this.wills : this.texts[2]).push(payload.toString());
    if (qos === 2) this.known.add(id);
    this.inOrder(id);
    const answer: Packet = { cmd: qos === 1 ? 'puback' : 'pubrec', messageId: id };
    if (this.haste === null) this.say(answer);
    else this.owed.push(answer);
  }

  /** [MQTT-4.6.0-1]: what comes again comes in its order, before what is new. An identifier says which place its message has in the queue. */
  private inOrder(id: number): void {
    if (id <= this.lastId) this.wrongs.push(`identifier ${id} came behind ${this.lastId} on one connection`);
    this.lastId = id;
  }
}

interface Under {
  readonly text: string;
  readonly qos: 1 | 2;
  isReleased: boolean;
}

class Teller extends Wanderer {
  /** Promised, by QoS. */
  readonly told: { 1: string[]; 2: string[] } = { 1: [], 2: [] };
  readonly refused: string[] = [];
  readonly under = new Map<number, Under>();
  /** How often it was published. */
  readonly sent = new Map<string, number>();
  private count = 0;

  tell(qos: 1 | 2): void {
    if (this.under.size >= 10) return;
    const messageId = (++this.count % 1000) + 1;
    const text = `${this.count}`;
    this.under.set(messageId, { text, qos, isReleased: false });
    if (this.isOpen) this.send(messageId, false);
  }

  protected opened(): void {
    for (const id of this.under.keys()) this.send(id, true);
  }

  private send(messageId: number, dup: boolean): void {
    const { text, qos, isReleased } = this.under.get(messageId)!;
    if (isReleased) this.say({ cmd: 'pubrel', messageId });
    else {
      this.sent.set(text, (this.sent.get(text) ?? 0) + 1);
      this.peer!.publish(topicOf(qos), text, { qos, messageId, dup });
    }
  }

  protected heard(packet: Packet): void {
    const { cmd, messageId } = packet;
    const under = this.under.get(messageId!);
    if (under === undefined) return;
    if (cmd !== 'pubcomp' && (packet as { reasonCode?: number }).reasonCode! >= 0x80) {
      // It was not taken, and the client was told so.
      this.under.delete(messageId!);
      this.refused.push(under.text);
    } else if (cmd === 'pubrec') {
      under.isReleased = true;
      this.say({ cmd: 'pubrel', messageId: messageId! });
    } else if (cmd === 'puback' || cmd === 'pubcomp') {
      this.under.delete(messageId!);
      this.told[under.qos].push(under.text);
    }
  }
}

/** Leaves a will with each of its connections. */
class Mourner extends Wanderer {
  /** With connections that were let in, and that ended without a goodbye. */
  readonly left: string[] = [];
  /** Taken back, perhaps before the node heard of it. */
  readonly takenBack: string[] = [];
  private count = 0;
  private isLetIn = false;

  protected override wish(): Partial<IConnectPacket> {
    this.over();
    this.count++;
    return {
      ...super.wish(),
      will: { topic: willTopic, payload: Buffer.from(`${this.count}`), qos: 2, retain: false },
    };
  }

  /** The connection is not its own any more. */
  private over(): void {
    if (this.isLetIn) this.left.push(`${this.count}`);
    this.isLetIn = false;
  }

  override leave(): void {
    this.over();
    super.leave();
  }

  goodbye(): void {
    if (!this.isLetIn) return;
    this.isLetIn = false;
    this.takenBack.push(`${this.count}`);
    this.say({ cmd: 'disconnect' });
  }

  protected opened(): void {
    this.isLetIn = true;
  }

  protected heard(): void {}
}

/**
 * Clients that go from node to node, one that publishes, one that subscribes and one that leaves wills, while nodes die and are cut off.
 */
export class MqttModel {
  readonly hearer: Hearer;
  readonly teller = new Teller('teller');
  readonly mourner = new Mourner('mourner');
  takeovers = 0;
  private readonly cluster: MqttCluster;
  private readonly random: SimRandom;
  private readonly dead = new Set<MqttNode>();

  constructor(cluster: MqttCluster, random: SimRandom, haste: ((owed: number) => number) | null) {
    this.cluster = cluster;
    this.random = random;
    this.hearer = new Hearer('hearer', haste);
  }

  private get clients() {
    return [this.hearer, this.teller, this.mourner] as const;
  }

  get nodes(): MqttNode[] {
    return this.cluster.nodes.filter((node) => !this.dead.has(node));
  }

  async run(ms: number, isWandering = true): Promise<void> {
    for (let left = ms; left > 0; ) {
      if (isWandering && this.random.unit() < 0.5) this.teller.tell(this.random.unit() < 0.5 ? 1 : 2);
      const stepMs = 1 + this.random.integer(30);
      await this.cluster.soon(stepMs);
      left -= stepMs;
      for (const client of this.clients) {
        const isAway = client.hear();
        const often = client === this.mourner ? 0.03 : 0.005;
        const wants = isWandering ? this.random.unit() < (isAway ? 0.1 : often) : isAway;
        if (!wants) continue;
        if (!isAway && this.random.unit() < 0.2) this.mourner.goodbye();
        this.takeovers++;
        client.connect(this.cluster, pick(this.random, this.nodes), this.random.unit() < 0.5);
      }
    }
  }

  /** The node where the one that subscribes is, and the one that leads its queue, as that one knows; null: they are one, or nobody knows. */
  get farFromQueue(): readonly [MqttNode, MqttNode] | null {
    const { node } = this.hearer;
    if (node === null) return null;
    const home = node.at.broker.topology.vhosts.get('/')?.queues.get('mqtt-subscription-hearerqos1')?.home;
    const leader = this.nodes.find(({ at }) => at.name === home);
    return leader === undefined || leader === node ? null : [node, leader];
  }

  kill(node: MqttNode): void {
    this.dead.add(node);
    node.at.kill();
    for (const client of this.clients) if (client.node === node) client.leave();
  }

  async restart(node: MqttNode): Promise<void> {
    this.cluster.nodes.splice(this.cluster.nodes.indexOf(node), 1);
    this.dead.delete(node);
    await this.cluster.start(node.at.member);
  }

  /** Which came later than one that was published behind them. */
  get late(): string[] {
    return ([1, 2] as const).flatMap((qos) => {
      // What was refused may come all the same, of which nothing is promised.
      const promised = this.hearer.texts[qos].filter((text) => !this.teller.refused.includes(text));
      const firsts = [...new Set(promised)].map(Number);
      return firsts.filter((each, at) => at > 0 && each < firsts[at - 1]!).map((each) => `QoS ${qos}: ${each}`);
    });
  }

  /** What must not be, whatever happens. */
  wrongs(): string[] {
    const { hearer, teller, mourner } = this;
    const wrongs = [...hearer.wrongs, ...teller.wrongs, ...mourner.wrongs];
    for (const text of mourner.left) if (!hearer.wills.includes(text)) wrongs.push(`the will ${text} is lost`);
    for (const text of twiceIn(hearer.wills)) wrongs.push(`the will ${text} came twice`);
    for (const qos of [1, 2] as const) {
      const heard = hearer.texts[qos];
      for (const text of teller.told[qos]) if (!heard.includes(text)) wrongs.push(`QoS ${qos}: ${text} is lost`);
    }
    for (const text of this.twice)
      wrongs.push(`QoS 2: ${text} came twice, and was sent ${teller.sent.get(text)} times`);
    return wrongs;
  }

  /** Of QoS 2, those that came more than once. */
  get twice(): string[] {
    return twiceIn(this.hearer.texts[2]);
  }
}

/**
 * One run of so many troubles; with none the clients wander for a while. `isSlow`: the one that subscribes acknowledges late, so that
 * something is in hand when it goes, and its node may lose sight of that of its queue alone: the session goes on while whoever had it cannot let go.
 */
export async function playMqtt(seed: number, rounds: number, isSlow = false): Promise<MqttModel> {
  const random = new SimRandom(seed);
  const pace = new SimRandom(seed + 1_000_000);
  const haste = isSlow ? (owed: number): number => (pace.unit() < 0.1 ? pace.integer(owed + 1) : 0) : null;
  const cluster = new MqttCluster(seed);
  for (const name of ['a', 'b', 'c']) await cluster.add(name);
  await cluster.soon(10_000);
  const model = new MqttModel(cluster, random, haste);
  while (!model.hearer.isSubscribed) await model.run(500, false);
  for (let round = 0; round < rounds; round++) {
    await model.run(random.integer(2000));
    const node = pick(random, model.nodes);
    const lengthMs = random.unit() < 0.5 ? random.integer(2000) : 8000 + random.integer(6000);
    const isDeath = random.unit() < 0.5;
    const pair = isSlow && pace.unit() < 0.6 ? model.farFromQueue : null;
    if (pair !== null) cluster.sever(...pair, true);
    else if (isDeath) model.kill(node);
    else cluster.isolate(node, true);
    await model.run(lengthMs);
    if (pair !== null) cluster.sever(...pair, false);
    else if (isDeath) await model.restart(node);
    else cluster.isolate(node, false);
    await model.run(random.integer(4000));
  }
  if (rounds === 0) await model.run(20_000);
  await cluster.soon(30_000);
  await model.run(20_000, false);
  return model;
}

function twiceIn(texts: readonly string[]): string[] {
  const seen = new Set<string>();
  return texts.filter((text) => seen.has(text) || !seen.add(text));
}

function pick<T>(random: SimRandom, from: readonly T[]): T {
  return from[random.integer(from.length)]!;
}
