import type { Published, QueueLife } from '../checks/facts.js';
import type { Tiding } from '../cluster/traffic.js';
import { SimClient } from './client.js';

/** What became of a message that was published to see where it goes. */
export type ProbeVerdict = 'routed' | 'returned' | 'refused' | 'lost';

interface Probe {
  readonly published: Published;
  readonly resolve: (verdict: ProbeVerdict) => void;
}

/** Publishes single messages for others, at once, from a node of its own. */
export class ProberClient extends SimClient {
  private readonly probes = new Map<number, Probe>();
  private nextTag = 1;
  private count = 0;

  protected async work(): Promise<void> {
    while (!this.isStopping) {
      await this.sleep(5_000);
      this.check();
    }
  }

  /** Where it is connected; null: nowhere at present. */
  get at(): string | null {
    return this.isConnected ? this.node : null;
  }

  /** `target`: where it must come to; null: nowhere. */
  probe(exchange: string, routingKey: string, target: QueueLife | null): Promise<ProbeVerdict> {
    if (!this.isConnected) return Promise.resolve('lost');
    const message = `${this.name}.${++this.count}`;
    const ordinal = this.nextTag++;
    const published: Published = {
      message,
      stream: `${this.name}/${this.sessions}`,
      ordinal,
      atMs: this.nowMs,
      node: this.node,
      persistent: false,
      priority: 0,
      targets: target === null ? [] : [target],
      routes: null,
      expiresMs: null,
      verdict: 'waiting',
      isReturned: false,
    };
    this.world.ledger.publishes(published);
    this.note(`probes ${exchange}/${routingKey} with ${message}`);
    this.send({
      kind: 'publish',
      exchange,
      routingKey,
      body: message,
      persistent: false,
      priority: 0,
      mandatory: true,
      expirationMs: -1,
      isHeld: false,
    });
    return new Promise((resolve) => this.probes.set(ordinal, { published, resolve }));
  }

  protected override lost(): void {
    const probes = [...this.probes.values()];
    this.probes.clear();
    this.nextTag = 1;
    for (const { published, resolve } of probes) {
      this.world.ledger.verdict(published, 'unknown');
      resolve('lost');
    }
  }

  protected heard(tiding: Tiding): void {
    if (tiding.kind === 'returned') {
      for (const { published } of this.probes.values())
        if (published.message === tiding.body) published.isReturned = true;
    } else if (tiding.kind === 'ack' || tiding.kind === 'nack') {
      for (const [tag, probe] of this.probes) {
        if (tag !== tiding.tag && !(tiding.kind === 'ack' && tiding.multiple && tag < tiding.tag)) continue;
        this.decide(tag, probe, tiding.kind === 'ack');
      }
    }
  }

  private decide(tag: number, { published, resolve }: Probe, isConfirmed: boolean): void {
    this.probes.delete(tag);
    this.world.ledger.verdict(published, isConfirmed ? 'confirmed' : 'refused');
    resolve(!isConfirmed ? 'refused' : published.isReturned ? 'returned' : 'routed');
  }
}
