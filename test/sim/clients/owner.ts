import { type ConsumerLife, consumerLife } from '../checks/facts.js';
import { SimClient } from './client.js';

export interface OwnerOptions {
  readonly queue: string;
  /** How long it keeps the queue at most. Milliseconds. */
  readonly keepMs: number;
}

/** Wants an exclusive queue of a certain name, as others do; has it for a while, and leaves. */
export class OwnerClient extends SimClient {
  private readonly options: OwnerOptions;
  private ownership: ConsumerLife | null = null;
  owned = 0;

  constructor(options: OwnerOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  protected async work(): Promise<void> {
    const { queue, keepMs } = this.options;
    const wish = { name: queue, durable: false, exclusive: true, autoDelete: false, arguments: {} };
    await this.ask({ kind: 'declare-queue', ...wish });
    this.owned++;
    this.note(`owns ${queue}`);
    // Ownership is like an exclusive consumer of something that only its name knows.
    this.ownership = consumerLife(
      {
        kind: 'owner',
        exclusive: true,
        name: `${this.name}/${this.sessions}@${this.node}`,
        node: this.node,
        life: null,
      },
      this.nowMs,
    );
    this.world.ledger.owns(queue, this.ownership);
    await this.sleep(this.random.unit() * keepMs);
    this.check();
  }

  /** Somebody else has it. */
  protected override expects(key: string): boolean {
    return key === 'resourceLocked';
  }

  protected override lost(): void {
    if (this.ownership !== null) this.ownership.endedMs = this.nowMs;
    this.ownership = null;
  }

  protected heard(): void {}
}
