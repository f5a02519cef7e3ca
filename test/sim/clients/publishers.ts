import type { Published } from '../checks/facts.js';
import type { Tiding } from '../cluster/traffic.js';
import { SimClient } from './client.js';

export interface PublisherOptions {
  /** Where to: a queue's name by the default exchange, or an exchange and a key. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Names of the queues that this leads to. */
  readonly queues: readonly string[];
  /** Between two bursts, at most. Milliseconds. */
  readonly everyMs: number;
  readonly burst: number;
  readonly persistent: boolean;
  /** Chance draws from 0 up to this one. */
  readonly priorityMax: number;
  /** Messages in all. */
  readonly count: number;
  /** Not confirmed so many: it waits. */
  readonly windowMax: number;
  /** What was refused or lost with a connection is published again. */
  readonly retries: boolean;
  /** Of each message; null: they have no time to live of their own. Milliseconds. */
  readonly expiresMs: number | null;
  /** Each burst is a transaction. */
  readonly transactions: boolean;
}

export const publisherDefaults: Omit<PublisherOptions, 'queues' | 'exchange' | 'routingKey'> = {
  everyMs: 20,
  burst: 4,
  persistent: true,
  priorityMax: 0,
  count: Number.POSITIVE_INFINITY,
  windowMax: 40,
  retries: false,
  expiresMs: null,
  transactions: false,
};

/** Publishes with confirms, in bursts. */
export class PublisherClient extends SimClient {
  readonly options: PublisherOptions;
  private nextMessage = 1;
  /** By tag, without a verdict; of this connection. */
  private waiting = new Map<number, Published>();
  private nextTag = 1;
  private again: string[] = [];
  confirmed = 0;
  refused = 0;
  returned = 0;

  constructor(options: PublisherOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  protected async work(): Promise<void> {
    const { everyMs, windowMax, count } = this.options;
    while (!this.isStopping && (this.nextMessage <= count || this.again.length > 0)) {
      if (this.waiting.size < windowMax) this.burst();
      if (this.options.transactions) await this.commit();
      await this.sleep(this.random.unit() * everyMs);
      this.check();
    }
    // It stays until every message has its verdict; who waits too long for it is found by the checks.
    while (this.waiting.size > 0 && this.isConnected) await this.wait(5);
    if (!this.isStopping) await this.sleep(Number.MAX_SAFE_INTEGER);
  }

  /** All that was published since the last one has its verdict when it is answered; an error takes the connection. */
  private async commit(): Promise<void> {
    if (this.waiting.size === 0) return;
    await this.ask({ kind: 'commit' });
    const committed = [...this.waiting.values()];
    this.waiting.clear();
    for (const published of committed) {
      this.confirmed++;
      this.world.ledger.verdict(published, 'confirmed');
    }
  }

  /** A transaction of which something is refused, as when a node dies or a queue is full, is told so by an error. */
  protected override expects(key: string): boolean {
    return key === 'txRefused' && this.options.transactions;
  }

  private burst(): void {
    const size = 1 + this.random.integer(this.options.burst);
    for (let i = 0; i < size; i++) {
      const message = this.again.shift() ?? this.fresh();
      if (message === null) return;
      this.publish(message);
    }
  }

  private fresh(): string | null {
    return this.nextMessage > this.options.count ? null : `${this.name}.${this.nextMessage++}`;
  }

  private publish(message: string): void {
    const { exchange, routingKey, queues, persistent, priorityMax, expiresMs, transactions: isHeld } = this.options;
    const priority = priorityMax === 0 ? 0 : this.random.integer(priorityMax + 1);
    const { ledger } = this.world;
    const targets = queues.flatMap((name) => ledger.queue(name) ?? []);
    const letters = targets.flatMap(({ deadLettersTo }) => deadLettersTo ?? []);
    const ordinal = this.nextTag++;
    const published: Published = {
      message,
      stream: `${this.name}/${this.sessions}`,
      ordinal,
      atMs: this.nowMs,
      node: this.node,
      persistent,
      priority,
      targets,
      routes: [...queues, ...letters],
      expiresMs,
      verdict: 'waiting',
      isReturned: false,
    };
    ledger.publishes(published);
    this.waiting.set(ordinal, published);
    this.note(`publishes ${message}`);
    const more = { persistent, priority, mandatory: true, expirationMs: expiresMs ?? -1, isHeld };
    this.send({ kind: 'publish', exchange, routingKey, body: message, ...more });
  }

  protected override lost(): void {
    const { waiting } = this;
    this.waiting = new Map();
    this.nextTag = 1;
    for (const published of waiting.values()) {
      this.world.ledger.verdict(published, 'unknown');
      if (this.options.retries) this.again.push(published.message);
    }
  }

  protected heard(tiding: Tiding): void {
    if (tiding.kind === 'ack') this.acked(tiding.tag, tiding.multiple);
    else if (tiding.kind === 'nack') this.nacked(tiding.tag, tiding.why);
    else if (tiding.kind === 'returned') this.cameBack(tiding.body);
  }

  private acked(tag: number, multiple: boolean): void {
    this.note(`confirmed ${multiple ? 'up to ' : ''}${tag}`);
    if (!multiple && !this.waiting.has(tag))
      this.world.ledger.violation(`${this.name}: a second verdict on tag ${tag}`);
    for (const [each, published] of this.waiting) {
      if (each !== tag && !(multiple && each < tag)) continue;
      this.waiting.delete(each);
      this.confirmed++;
      this.world.ledger.verdict(published, 'confirmed');
    }
  }

  private nacked(tag: number, why: string): void {
    this.note(`refused ${tag}: ${why}`);
    const published = this.waiting.get(tag);
    if (published === undefined) {
      this.world.ledger.violation(`${this.name}: a second verdict on tag ${tag}`);
      return;
    }
    this.waiting.delete(tag);
    this.refused++;
    this.world.ledger.verdict(published, 'refused');
    if (this.options.retries) this.again.push(published.message);
  }

  private cameBack(message: string): void {
    this.returned++;
    for (const published of this.waiting.values()) {
      if (published.message !== message) continue;
      published.isReturned = true;
      this.world.ledger.returned(published);
    }
  }
}
