import { SimClient } from './client.js';

export interface PurgerOptions {
  readonly queue: string;
  /** Between two purges, at most. Milliseconds. */
  readonly everyMs: number;
}

/** A purge that nobody answered may still be carried out so long afterwards. Milliseconds. */
const lateMs = 10_000;

/** Purges a queue now and then. */
export class PurgerClient extends SimClient {
  private readonly options: PurgerOptions;
  purged = 0;

  constructor(options: PurgerOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  protected async work(): Promise<void> {
    const { queue, everyMs } = this.options;
    while (!this.isStopping) {
      await this.sleep(this.random.unit() * everyMs);
      this.check();
      if (this.isStopping) return;
      const life = this.world.ledger.queue(queue);
      const beforeMs = life?.purgedMs ?? 0;
      if (life !== null) life.purgedMs = Math.max(beforeMs, this.nowMs + lateMs);
      await this.ask({ kind: 'purge-queue', name: queue });
      this.purged++;
      if (life !== null) life.purgedMs = Math.max(beforeMs, this.nowMs);
    }
  }

  /** Somebody deletes it at times. */
  protected override expects(key: string): boolean {
    return key === 'queueNotFound' && this.world.ledger.churned.has(this.options.queue);
  }

  protected heard(): void {}
}
