import { type ConsumerLife, consumerLife, type QueueLife } from '../checks/facts.js';
import type { Tiding } from '../cluster/traffic.js';
import { SimClient } from './client.js';

export interface GetterOptions {
  readonly queue: string;
  readonly everyMs: number;
  /** Of 1: what it gives back. */
  readonly releases: number;
}

/** Takes messages one by one with basic.get, and settles each before the next. */
export class GetterClient extends SimClient {
  readonly options: GetterOptions;
  private consumer: ConsumerLife | null = null;
  received = 0;

  constructor(options: GetterOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  protected async work(): Promise<void> {
    const { queue, everyMs, releases } = this.options;
    const { ledger } = this.world;
    while (!this.isStopping) {
      const consumer = this.begin(ledger.queue(queue));
      const got = await this.ask({ kind: 'get', queue });
      if (got.kind === 'got') {
        this.note(`got ${got.body} from ${queue}${got.redelivered ? ' again' : ''}`);
        await this.sleep(this.random.unit() * 30);
        this.check();
        const outcome = this.random.chance(releases) ? 'release' : 'accept';
        const { deliveryTag } = got;
        ledger.settles(consumer, deliveryTag, outcome);
        this.send({ kind: 'settle', deliveryTag, outcome });
      }
      await this.sleep(this.random.unit() * everyMs);
      this.check();
    }
  }

  /** As long as it is the same queue, it is the same to it. */
  private begin(life: QueueLife | null): ConsumerLife {
    if (this.consumer !== null && this.consumer.life === life) return this.consumer;
    this.lost();
    const name = `${this.name}/${this.sessions}@${this.node}`;
    this.consumer = consumerLife({ kind: 'getter', name, node: this.node, life, prefetch: 1 }, this.nowMs);
    this.world.ledger.attaching(this.consumer);
    return this.consumer;
  }

  /** It may be between two lives. */
  protected override expects(key: string): boolean {
    return key === 'queueNotFound' && this.world.ledger.churned.has(this.options.queue);
  }

  protected override lost(): void {
    if (this.consumer !== null) this.world.ledger.detached(this.consumer);
    this.consumer = null;
  }

  protected heard(tiding: Tiding): void {
    if (tiding.kind !== 'got' || this.consumer === null) return;
    this.received++;
    this.world.ledger.delivered(this.consumer, tiding);
  }
}
