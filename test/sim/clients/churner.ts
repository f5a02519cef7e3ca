import { SimClient } from './client.js';

export interface ChurnerOptions {
  /** A direct exchange. */
  readonly exchange: string;
  /** Between two things that it does, at most. Milliseconds. */
  readonly everyMs: number;
}

/** How many names it uses again and again. */
const namesMax = 4;

/** Declares, binds, unbinds and deletes durable queues, without any sense; what comes of it must be the same on every node. */
export class ChurnerClient extends SimClient {
  private readonly options: ChurnerOptions;
  done = 0;

  constructor(options: ChurnerOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  protected async work(): Promise<void> {
    while (!this.isStopping) {
      await this.something(`${this.name}-${this.random.integer(namesMax)}`);
      this.done++;
      await this.sleep(this.random.unit() * this.options.everyMs);
      this.check();
    }
  }

  private async something(queue: string): Promise<void> {
    const { exchange } = this.options;
    const binding = { exchange, routingKey: `${this.name} ${this.random.integer(3)}`, queue };
    const drawn = this.random.unit();
    const wish = { name: queue, durable: true, exclusive: false, autoDelete: false, arguments: {} };
    if (drawn < 0.35) await this.ask({ kind: 'declare-queue', ...wish });
    else if (drawn < 0.65) await this.ask({ kind: 'bind', ...binding });
    else if (drawn < 0.85) await this.ask({ kind: 'unbind', ...binding });
    else await this.ask({ kind: 'delete-queue', name: queue });
  }

  /** It binds what it has not declared. */
  protected override expects(key: string): boolean {
    return key === 'queueNotFound';
  }

  protected heard(): void {}
}
