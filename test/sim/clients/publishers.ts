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
}

export const publisherDefaults: Omit<PublisherOptions, 'queues' | 'exchange' | 'routingKey'> = {
  everyMs: 20,
  burst: 4,
  persistent: true,
  priorityMax: 0,
  count: Number.POSITIVE_INFINITY,
  windowMax: 40,
  retries: false,
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
      await this.sleep(this.random.unit() * everyMs);
      this.check();
    }
    // It stays until every message has its verdict; who waits too long for it is found by the checks.
    while (this.waiting.size > 0 && this.isConnected) await this.wait(5);
    if (!this.isStopping) await this.sleep(Number.MAX_SAFE_INTEGER);
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
    const { exchange, routingKey, queues, persistent, priorityMax } = this.options;
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
      verdict: 'waiting',
      isReturned: false,
    };
    ledger.publishes(published);
    this.waiting.set(ordinal, published);
    this.note(`publishes ${message}`);
    this.send({ kind: 'publish', exchange, routingKey, body: message, persistent, priority, mandatory: true });
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
