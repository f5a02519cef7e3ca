import { shownValue } from '../arguments.js';
import { brokerError } from '../errors.js';
import type { ConsumerSpec, QueueConsumer } from './consumer.js';
import { Owners } from './owners.js';
import type { QueueProperties } from './queue-properties.js';
import { SingleActive } from './single-active.js';
import { TurnOrder } from './turn-order.js';

/** The consumers of a queue, and whose turn it is. */
export class Roster {
  readonly consumers = new Set<QueueConsumer>();
  readonly order = new TurnOrder();
  /** Those that hold messages and are no consumers: they were stopped, or only get. */
  readonly outside = new Set<QueueConsumer>();
  /** Null: all consumers are served. */
  readonly single: SingleActive | null;
  readonly owners = new Owners();
  private sole: QueueConsumer | null = null;
  private lastOrder = 0;

  constructor({ arguments: args }: QueueProperties) {
    this.single = args['x-single-active-consumer'] === true ? new SingleActive() : null;
  }

  /** Has the queue for itself; null: nobody. */
  get exclusive(): QueueConsumer | null {
    return this.sole;
  }

  /** Throws 403 when exclusiveness forbids another consumer, 405 when its owner is none any more, 406 for a priority that is no integer. */
  assertMayAttach(spec: ConsumerSpec, properties: QueueProperties): void {
    const { name, vhost } = properties;
    const wish = spec.arguments['x-priority'];
    if (!Number.isSafeInteger(spec.priority) || !(wish === undefined || Number.isSafeInteger(wish))) {
      const reason = `expected an integer, got ${shownValue(wish)}`;
      throw brokerError('invalidArgument', { argument: 'x-priority', kind: 'queue', name, vhost, reason });
    }
    const timeout = spec.arguments['x-consumer-timeout'];
    if (timeout !== undefined && !(Number.isSafeInteger(timeout) && (timeout as number) >= 0)) {
      const reason = `expected an integer of at least 0, got ${shownValue(timeout)}`;
      throw brokerError('invalidArgument', { argument: 'x-consumer-timeout', kind: 'queue', name, vhost, reason });
    }
    this.owners.assertServed(spec, properties);
    const isTaken = this.consumers.size > 0 || this.single !== null;
    if (this.sole !== null || (spec.exclusive && isTaken)) {
      throw brokerError('exclusiveConsumer', { queue: name, vhost });
    }
  }

  /** It has no credit yet. */
  add(consumer: QueueConsumer): void {
    consumer.order = ++this.lastOrder;
    this.consumers.add(consumer);
    if (consumer.spec.exclusive) this.sole = consumer;
    if (this.single !== null) this.queueUp(consumer, this.single);
    this.owners.heed(consumer, this);
  }

  /** It will only hold. Throws 405 when its owner is none any more. */
  addHolder(holder: QueueConsumer, properties: QueueProperties): void {
    this.owners.assertServed(holder.spec, properties);
    holder.end();
    this.owners.heed(holder, this);
  }

  private queueUp(consumer: QueueConsumer, single: SingleActive): void {
    const { current } = single;
    single.join(consumer);
    if (current === null || !single.isOutranked) return;
    this.order.leave(current);
    single.passOn();
  }

  /** False when it was not there. */
  remove(consumer: QueueConsumer): boolean {
    if (!this.consumers.delete(consumer)) return false;
    if (this.sole === consumer) this.sole = null;
    this.single?.leave(consumer);
    return true;
  }

  /** False when others are served instead. */
  mayJoin(consumer: QueueConsumer): boolean {
    return this.single === null || this.single.serves(consumer);
  }

  /** Returns those that were there. */
  clear(): QueueConsumer[] {
    const consumers = [...this.consumers];
    this.consumers.clear();
    this.sole = null;
    this.single?.clear();
    return consumers;
  }
}
