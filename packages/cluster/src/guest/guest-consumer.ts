import type {
  Consumer,
  ConsumerSpec,
  Delivery,
  DeliverySink,
  DetachReason,
  Message,
  Outcome,
  Position,
  Queue,
  QueueConsumer,
} from '@chapar/core';

/** Of deliveries that are on their way to the peer and were not passed on there; with more, others have their turn. Bytes. */
const underWayMax = 2 * 1024 * 1024;
const overheadBytes = 64;

/** Where deliveries to a peer go. */
export interface DeliveryWriter {
  /** False: the way is full. */
  write(consumer: GuestConsumer, position: Position, redelivered: boolean, message: Message): boolean;
  detached(consumer: GuestConsumer, why: DetachReason): void;
}

/** Stands at its queue for a consumer of another node. */
export class GuestConsumer implements DeliverySink {
  /** The peer's name for it. */
  readonly id: number;
  readonly queue: Queue;
  readonly isHolder: boolean;
  private readonly writer: DeliveryWriter;
  private readonly consumer: QueueConsumer;
  private readonly held = new Map<Position, Delivery>();
  private underWay = 0;
  private isStopped = false;
  /** The messages that it claims are looked for; more credit waits. Null: they are not. */
  private claimingCredit: number | null = null;
  /** The peer has named it since the link is there. */
  isClaimed = true;

  /** Throws what `Queue.attach` throws. */
  constructor(
    id: number,
    queue: Queue,
    spec: Omit<ConsumerSpec, 'window'>,
    isHolder: boolean,
    writer: DeliveryWriter,
    isStopped = isHolder,
  ) {
    this.id = id;
    this.queue = queue;
    this.isHolder = isHolder;
    this.writer = writer;
    // A window is its channel's, which is kept there.
    const own = { ...spec, window: null };
    this.consumer = isStopped ? queue.holder(own, this) : queue.attach(own, this);
    this.isStopped = isStopped;
  }

  /** Its place among all of the queue; 0: it is none of its consumers. */
  get order(): number {
    return this.consumer.order;
  }

  get isOver(): boolean {
    return this.isStopped && this.held.size === 0 && !this.isClaiming;
  }

  /** The messages that it claims are looked for. */
  get isClaiming(): boolean {
    return this.claimingCredit !== null;
  }

  /** The consumer that gets for the peer. */
  get holder(): QueueConsumer {
    return this.consumer;
  }

  // ---- deliveries ------------------------------------------------------------------------------------------------

  deliver(_consumer: Consumer, message: Message, redelivered: boolean, delivery: Delivery | null): boolean {
    if (delivery !== null) this.held.set(delivery.position, delivery);
    this.underWay += message.bodyBytes + overheadBytes;
    const mayWrite = this.writer.write(this, delivery?.position ?? 0, redelivered, message);
    return mayWrite && this.underWay < underWayMax;
  }

  detached(_consumer: Consumer, why: DetachReason): void {
    this.isStopped = true;
    if (why !== 'consumer-timeout') this.held.clear();
    this.writer.detached(this, why);
  }

  /** It holds a message that it got. */
  got(delivery: Delivery): void {
    this.held.set(delivery.position, delivery);
  }

  // ---- what the peer says ----------------------------------------------------------------------------------------

  passed(bytes: number): void {
    this.underWay -= bytes;
    this.resume();
  }

  /** The way has room. */
  resume(): void {
    if (this.underWay < underWayMax) this.consumer.resume();
  }

  grant(credit: number): void {
    if (this.claimingCredit !== null) this.claimingCredit += credit;
    else if (!this.isStopped) this.consumer.grant(credit);
  }

  /** Carries out a verdict; one on what it does not hold is of an earlier life, or was carried out before the link broke. */
  settle(outcome: Outcome, first: Position, count: number): void {
    for (let position = first; position < first + count; position++) {
      const delivery = this.held.get(position);
      if (delivery === undefined) continue;
      this.held.delete(position);
      this.consumer.settle(delivery as Parameters<QueueConsumer['settle']>[0], outcome);
    }
  }

  /** It held these under another leader. `done` is given those that somebody else has got since, or that are settled. */
  claim(positions: readonly Position[], credit: number, done: (lost: readonly Position[]) => void): void {
    this.claimingCredit = credit;
    this.queue.claim(this.consumer, positions, (deliveries) => {
      for (const delivery of deliveries) this.held.set(delivery.position, delivery);
      const due = this.claimingCredit ?? 0;
      this.claimingCredit = null;
      if (!this.isStopped) this.consumer.setCredit(due);
      done(positions.filter((position) => !this.held.has(position)));
    });
  }

  stop(): void {
    this.isStopped = true;
    void this.consumer.stop();
  }

  /** The link is there again: what did not arrive is given back, and the credit is what the peer says. */
  reconcile(claims: readonly Position[], credit: number): void {
    this.isClaimed = true;
    this.underWay = 0;
    const claimed = new Set(claims);
    this.consumer.setCredit(0);
    for (const [position, delivery] of [...this.held]) {
      if (claimed.has(position)) continue;
      this.held.delete(position);
      this.consumer.settle(delivery as Parameters<QueueConsumer['settle']>[0], 'release');
    }
    if (this.isStopped) return;
    this.consumer.resume();
    if (this.claimingCredit !== null) this.claimingCredit = credit;
    else this.consumer.setCredit(credit);
  }

  /** The link is not there: nothing more is sent into the void. */
  suspend(): void {
    this.isClaimed = false;
    if (!this.isStopped) this.consumer.pause();
  }

  /** The peer is gone, or has let it go: what it holds is ready again. */
  leave(): void {
    this.isStopped = true;
    this.held.clear();
    this.consumer.detach();
  }
}
