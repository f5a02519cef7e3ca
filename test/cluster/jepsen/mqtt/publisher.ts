import type { Packet } from 'mqtt-packet';
import { type Scene, Wanderer } from './wanderer.js';

interface Under {
  readonly n: number;
  readonly topic: string;
  isReceived: boolean;
}

export interface PublisherPlan {
  readonly qos: 1 | 2;
  /** Taken in turn. */
  readonly topics: readonly string[];
  readonly retain: boolean;
  /** Messages a second. */
  readonly rate: number;
  /** Unanswered messages at most. */
  readonly window: number;
}

const idsMax = 65_535;

/** Publishes, keeps the identifiers of what is not answered, and sends that again on its next connection, wherever that is. */
export class MqttPublisher extends Wanderer {
  private readonly plan: PublisherPlan;
  /** By identifier, in the order in which they were sent first. */
  private readonly under = new Map<number, Under>();
  private readonly ticker: NodeJS.Timeout;
  private isDone = false;
  private n = 0;
  private id = 0;

  constructor(name: string, scene: Scene, plan: PublisherPlan) {
    super(name, scene);
    this.plan = plan;
    this.ticker = setInterval(() => this.publish(), 1000 / plan.rate);
  }

  /** Nothing new any more. */
  finish(): void {
    this.isDone = true;
    clearInterval(this.ticker);
  }

  /** Messages without their last answer. */
  get unanswered(): number {
    return this.under.size;
  }

  override end(): void {
    this.finish();
    super.end();
  }

  private publish(): void {
    const { topics, window } = this.plan;
    if (this.isDone || !this.isConnected || this.under.size >= window) return;
    const n = ++this.n;
    do this.id = (this.id % idsMax) + 1;
    while (this.under.has(this.id));
    this.under.set(this.id, { n, topic: topics[n % topics.length]!, isReceived: false });
    this.send(this.id, false);
  }

  private send(id: number, dup: boolean): void {
    const { n, topic, isReceived } = this.under.get(id)!;
    if (isReceived) {
      this.say({ cmd: 'pubrel', messageId: id });
      return;
    }
    const { qos, retain } = this.plan;
    this.scene.journal.write({ e: 'sent', c: this.name, k: this.k, p: this.name, n, topic, qos, id, dup });
    this.say({ cmd: 'publish', topic, payload: `${this.name} ${n}`, qos, retain, dup, messageId: id });
  }

  protected opened(isPresent: boolean): void {
    if (!isPresent) this.under.clear();
    for (const id of this.under.keys()) this.send(id, true);
  }

  protected heard(packet: Packet): void {
    if (packet.cmd !== 'puback' && packet.cmd !== 'pubrec' && packet.cmd !== 'pubcomp') return;
    const id = packet.messageId!;
    const code = packet.reasonCode ?? 0;
    const under = this.under.get(id);
    if (under === undefined) {
      // PUBREC of one that we have forgotten with its session, or PUBCOMP for a PUBREL that was sent twice.
      if (packet.cmd === 'pubrec') this.say({ cmd: 'pubrel', messageId: id });
      return;
    }
    // PUBREL of what a node does not know (0x92) is answered all the same.
    const isRefused = code >= 0x80 && packet.cmd !== 'pubcomp';
    const e = isRefused ? 'nacked' : packet.cmd === 'pubcomp' ? 'completed' : 'acked';
    const text = code === 0 ? packet.cmd : `${packet.cmd} 0x${code.toString(16)}`;
    this.scene.journal.write({ e, c: this.name, k: this.k, p: this.name, n: under.n, text });
    if (packet.cmd !== 'pubrec' || isRefused) this.under.delete(id);
    else {
      under.isReceived = true;
      this.say({ cmd: 'pubrel', messageId: id });
    }
  }
}
