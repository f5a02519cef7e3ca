import type { IPublishPacket, Packet } from 'mqtt-packet';
import { type Scene, Wanderer, willPrefix } from './wanderer.js';

interface Had {
  readonly p: string;
  readonly n: number;
}

/** So long at most an acknowledgement waits when a client is slow, as it is for every other second or so. Milliseconds. */
const slowMaxMs = 400;
const slowEveryMs = 1500;
const subscribeId = 60_000;

/** Subscribes once, and hears what its session is sent, wherever it is. */
export class MqttSubscriber extends Wanderer {
  private readonly filters: readonly string[];
  private readonly qos: 1 | 2;
  /** Filters that a node has taken. */
  isSubscribed = false;
  /** Identifiers of QoS 2 that are not released, and of which messages they are. */
  private readonly known = new Map<number, Had>();
  /** What is to be acknowledged on this connection. */
  private due: (Had & { readonly id: number; readonly e: 'puback' | 'pubrec' })[] = [];

  constructor(name: string, scene: Scene, filters: readonly string[], qos: 1 | 2) {
    super(name, scene);
    this.filters = filters;
    this.qos = qos;
  }

  /** What is not acknowledged on the connection that brought it comes again. */
  protected override closed(): void {
    this.due = [];
  }

  protected opened(isPresent: boolean): void {
    if (!isPresent) {
      this.known.clear();
      this.isSubscribed = false;
    }
    if (this.isSubscribed) return;
    const subscriptions = this.filters.map((topic) => ({ topic, qos: this.qos }));
    this.say({ cmd: 'subscribe', messageId: subscribeId, subscriptions });
  }

  protected heard(packet: Packet): void {
    if (packet.cmd === 'suback') this.subscribed();
    else if (packet.cmd === 'publish') this.published(packet);
    else if (packet.cmd === 'pubrel') this.released(packet.messageId!);
  }

  private subscribed(): void {
    if (this.isSubscribed) return;
    this.isSubscribed = true;
    for (const filter of this.filters) {
      this.scene.journal.write({ e: 'subscribed', c: this.name, k: this.k, filter, qos: this.qos });
    }
  }

  private published({ qos, messageId, payload, topic, dup }: IPublishPacket): void {
    const id = messageId!;
    const had = this.recorded(topic, payload.toString(), qos, id, dup);
    if (qos === 2 && !this.known.has(id)) this.known.set(id, had);
    this.due.push({ ...had, id, e: qos === 1 ? 'puback' : 'pubrec' });
    const isSlow = Math.floor(Date.now() / slowEveryMs) % 2 === 0;
    if (isSlow) setTimeout(() => this.answer(), slowMaxMs);
    else this.answer();
  }

  /** In the order in which they came. [MQTT-4.6.0-2] */
  private answer(): void {
    for (const { e, id, p, n } of this.due.splice(0)) {
      this.scene.journal.write({ e, c: this.name, k: this.k, p, n, id });
      this.say({ cmd: e, messageId: id });
    }
  }

  private recorded(topic: string, text: string, qos: number, id: number, dup: boolean): Had {
    const { name: c, k } = this;
    const { journal } = this.scene;
    if (topic.startsWith(willPrefix)) {
      const of = topic.slice(willPrefix.length);
      journal.write({ e: 'will', c, k, of, n: Number(text), dup });
      return { p: of, n: Number(text) };
    }
    const [p, n] = text.split(' ');
    const had = { p: p!, n: Number(n) };
    journal.write({ e: 'came', c, k, ...had, topic, qos, id, dup, known: qos === 2 && this.known.has(id) });
    return had;
  }

  private released(id: number): void {
    const { name: c, k } = this;
    const had = this.known.get(id) ?? { p: 'nobody', n: 0 };
    this.scene.journal.write({ e: 'pubrel', c, k, ...had, id });
    this.known.delete(id);
    this.scene.journal.write({ e: 'pubcomp', c, k, ...had, id });
    this.say({ cmd: 'pubcomp', messageId: id });
  }
}
