import type {
  Arguments,
  ConfirmSlot,
  Delivery,
  DeliverySink,
  Later,
  Memory,
  Message,
  Outcome,
  QueueConsumer,
} from '@chapar/core';
import { Queue, Turn } from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { expect } from 'vitest';
import { expiresAtMs } from '../../packages/core/src/queue/expiry.js';
import { Persist } from '../../packages/core/src/queue/persist.js';
import { ControlledLogs } from './controlled-logs.js';
import { messageOf, queueAddress, queueProperties } from './core-kit.js';
import { LedLog } from './led-log.js';

const address = queueAddress('q');

/** A message as the model knows it. */
interface Known {
  readonly position: number;
  readonly message: Message;
  readonly slot: { isConfirmed: boolean };
  mayBeRedelivered: boolean;
}

/** A consumer that outlives leaders. */
interface Taker {
  /** Under the present leader; null: it has not come back yet. */
  consumer: QueueConsumer | null;
  credit: number;
  /** What it knows that it holds: of the leader before, until it has come back. */
  holds: Known[];
  isGone: boolean;
}

interface Held {
  readonly known: Known;
  readonly taker: Taker;
  readonly delivery: Delivery;
}

/** A mirrored queue under one leader after the other, and what it should be: plain lists, and every delivery judged when it comes. */
export class MirroredModel {
  queue: Queue;
  log = new LedLog();
  /** How often the lead passed on, how many messages were cut, how many came into the hands of those who claimed them. */
  leads = 0;
  cut = 0;
  claimed = 0;
  private memory: Memory;
  private readonly args: Arguments;
  private readonly room: () => Memory;
  private readonly clock = createSimPlatform(1).clock;
  private readonly turn = new Turn(this.clock);
  private readonly priorityMax: number;
  private arriving: Known[] = [];
  private ready: Known[] = [];
  private held: Held[] = [];
  private stale: Held[] = [];
  private takers: Taker[] = [];
  private expired = 0;
  private purged = 0;
  /** Admitted just now: delivered whatever its time to live is. */
  private fresh: Known | null = null;

  constructor(args: Arguments, room: () => Memory) {
    this.args = args;
    this.room = room;
    this.priorityMax = Number(args['x-max-priority'] ?? 0);
    this.memory = room();
    this.log.pages.isHeld = true;
    this.queue = this.open();
    this.queue.begin();
  }

  private open(): Queue {
    const properties = queueProperties('q', { durable: true, arguments: this.args });
    return new Queue(this.turn, new Persist(this.turn, new ControlledLogs()), properties, this.log, this.memory);
  }

  get reads(): number {
    return this.log.pages.reads;
  }

  // ---- steps -----------------------------------------------------------------------------------------------------

  publish(bytes: number, expirationMs: number, priority: number): void {
    const message = messageOf(address, 'x'.repeat(bytes), { expirationMs, priority });
    const slot = { isConfirmed: false };
    const told: ConfirmSlot = {
      committed: () => {
        expect([slot.isConfirmed, known.position <= this.log.committed]).toEqual([false, true]);
        slot.isConfirmed = true;
      },
      refused: () => {
        throw new Error('refused');
      },
    };
    const known: Known = { position: this.log.last + 1, message, slot, mayBeRedelivered: false };
    this.arriving.push(known);
    this.queue.enqueue(message, told);
    expect(this.log.last).toBe(known.position);
  }

  /** So many more are on enough disks. */
  commit(count: number): void {
    const upTo = Math.min(this.log.last, this.log.committed + count);
    // Each enters at its own time: what one of them lets happen, the next one sees.
    for (let next = this.log.committed + 1; next <= upTo; next++) {
      const first = this.arriving[0];
      if (first?.position === next) {
        this.arriving.shift();
        this.ready.push(first);
        this.sort();
        this.fresh = first;
      }
      this.log.commit(next);
      this.takeExpired();
      this.fresh = null;
    }
  }

  attach(credit: number): void {
    const taker: Taker = { consumer: null, credit: 0, holds: [], isGone: false };
    this.takers.push(taker);
    this.comeBack(taker, credit, []);
  }

  /** A consumer of the leader before is there again, with what it holds and with what it cannot hold. */
  return(index: number, credit: number, further: readonly number[]): void {
    const away = this.takers.filter(({ consumer, isGone }) => consumer === null && !isGone);
    const taker = away[index % Math.max(1, away.length)];
    if (taker !== undefined) this.comeBack(taker, credit, further);
  }

  private comeBack(taker: Taker, credit: number, further: readonly number[]): void {
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const sink: DeliverySink = {
      deliver: (_consumer, message, redelivered, delivery) => this.onDelivery(taker, message, redelivered, delivery),
      detached: (_consumer, why) => {
        expect(why).toBe('moved');
        taker.consumer = null;
      },
    };
    const consumer = this.queue.attach(spec, sink);
    taker.consumer = consumer;
    taker.credit = 0;
    const claims = [...taker.holds.map(({ position }) => position), ...further];
    taker.holds = [];
    this.claim(taker, claims, credit);
  }

  /** Somebody remembers late. */
  claimLate(index: number, positions: readonly number[]): void {
    const taker = this.present(index);
    if (taker !== undefined) this.claim(taker, positions, taker.credit);
  }

  private claim(taker: Taker, positions: readonly number[], credit: number): void {
    const { queue } = this;
    const consumer = taker.consumer!;
    queue.claim(consumer, positions, (deliveries) => {
      if (queue !== this.queue) throw new Error('a leader of before answers');
      this.takeExpired();
      const its = taker.isGone ? [] : this.ready.filter(({ position }) => positions.includes(position));
      its.sort((a, b) => a.position - b.position);
      expect(deliveries.map(({ position }) => position)).toEqual(its.map(({ position }) => position));
      this.ready = this.ready.filter((known) => !its.includes(known));
      its.forEach((known, i) => {
        const delivery = deliveries[i]!;
        expect([delivery.message, delivery.consumer, delivery.settled]).toEqual([known.message, consumer, false]);
        known.mayBeRedelivered = true;
        this.held.push({ known, taker, delivery });
      });
      this.claimed += its.length;
      if (taker.isGone) return;
      taker.credit = credit;
      consumer.setCredit(credit);
    });
  }

  grant(index: number, credit: number): void {
    const taker = this.present(index);
    if (taker === undefined) return;
    taker.credit += credit;
    taker.consumer!.grant(credit);
  }

  settle(index: number, outcome: Outcome): void {
    const held = this.held[index % Math.max(1, this.held.length)];
    if (held === undefined) return;
    this.letGo(held, outcome);
    held.delivery.consumer.settle(held.delivery, outcome);
  }

  private letGo(held: Held, outcome: Outcome): void {
    this.held = this.held.filter((each) => each !== held);
    this.stale.push(held);
    if (outcome !== 'release') return;
    held.known.mayBeRedelivered = true;
    this.ready.push(held.known);
    this.sort();
  }

  /** A verdict on what somebody held once. */
  settleStale(index: number, outcome: Outcome): void {
    const held = this.stale[index % Math.max(1, this.stale.length)];
    held?.delivery.consumer.settle(held.delivery, outcome);
  }

  detach(index: number): void {
    const taker = this.present(index);
    if (taker === undefined) return;
    taker.isGone = true;
    for (const held of this.held.filter((each) => each.taker === taker)) this.letGo(held, 'release');
    taker.consumer!.detach();
  }

  async get(): Promise<void> {
    if (this.queue.isHeld) return;
    this.expireHeads();
    const got = await this.read(this.queue.get(null));
    const first = this.ready.shift();
    this.takeExpired();
    expect(got?.message).toBe(first?.message);
    if (first !== undefined) expect(got!.redelivered).toBe(first.mayBeRedelivered);
  }

  /** Answers reads until somebody who waits for some has what he wanted. */
  private async read<T>(later: Later<T>): Promise<T> {
    let isThere = false;
    const wanted = Promise.resolve(later).finally(() => (isThere = true));
    for (let tries = 0; !isThere; tries++) {
      if (tries === 100) throw new Error('somebody waits for ever');
      this.log.pages.answer();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return wanted;
  }

  purge(): void {
    if (this.queue.isHeld) return;
    this.takeExpired();
    const { length } = this.ready;
    this.purged += length;
    this.ready = [];
    expect(this.queue.purge()).toBe(length);
  }

  pass(ms: number): void {
    this.clock.advanceSync(ms);
    this.endTurn();
  }

  begin(): void {
    this.queue.begin();
  }

  /** Another node leads: so many of what was not committed it has, the rest is cut. */
  succeed(more: number): void {
    this.takeExpired();
    const upTo = Math.min(this.log.last, this.log.committed + more);
    const lost = this.arriving.filter(({ position }) => position > upTo);
    if (lost.some(({ slot }) => slot.isConfirmed)) throw new Error('what was confirmed is cut');
    this.leads++;
    this.cut += lost.length;
    for (const held of this.held) held.taker.holds.push(held.known);
    this.ready = [
      ...this.ready,
      ...this.held.map(({ known }) => known),
      ...this.arriving.filter(({ position }) => position <= upTo),
    ];
    for (const known of this.ready) known.mayBeRedelivered = true;
    this.sort();
    this.stale.push(...this.held);
    this.held = [];
    this.arriving = [];
    this.expired = 0;
    this.queue.dissolve();
    expect(this.takers.every(({ consumer, isGone }) => isGone || consumer === null)).toBe(true);
    expect(this.memory.usedBytes).toBe(0);
    this.log = this.log.succeed(upTo);
    this.memory = this.room();
    this.queue = this.open();
    this.queue.recover(this.log.state());
  }

  // ---- judgement -------------------------------------------------------------------------------------------------

  private onDelivery(taker: Taker, message: Message, redelivered: boolean, delivery: Delivery | null): boolean {
    if (this.queue.isHeld) throw new Error('delivered before the queue began');
    this.takeExpired();
    const first = this.ready.shift();
    if (first === undefined || first.message !== message) throw new Error(`delivered out of order: ${first?.position}`);
    if (first !== this.fresh && this.isDue(first)) throw new Error('delivered though it has expired');
    if (taker.isGone || taker.credit <= 0) throw new Error('delivered to somebody who cannot take it');
    if (redelivered !== first.mayBeRedelivered) throw new Error(`redelivered is ${redelivered} for ${first.position}`);
    if (first.position > this.log.committed) throw new Error('delivered before it was committed');
    first.mayBeRedelivered = true;
    taker.credit--;
    this.held.push({ known: first, taker, delivery: delivery! });
    return true;
  }

  private takeExpired(): void {
    for (; this.expired < this.queue.statistics.dropped.expired; this.expired++) {
      const first = this.ready.shift();
      if (this.queue.isHeld) throw new Error('expired before the queue began');
      if (first === undefined || !this.isDue(first)) throw new Error(`expired too early: ${first?.position}`);
    }
  }

  /** What get finds has not expired. */
  private expireHeads(): void {
    for (this.takeExpired(); this.ready.length > 0 && this.isDue(this.ready[0]!); this.expired++) this.ready.shift();
  }

  private isDue({ message }: Known): boolean {
    return expiresAtMs(message, this.queue.rules) <= this.turn.nowMs;
  }

  private sort(): void {
    const levelOf = ({ message }: Known) => Math.min(Math.max(message.priority, 0), this.priorityMax);
    this.ready.sort((a, b) => levelOf(b) - levelOf(a) || a.position - b.position);
  }

  private present(index: number): Taker | undefined {
    const present = this.takers.filter(({ consumer, isGone }) => consumer !== null && !isGone);
    return present[index % Math.max(1, present.length)];
  }

  endTurn(): void {
    for (let i = 0; i < 2; i++) {
      this.clock.scheduler.runUntilIdleSync();
      this.log.pages.answer();
      this.clock.advanceSync(0);
      this.log.pages.answer();
    }
    this.takeExpired();
    if (this.queue.isHeld) return;
    if (this.ready.length > 0 && this.isDue(this.ready[0]!)) throw new Error('the oldest has expired and is there');
    const mayTake = this.takers.some(({ consumer, isGone, credit }) => consumer !== null && !isGone && credit > 0);
    if (this.ready.length > 0 && mayTake) throw new Error('a message waits, and somebody could take it');
  }

  check(): void {
    this.log.pages.answer();
    this.takeExpired();
    const { queue, log } = this;
    const bytesOf = (list: Known[]) => list.reduce((sum, { message }) => sum + message.bodyBytes, 0);
    const held = this.held.map(({ known }) => known);
    expect({
      ready: [queue.readyCount, queue.readyBytes],
      held: [queue.unsettledCount, queue.unsettledBytes],
      arriving: [queue.arriving!.count, queue.arriving!.bytes],
    }).toEqual({
      ready: [this.ready.length, bytesOf(this.ready)],
      held: [held.length, bytesOf(held)],
      arriving: [this.arriving.length, bytesOf(this.arriving)],
    });
    const alive = [...this.arriving, ...this.ready, ...held].map(({ position }) => position);
    expect([...log.live.keys()].sort((a, b) => a - b)).toEqual(alive.sort((a, b) => a - b));
    for (const { slot, position } of [...this.ready, ...held])
      if (!slot.isConfirmed && this.leads === 0) throw new Error(`${position} is committed, and nobody was told`);
  }
}
