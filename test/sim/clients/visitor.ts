import { SimClient } from './client.js';

export interface VisitorOptions {
  /** An auto-delete queue that is there as long as somebody visits it. */
  readonly queue: string;
  readonly durable: boolean;
  readonly staysMs: number;
}

/** Declares an auto-delete queue, consumes from it for a while and goes; with the last visitor the queue goes, too. */
export class VisitorClient extends SimClient {
  readonly options: VisitorOptions;
  /** It declared the queue and went before it consumed: then the queue stays. */
  mayLeaveQueue = false;
  visits = 0;

  constructor(options: VisitorOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  protected async work(): Promise<void> {
    const { queue, durable, staysMs } = this.options;
    this.mayLeaveQueue = true;
    await this.ask({ kind: 'declare-queue', name: queue, durable, exclusive: false, autoDelete: true, arguments: {} });
    const tag = `${this.name}/${this.sessions}`;
    const wish = { tag, queue, acknowledges: true, exclusive: false, prefetch: 1, arguments: {} };
    await this.ask({ kind: 'consume', ...wish });
    this.mayLeaveQueue = false;
    this.visits++;
    await this.sleep(this.random.unit() * staysMs);
    this.check();
    if (this.random.chance(0.5)) await this.ask({ kind: 'cancel', tag });
  }

  /**
   * The last one went between its declaration and its wish to consume; or the queue came and went so fast that a node which hears of
   * etcd late was refused by one after another, and saw none of them.
   */
  protected override expects(key: string): boolean {
    return key === 'queueNotFound' || key === 'metadataUnavailable';
  }

  protected heard(): void {}
}
