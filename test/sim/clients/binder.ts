import { type ConsumerLife, consumerLife, type QueueLife } from '../checks/facts.js';
import type { Tiding } from '../cluster/traffic.js';
import { SimClient } from './client.js';
import type { ProberClient } from './prober.js';

export interface BinderOptions {
  /** A direct exchange. */
  readonly exchange: string;
  /** Between two things that it does, at most. Milliseconds. */
  readonly everyMs: number;
}

/**
 * Declares queues of its own, binds and unbinds them, and as soon as that is answered has somebody on another node publish to them: what
 * was answered is true everywhere.
 */
export class BinderClient extends SimClient {
  private readonly options: BinderOptions;
  private readonly prober: ProberClient;
  private life: QueueLife | null = null;
  private consumer: ConsumerLife | null = null;
  probed = 0;

  constructor(options: BinderOptions, prober: ProberClient, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
    this.prober = prober;
  }

  protected async work(): Promise<void> {
    const { exchange, everyMs } = this.options;
    while (!this.isStopping) {
      const life = await this.declare();
      await this.expect('declared', '', life.name, life, 'routed');
      await this.consume(life);
      const binding = { exchange, routingKey: life.name, queue: life.name };
      await this.ask({ kind: 'bind', ...binding });
      await this.expect('bound', exchange, life.name, life, 'routed');
      await this.sleep(this.random.unit() * everyMs);
      await this.ask({ kind: 'unbind', ...binding });
      await this.expect('unbound', exchange, life.name, null, 'returned');
      // What was published to it is on its way.
      await this.wait(50);
      this.forget();
      if (this.random.chance(0.3)) return;
      await this.ask({ kind: 'delete-queue', name: life.name });
      await this.expect('deleted', '', life.name, null, 'returned');
      await this.sleep(this.random.unit() * everyMs);
    }
  }

  private async declare(): Promise<QueueLife> {
    const wish = { name: '', durable: false, exclusive: true, autoDelete: false, arguments: {} };
    const answer = await this.ask({ kind: 'declare-queue', ...wish });
    const name = answer.kind === 'answer' ? String(answer.value) : '';
    this.life = this.world.ledger.queueBorn({ name, home: this.node, isDurable: false });
    return this.life;
  }

  private async consume(life: QueueLife): Promise<void> {
    const { ledger } = this.world;
    const tag = `${this.name} of ${life.name}`;
    const consumer = consumerLife({ name: `${tag}@${this.node}`, node: this.node, life }, this.nowMs);
    this.consumer = consumer;
    ledger.attaching(consumer);
    const wish = { tag, queue: life.name, acknowledges: true, exclusive: false, prefetch: 0, arguments: {} };
    await this.ask({ kind: 'consume', ...wish });
    ledger.attached(consumer);
  }

  /** Somebody else publishes there now. */
  private async expect(
    what: string,
    exchange: string,
    routingKey: string,
    target: QueueLife | null,
    expected: 'routed' | 'returned',
  ): Promise<void> {
    this.check();
    const { troubles } = this.world.ledger;
    const { at } = this.prober;
    const wasCalm = troubles.isCalm(this.nowMs);
    const verdict = await this.prober.probe(exchange, routingKey, target);
    if (verdict === 'lost') return;
    this.probed++;
    const isExcused = !wasCalm || !troubles.isCalm(this.nowMs) || !this.isConnected;
    if (verdict === expected || isExcused) return;
    this.world.ledger.violation(
      `${this.name}: ${routingKey} was ${what} at ${this.node}, and a message published at ${at} right after is ${verdict}`,
    );
  }

  protected override lost(): void {
    this.forget();
  }

  private forget(): void {
    if (this.consumer !== null) this.world.ledger.detached(this.consumer);
    if (this.life !== null) this.world.ledger.queueEnded(this.life);
    this.consumer = this.life = null;
  }

  protected heard(tiding: Tiding): void {
    const { consumer } = this;
    if (tiding.kind !== 'deliver' || consumer === null) return;
    const { deliveryTag } = tiding;
    this.note(`got ${tiding.body}`);
    this.world.ledger.delivered(consumer, tiding);
    this.world.ledger.settles(consumer, deliveryTag, 'accept');
    this.send({ kind: 'settle', deliveryTag, outcome: 'accept' });
  }
}
