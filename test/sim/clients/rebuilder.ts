import type { QueueLife } from '../checks/facts.js';
import type { Question } from '../cluster/traffic.js';
import { SimClient } from './client.js';

export interface RebuilderOptions {
  /** As it was declared first. */
  readonly declaration: Question & { readonly kind: 'declare-queue' };
  readonly facts: Pick<QueueLife, 'name' | 'home'> & Partial<QueueLife>;
  /** How long it lets the queue be, at most. Milliseconds. */
  readonly everyMs: number;
}

/** Deletes a queue now and then, with all that is in it, and declares another one of its name. */
export class RebuilderClient extends SimClient {
  private readonly options: RebuilderOptions;
  private isWhole = true;
  rebuilt = 0;

  constructor(options: RebuilderOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
    this.world.ledger.churned.add(options.facts.name);
  }

  protected async work(): Promise<void> {
    const { everyMs } = this.options;
    if (!this.isWhole) await this.rebuild();
    while (!this.isStopping) {
      await this.sleep(this.random.unit() * everyMs);
      this.check();
      if (!this.isStopping) await this.rebuild();
    }
  }

  /** It does not leave before the queue is there again. */
  override get mayLeave(): boolean {
    return this.isWhole;
  }

  private async rebuild(): Promise<void> {
    const { declaration, facts } = this.options;
    const { ledger } = this.world;
    const life = ledger.queue(facts.name);
    if (life !== null) ledger.queueEnded(life);
    this.isWhole = false;
    await this.ask({ kind: 'delete-queue', name: facts.name });
    // From now on somebody may publish to it or consume.
    ledger.queueBorn(facts);
    await this.ask(declaration);
    this.isWhole = true;
    this.rebuilt++;
  }

  protected heard(): void {}
}
