import { createSimPlatform } from '@chapar/platform';
import { expect } from 'vitest';
import type { Arguments } from '../../packages/core/src/arguments.js';
import type { Message } from '../../packages/core/src/message.js';
import type { QueueConsumer } from '../../packages/core/src/queue/consumer.js';
import type { Delivery, DeliverySink, Outcome } from '../../packages/core/src/queue/delivery.js';
import { expiresAtMs } from '../../packages/core/src/queue/expiry.js';
import type { Got } from '../../packages/core/src/queue/got.js';
import type { Memory } from '../../packages/core/src/queue/memory.js';
import { Persist } from '../../packages/core/src/queue/persist.js';
import { Queue } from '../../packages/core/src/queue/queue.js';
import { QueueStatistics } from '../../packages/core/src/queue/statistics.js';
import { Window } from '../../packages/core/src/queue/window.js';
import { Turn } from '../../packages/core/src/turn.js';
import { type ControlledLog, ControlledLogs } from './controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from './core-kit.js';
import { SingleActiveModel } from './single-active-model.js';

const address = queueAddress('q');

/** A message as the model knows it: its number is its place. */
interface Known {
  readonly number: number;
  readonly message: Message;
  wasDelivered: boolean;
}

interface Taker {
  readonly consumer: QueueConsumer;
  readonly acknowledges: boolean;
  readonly priority: number;
  readonly window: number | null;
  credit: number;
  /** Deliveries until its pipe is full. */
  room: number;
  isPaused: boolean;
  isGone: boolean;
}

interface Held {
  readonly known: Known;
  /** Null for what was taken with get. */
  readonly taker: Taker | null;
  readonly delivery: Delivery;
}

/** A queue and what it should be: plain lists, searched from end to end, and every delivery judged when it comes. */
export class QueueModel {
  readonly queue: Queue;
  readonly log: ControlledLog | null;
  private readonly logs = new ControlledLogs();
  private readonly clock = createSimPlatform(1).clock;
  private readonly turn = new Turn(this.clock);
  private readonly windows = [new Window(2), new Window(Number.POSITIVE_INFINITY)];
  private readonly limits = [2, Number.POSITIVE_INFINITY];
  private ready: Known[] = [];
  private held: Held[] = [];
  private settled: Held[] = [];
  private takers: Taker[] = [];
  private count = 0;
  /** It may be delivered whatever its time to live is. */
  private fresh: Known | null = null;
  private isDeleted = false;
  private readonly expected = new QueueStatistics();
  private readonly sink: DeliverySink = {
    deliver: (consumer, message, redelivered, delivery) =>
      this.onDelivery(consumer as QueueConsumer, message, redelivered, delivery),
    detached: (consumer) => {
      this.takerOf(consumer as QueueConsumer).isGone = true;
    },
  };

  /** Null: all are served. */
  private readonly single: SingleActiveModel<Taker> | null;
  private readonly priorityMax: number;

  constructor(isDurable: boolean, memory: Memory, args: Arguments) {
    this.logs.areReadsHeld = true;
    this.single = args['x-single-active-consumer'] === true ? new SingleActiveModel() : null;
    this.priorityMax = Number(args['x-max-priority'] ?? 0);
    this.log = isDurable ? this.logs.log('i') : null;
    const properties = queueProperties('q', { arguments: args });
    this.queue = new Queue(this.turn, new Persist(this.turn, this.logs), properties, this.log, memory);
  }

  get reads(): number {
    return this.logs.reads;
  }

  // ---- steps -----------------------------------------------------------------------------------------------------

  publish(bytes: number, persistent: boolean, expirationMs: number, priority: number): void {
    const message = messageOf(address, 'x'.repeat(bytes), { persistent, expirationMs, priority });
    this.fresh = { number: ++this.count, message, wasDelivered: false };
    this.ready.push(this.fresh);
    this.sort();
    this.expected.published++;
    this.queue.enqueue(message, null);
    this.fresh = null;
  }

  pass(ms: number): void {
    this.clock.advanceSync(ms);
    this.endTurn();
  }

  attach(
    acknowledges: boolean,
    exclusive: boolean,
    priority: number,
    window: number | null,
    credit: number,
    room: number,
  ) {
    const spec = {
      tag: '',
      acknowledges,
      exclusive,
      priority,
      arguments: {},
      window: window === null ? null : this.windows[window]!,
    };
    const present = this.takers.filter(({ isGone }) => !isGone);
    const isRefused =
      (exclusive && this.single !== null) ||
      (present.length > 0 && (exclusive || present.some(({ consumer }) => consumer.spec.exclusive)));
    if (isRefused) {
      expect(() => this.queue.attach(spec, this.sink)).toThrow("queue 'q' in vhost '/' in exclusive use");
      return;
    }
    const consumer = this.queue.attach(spec, this.sink);
    const taker = {
      consumer,
      acknowledges,
      priority,
      window: acknowledges ? window : null,
      credit,
      room,
      isPaused: false,
      isGone: false,
    };
    this.takers.push(taker);
    this.single?.join(taker);
    this.passOn();
    consumer.grant(credit);
  }

  grant(index: number, credit: number): void {
    const taker = this.pick(this.takers, index);
    if (taker === undefined) return;
    taker.credit += credit;
    taker.consumer.grant(credit);
  }

  setCredit(index: number, credit: number): void {
    const taker = this.pick(this.takers, index);
    if (taker === undefined) return;
    taker.credit = credit;
    taker.consumer.setCredit(credit);
  }

  settle(index: number, outcome: Outcome): void {
    const held = this.pick(this.held, index);
    if (held === undefined) return;
    this.held = this.held.filter((each) => each !== held);
    this.note(held, outcome);
    this.passOn();
    held.delivery.consumer.settle(held.delivery, outcome);
  }

  /** A second verdict on the same. */
  settleAgain(index: number, outcome: Outcome): void {
    const held = this.pick(this.settled, index);
    held?.delivery.consumer.settle(held.delivery, outcome);
  }

  async get(acknowledges: boolean): Promise<void> {
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    this.expireHeads();
    const later = this.queue.get(acknowledges ? this.queue.holder(spec, this.sink) : null);
    // What can be read was read, unless what was in memory has expired only now.
    if (later instanceof Promise) this.logs.answerReads();
    const got: Got | null = await later;
    const first = this.isDeleted ? undefined : this.ready.shift();
    this.takeExpired();
    if (first === undefined) {
      expect(got).toBeNull();
      this.expected.getEmpty++;
      return;
    }
    expect(got!.message).toBe(first.message);
    expect(this.isDue(first)).toBe(false);
    expect(got!.redelivered).toBe(first.wasDelivered);
    if (first.wasDelivered) this.expected.redelivered++;
    first.wasDelivered = true;
    if (acknowledges) {
      this.expected.got++;
      this.held.push({ known: first, taker: null, delivery: got!.delivery! });
    } else {
      this.expected.gotSettled++;
      expect(got!.delivery).toBeNull();
    }
  }

  purge(): void {
    this.takeExpired();
    this.expected.purged += this.ready.length;
    const count = this.ready.length;
    this.ready = [];
    expect(this.queue.purge()).toBe(count);
  }

  stop(index: number): void {
    const taker = this.pick(this.takers, index);
    if (taker === undefined) return;
    taker.isGone = true;
    this.passOn();
    taker.consumer.stop();
  }

  detach(index: number): void {
    const taker = this.pick(this.takers, index);
    if (taker === undefined) return;
    taker.isGone = true;
    const [its, others] = [
      this.held.filter((each) => each.taker === taker),
      this.held.filter((each) => each.taker !== taker),
    ];
    this.held = others;
    for (const held of its) this.note(held, 'release');
    this.passOn();
    taker.consumer.detach();
  }

  resume(index: number, room: number): void {
    const taker = this.pick(this.takers, index);
    if (taker === undefined) return;
    taker.isPaused = false;
    taker.room = room;
    taker.consumer.resume();
  }

  setLimit(window: number, limit: number): void {
    this.limits[window] = limit;
    this.windows[window]!.setLimit(limit);
  }

  delete(): void {
    this.isDeleted = true;
    this.ready = [];
    // What consumers hold is void; those that were stopped before, and get, keep theirs until they settle it.
    const isVoid = ({ taker }: Held) => taker !== null && !taker.isGone;
    this.settled.push(...this.held.filter(isVoid));
    this.held = this.held.filter((each) => !isVoid(each));
    this.queue.delete();
    expect(this.takers.every(({ isGone }) => isGone)).toBe(true);
  }

  private passOn(): void {
    this.single?.passOn((taker) => this.held.some((each) => each.taker === taker));
  }

  private activityOf(taker: Taker): string {
    if (taker.isGone) return 'waiting';
    if (this.single === null) return 'up';
    return taker === this.single.current ? 'single_active' : 'waiting';
  }

  // ---- judgement -------------------------------------------------------------------------------------------------

  private onDelivery(
    consumer: QueueConsumer,
    message: Message,
    redelivered: boolean,
    delivery: Delivery | null,
  ): boolean {
    const taker = this.takerOf(consumer);
    this.takeExpired();
    const first = this.ready.shift();
    if (first === undefined || first.message !== message) throw new Error(`delivered out of order: ${first?.number}`);
    if (first !== this.fresh && this.isDue(first)) throw new Error('delivered though it has expired');
    if (!this.canTake(taker)) throw new Error('delivered to somebody who cannot take it');
    const better = this.takers.find((each) => each.priority > taker.priority && this.canTake(each));
    if (better !== undefined) throw new Error('somebody of a higher priority could have taken it');
    if (redelivered !== first.wasDelivered) throw new Error(`redelivered is ${redelivered} for ${first.number}`);
    if (redelivered) this.expected.redelivered++;
    first.wasDelivered = true;
    if (taker.acknowledges) {
      this.expected.delivered++;
      taker.credit--;
      this.held.push({ known: first, taker, delivery: delivery! });
    } else {
      this.expected.deliveredSettled++;
      if (delivery !== null) throw new Error('a delivery that nobody will settle');
    }
    if (--taker.room > 0) return true;
    taker.isPaused = true;
    return false;
  }

  /** What the queue has dropped meanwhile were its oldest, and their time was over. */
  private takeExpired(): void {
    for (; this.expected.dropped.expired < this.queue.statistics.dropped.expired; this.expected.dropped.expired++) {
      const first = this.ready.shift();
      if (first === undefined || !this.isDue(first)) throw new Error(`expired too early: ${first?.number}`);
    }
  }

  /** What get finds has not expired. */
  private expireHeads(): void {
    while (this.ready.length > 0 && this.isDue(this.ready[0]!)) {
      this.ready.shift();
      this.expected.dropped.expired++;
    }
  }

  private isDue({ message }: Known): boolean {
    return expiresAtMs(message, this.queue.rules) <= this.turn.nowMs;
  }

  private canTake(taker: Taker): boolean {
    const { isGone, isPaused, credit, window } = taker;
    if (isGone || isPaused || credit <= 0) return false;
    if (this.single?.serves(taker) === false) return false;
    return window === null || this.heldBy(window) < this.limits[window]!;
  }

  private heldBy(window: number): number {
    return this.held.filter(({ taker }) => taker?.window === window).length;
  }

  private note(held: Held, outcome: Outcome): void {
    this.settled.push(held);
    if (this.isDeleted) return;
    if (outcome === 'release') {
      this.expected.requeued++;
      this.ready.push(held.known);
      this.sort();
    } else {
      this.expected.settled++;
      if (outcome === 'reject') this.expected.dropped.rejected++;
    }
  }

  private sort(): void {
    const levelOf = ({ message }: Known) => Math.min(Math.max(message.priority, 0), this.priorityMax);
    this.ready.sort((a, b) => levelOf(b) - levelOf(a) || a.number - b.number);
  }

  endTurn(): void {
    this.clock.scheduler.runUntilIdleSync();
    this.logs.answerReads();
    this.clock.advanceSync(0);
    this.logs.answerReads();
    this.takeExpired();
    if (this.ready.length > 0 && this.isDue(this.ready[0]!)) throw new Error('the oldest has expired and is there');
    if (this.ready.length > 0 && this.takers.some((each) => this.canTake(each))) {
      throw new Error('a message waits, and somebody could take it');
    }
  }

  check(): void {
    this.logs.answerReads();
    const { queue } = this;
    this.takeExpired();
    const bytesOf = (list: Known[]) => list.reduce((sum, { message }) => sum + message.bodyBytes, 0);
    expect([queue.readyCount, queue.readyBytes]).toEqual([this.ready.length, bytesOf(this.ready)]);
    if (!this.isDeleted) {
      const held = this.held.map(({ known }) => known);
      expect([queue.unsettledCount, queue.unsettledBytes]).toEqual([held.length, bytesOf(held)]);
    }
    expect(queue.statistics).toEqual(this.expected);
    for (const taker of this.takers) {
      const its = this.held.filter((each) => each.taker === taker);
      expect(taker.consumer.heldCount).toBe(its.length);
      expect(taker.consumer.oldestHeld).toBe(its[0]?.known.number ?? 0);
      expect(taker.consumer.activity).toBe(this.activityOf(taker));
    }
    if (this.log === null || this.isDeleted) return;
    const alive = [...this.ready, ...this.held.map(({ known }) => known)].filter(({ message }) => message.persistent);
    expect([...this.log.live.keys()].sort((a, b) => a - b)).toEqual(
      alive.map(({ number }) => number).sort((a, b) => a - b),
    );
  }

  private takerOf(consumer: QueueConsumer): Taker {
    return this.takers.find((each) => each.consumer === consumer)!;
  }

  private pick<T>(list: readonly T[], index: number): T | undefined {
    return list[index % Math.max(1, list.length)];
  }
}
