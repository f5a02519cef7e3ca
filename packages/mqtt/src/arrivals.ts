import type { Message, Provenance, Target } from '@chapar/core';
import type { Received, ReceivedLog } from './received.js';
import type { WriteSink } from './write-sink.js';

/** What each message that waits costs beside its body, where they are counted. Bytes. */
const overheadBytes = 256;
/** So many that were published are kept for those that come. */
const spareMax = 256;

/** A message of QoS 2 that came; used again for others that come. */
export class Arrival {
  target: Target | null = null;
  message: Message | null = null;
  packetId = 0;
  retain = false;
  /** As what it is published. */
  from: Provenance | undefined = undefined;
  isReady = false;
}

/**
 * Messages of QoS 2 that came on one connection, whose identifiers go into a log of their own first. They are published in the order in which
 * they came [MQTT-4.6.0-3], and behind those that came on connections of the session before.
 */
export class Arrivals implements WriteSink {
  private readonly received: Received;
  private readonly log: ReceivedLog;
  private readonly publish: (arrival: Arrival) => void;
  private readonly relieved: () => void;
  private waiting: Arrival[] = [];
  private first = 0;
  /** The number of `waiting[first]`. */
  private firstNumber = 0;
  private readonly spare: Arrival[] = [];
  private readonly owed = new Set<number>();
  /** Of the session's connection before, where something waits yet. */
  private before: Arrivals | null = null;
  private after: Arrivals | null = null;

  /** `relieved`: called when there was too much of what waits, and is not any more. */
  constructor(received: Received, log: ReceivedLog, publish: (arrival: Arrival) => void, relieved: () => void) {
    this.relieved = relieved;
    this.received = received;
    this.log = log;
    this.publish = publish;
    const { latest } = received;
    received.latest = this;
    if (latest === null || latest.isEmpty) return;
    this.before = latest;
    latest.after = this;
  }

  private get isEmpty(): boolean {
    return this.first === this.waiting.length && this.before === null;
  }

  /** It is owed an answer here. */
  has(packetId: number): boolean {
    return this.owed.has(packetId);
  }

  answered(packetId: number): void {
    this.owed.delete(packetId);
  }

  /** `isUnsure`: its identifier is there, and perhaps it was published. */
  add(target: Target, message: Message, packetId: number, retain: boolean, isUnsure: boolean): void {
    const { received, log } = this;
    const arrival = this.spare.pop() ?? new Arrival();
    arrival.target = target;
    arrival.message = message;
    arrival.packetId = packetId;
    arrival.retain = retain;
    // It waits beyond the turn in which it came.
    message.keep();
    const number = this.firstNumber + this.waiting.length - this.first;
    this.waiting.push(arrival);
    this.owed.add(packetId);
    received.waitingBytes += weightOf(message);
    if (isUnsure) this.written(packetId, number);
    else {
      received.add(packetId);
      log.received(packetId, this, number);
    }
  }

  /** Its identifier is in the log. */
  written(packetId: number, number: number): void {
    const written = this.waiting[this.first + number - this.firstNumber]!;
    written.from = this.log.provenanceOf?.(packetId);
    written.isReady = true;
    this.goOn();
  }

  private goOn(): void {
    if (this.before !== null) return;
    const wasFull = this.received.isFull;
    while (this.first < this.waiting.length && this.waiting[this.first]!.isReady) {
      const arrival = this.waiting[this.first++]!;
      this.firstNumber++;
      this.received.waitingBytes -= weightOf(arrival.message!);
      this.publish(arrival);
      this.letGo(arrival);
    }
    this.tidy();
    if (wasFull && !this.received.isFull) this.relieved();
    const { after } = this;
    if (after === null || !this.isEmpty) return;
    this.after = after.before = null;
    after.goOn();
  }

  private letGo(arrival: Arrival): void {
    arrival.target = arrival.message = null;
    arrival.from = undefined;
    arrival.isReady = false;
    if (this.spare.length < spareMax) this.spare.push(arrival);
  }

  private tidy(): void {
    if (this.first === this.waiting.length) this.waiting.length = 0;
    else if (this.first < spareMax || this.first * 2 < this.waiting.length) return;
    else this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }
}

function weightOf({ bodyBytes }: Message): number {
  return bodyBytes + overheadBytes;
}
