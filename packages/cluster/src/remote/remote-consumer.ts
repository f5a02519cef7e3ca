import type {
  Consumer,
  ConsumerActivity,
  ConsumerSpec,
  Delivery,
  DeliverySink,
  DetachReason,
  HeirConsumer,
  Later,
  Message,
  Outcome,
  Position,
  QueueConsumer,
  SharedQueue,
  Window,
  WindowMember,
} from '@chapar/core';
import { RemoteDelivery } from './remote-delivery.js';

/** What each delivery costs beside its body, where bytes on their way are counted. */
const overheadBytes = 64;

/** Where a consumer says what its queue is to know. */
export interface ConsumerHost {
  /** It has something to tell at the end of the turn. */
  touch(consumer: RemoteConsumer): void;
  settle(consumer: RemoteConsumer, position: Position, outcome: Outcome): void;
  /** Resolves when its queue counts it no more, or nobody can tell. */
  stopConsumer(consumer: RemoteConsumer): Promise<void>;
  /** It holds nothing and gets nothing any more. */
  forget(consumer: RemoteConsumer): void;
}

export interface HostedQueue extends SharedQueue {
  readonly host: ConsumerHost;
}

interface Arrived {
  readonly position: Position;
  readonly redelivered: boolean;
  readonly message: Message;
}

/**
 * A consumer on this node of a queue that lives on another: there a consumer of the queue's own stands for it, which decides what comes
 * and when. Here are the door's side, the credit as it was granted, and what is held, for the case that the link breaks.
 */
export class RemoteConsumer implements HeirConsumer, WindowMember {
  readonly id: number;
  /** Another stands in its place when it is mirrored. */
  queue: HostedQueue;
  /** What its door knows it as: a consumer of the queue that lived on this node before it was mirrored, as a rule itself. */
  readonly shown: Consumer;
  readonly spec: ConsumerSpec;
  readonly sink: DeliverySink;
  /** Somebody who only gets. */
  readonly isHolder: boolean;
  readonly window: Window | null;
  /** Granted, and not used by what arrived. */
  credit = 0;
  /** Of it, what the home was told and has not used. */
  private told = 0;
  passedToSend = 0;
  isDirty = false;
  /** Its home has not answered yet that it is attached. */
  isAsking = false;
  /** Its place among the queue's consumers, also when the queue is mirrored, over all its leaders; 0: nobody has said. */
  order = 0;
  /** The first grant that is counted on; null: it has come. */
  private expected: number | null = null;
  stopped = false;
  private paused = false;
  private gone = false;
  private waiting: Arrived[] = [];
  private firstHeld: RemoteDelivery | null = null;
  private lastHeld: RemoteDelivery | null = null;

  constructor(
    id: number,
    queue: HostedQueue,
    spec: ConsumerSpec,
    sink: DeliverySink,
    isHolder: boolean,
    shown: Consumer | null = null,
  ) {
    this.shown = shown ?? this;
    this.id = id;
    this.queue = queue;
    this.spec = spec;
    this.sink = sink;
    this.isHolder = isHolder;
    this.window = spec.acknowledges && !isHolder ? spec.window : null;
    this.stopped = isHolder;
  }

  /** Which one a single-active queue serves is known at its home. */
  get activity(): ConsumerActivity {
    return this.stopped ? 'waiting' : 'up';
  }

  get isDetached(): boolean {
    return this.gone;
  }

  /** It wants to hear of it when another node leads its mirrored queue. */
  get endsWithLeader(): boolean {
    return !this.stopped && this.spec.arguments['x-cancel-on-ha-failover'] === true;
  }

  get holdsNothing(): boolean {
    return this.firstHeld === null && this.waiting.length === 0;
  }

  /** Goes on for a consumer of a queue of this node that is mirrored now. */
  static after(id: number, queue: HostedQueue, before: QueueConsumer): RemoteConsumer {
    const { spec, sink, credit, paused, stopped } = before;
    const consumer = new RemoteConsumer(id, queue, spec, sink, false, before);
    consumer.credit = credit;
    consumer.paused = paused;
    consumer.stopped = stopped;
    consumer.order = before.order;
    return consumer;
  }

  /** It held this one under another name, and its window counts it. */
  holds(position: Position, redelivered: boolean): RemoteDelivery {
    return this.hold(position, redelivered);
  }

  // ---- the door's side -------------------------------------------------------------------------------------------

  /** The first grant will be of so much: the home may begin, and what arrives before that grant waits. */
  expect(credit: number): void {
    this.expected = this.credit = credit;
  }

  grant(credit: number): void {
    const { expected } = this;
    this.expected = null;
    // Infinity less Infinity is no number.
    if (credit !== expected) this.credit += credit - (expected ?? 0);
    this.queue.host.touch(this);
    if (expected !== null) this.wake();
  }

  settle(delivery: Delivery, outcome: Outcome): void {
    const held = delivery as RemoteDelivery;
    if (held.settled) return;
    this.letGo(held);
    if (!held.isVoid) this.queue.host.settle(this, held.position, outcome);
    this.window?.give();
    if (this.stopped && this.holdsNothing) this.queue.host.forget(this);
  }

  stop(): Later<void> {
    if (this.stopped) return;
    this.end();
    const answered = this.queue.host.stopConsumer(this);
    // What arrived and did not come to its peer goes back.
    const { waiting } = this;
    this.waiting = [];
    if (this.spec.acknowledges) for (const { position } of waiting) this.queue.host.settle(this, position, 'release');
    if (this.holdsNothing) this.queue.host.forget(this);
    return answered;
  }

  detach(): void {
    this.gone = true;
    void this.stop();
    for (let held = this.firstHeld; held !== null; held = this.firstHeld) this.settle(held, 'release');
    this.queue.host.forget(this);
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.wake();
  }

  /** Passes on what waits, as far as it may. */
  wake(): void {
    while (this.waiting.length > 0 && this.mayPass()) this.pass(this.waiting.shift()!);
    if (this.window !== null) this.queue.host.touch(this);
  }

  private mayPass(): boolean {
    if (this.paused || this.stopped || this.expected !== null) return false;
    const { window } = this;
    if (window === null || window.isOpen) return true;
    window.waitFor(this);
    return false;
  }

  // ---- the home's side -------------------------------------------------------------------------------------------

  /** A message came from the queue's home. */
  arrived(position: Position, redelivered: boolean, message: Message): void {
    if (this.stopped) {
      if (this.spec.acknowledges) this.queue.host.settle(this, position, 'release');
      return;
    }
    // As at its home: what is settled by being sent uses no credit.
    if (this.spec.acknowledges) this.credit--;
    this.told--;
    if (this.waiting.length === 0 && this.mayPass()) {
      this.pass({ position, redelivered, message });
      return;
    }
    message.keep();
    this.waiting.push({ position, redelivered, message });
  }

  private pass({ position, redelivered, message }: Arrived): void {
    const delivery = this.spec.acknowledges ? this.hold(position, redelivered) : null;
    if (delivery !== null) this.window?.take();
    this.passedToSend += message.bodyBytes + overheadBytes;
    this.queue.host.touch(this);
    if (!this.sink.deliver(this.shown, message, redelivered, delivery)) this.paused = true;
  }

  hold(position: Position, redelivered: boolean): RemoteDelivery {
    const delivery = new RemoteDelivery(this, position, redelivered);
    delivery.previous = this.lastHeld;
    if (this.lastHeld === null) this.firstHeld = delivery;
    else this.lastHeld.next = delivery;
    this.lastHeld = delivery;
    return delivery;
  }

  private letGo(delivery: RemoteDelivery): void {
    delivery.settled = true;
    const { previous, next } = delivery;
    if (previous === null) this.firstHeld = next;
    else previous.next = next;
    if (next === null) this.lastHeld = previous;
    else next.previous = previous;
    delivery.previous = delivery.next = null;
  }

  /** How much more credit its home is to be told; called at the end of a turn. What the window has no room for would wait here, where nobody else gets it. */
  takeCreditDue(): number {
    const { window } = this;
    let target = this.credit;
    if (window !== null && window.limitCount !== Number.POSITIVE_INFINITY) {
      const room = Math.max(0, window.room - this.waiting.length);
      if (room < target) {
        target = room;
        window.waitFor(this);
      }
    }
    if (!(target > this.told)) return 0;
    const due = target - this.told;
    this.told = target;
    return due;
  }

  /** The home is told anew. */
  creditAnew(): number {
    this.told = 0;
    this.takeCreditDue();
    return this.told;
  }

  /** What this node has of the queue's messages, for a home that may not know what arrived. */
  claims(): Position[] {
    const positions: Position[] = [];
    for (let held = this.firstHeld; held !== null; held = held.next) if (!held.isVoid) positions.push(held.position);
    for (const { position } of this.waiting) positions.push(position);
    return positions;
  }

  /** Somebody else has got these since, or they are settled: what is said of them is for nobody. */
  lose(positions: readonly Position[]): void {
    const lost = new Set(positions);
    for (let held = this.firstHeld; held !== null; held = held.next) if (lost.has(held.position)) held.isVoid = true;
    const { waiting } = this;
    this.waiting = waiting.filter(({ position }) => !lost.has(position));
    if (!this.spec.acknowledges || this.waiting.length === waiting.length) return;
    this.credit += waiting.length - this.waiting.length;
    this.queue.host.touch(this);
  }

  /** The home has begun anew and delivers again what this consumer holds: its own copies count for nobody. */
  disown(): void {
    for (let held = this.firstHeld; held !== null; held = held.next) held.isVoid = true;
    if (this.spec.acknowledges) this.credit += this.waiting.length;
    this.waiting = [];
  }

  /** No more deliveries. */
  private end(): void {
    this.stopped = true;
    this.window?.forget(this);
  }

  /** The queue let it go. What it held is void where `why` says so. */
  detached(why: DetachReason): void {
    if (this.stopped) return;
    this.end();
    if (why !== 'consumer-timeout') {
      this.disown();
      const first = this.firstHeld;
      this.firstHeld = this.lastHeld = null;
      for (let held = first; held !== null; held = held.next) {
        held.settled = true;
        this.window?.give();
      }
    }
    const { waiting } = this;
    this.waiting = [];
    for (const { position } of waiting) this.queue.host.settle(this, position, 'release');
    if (this.holdsNothing) this.queue.host.forget(this);
    if (!this.isHolder) this.sink.detached(this.shown, why);
  }
}
