import type { Outcome, Position } from '@chapar/core';
import { FRAME_SETTLE } from '../peer/frames.js';
import type { Outgoing } from '../peer/outgoing.js';
import { outcomes } from '../peer/refusals.js';
import type { RemoteConsumer } from './remote-consumer.js';
import type { RemoteQueue } from './remote-queue.js';

interface Settlement {
  /** In this pair of sessions; 0: not sent yet. */
  number: number;
  readonly id: number;
  /** Also one that is gone: its queue may be mirrored before this was carried out. Null: of one that was forgotten when its message came. */
  readonly consumer: RemoteConsumer | null;
  readonly outcome: Outcome;
  readonly first: Position;
  count: number;
}

/** Verdicts of this node's consumers on their way to the home of their queues: ranges, kept until they were carried out there. */
export class Settlements {
  private readonly out: Outgoing;
  private gathered: Settlement[] = [];
  private sent: Settlement[] = [];
  private lastNumber = 0;

  constructor(out: Outgoing) {
    this.out = out;
  }

  add(consumer: RemoteConsumer, outcome: Outcome, position: Position): void {
    this.gather(consumer.id, consumer, outcome, position);
  }

  /** A message came for a consumer that is forgotten by now. */
  giveBack(consumer: number, position: Position): void {
    this.gather(consumer, null, 'release', position);
  }

  private gather(id: number, consumer: RemoteConsumer | null, outcome: Outcome, position: Position): void {
    const { gathered } = this;
    const last = gathered[gathered.length - 1];
    if (last !== undefined && last.id === id && last.outcome === outcome && last.first + last.count === position) {
      last.count++;
      return;
    }
    gathered.push({ number: 0, id, consumer, outcome, first: position, count: 1 });
  }

  /** Only while the link is there. */
  flush(): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    for (const settlement of gathered) {
      settlement.number = ++this.lastNumber;
      this.write(settlement);
    }
    if (this.sent.length === 0) this.sent = gathered;
    else for (const settlement of gathered) this.sent.push(settlement);
  }

  private write({ number, id, outcome, first, count }: Settlement): void {
    const { out } = this;
    out.begin(FRAME_SETTLE);
    out.varint(number);
    out.varint(id);
    out.byte(outcomes.indexOf(outcome));
    out.varint(first);
    out.varint(count);
  }

  /** Takes those of this queue's consumers out, carried out or not. */
  takeOf(queue: RemoteQueue, take: (consumer: RemoteConsumer, outcome: Outcome, position: Position) => void): void {
    const others = ({ consumer }: Settlement) => consumer?.queue !== queue;
    const taken = [...this.sent, ...this.gathered].filter((settlement) => !others(settlement));
    this.sent = this.sent.filter(others);
    this.gathered = this.gathered.filter(others);
    for (const { consumer, first, count, outcome } of taken)
      for (let position = first; position < first + count; position++) take(consumer!, outcome, position);
  }

  /** All up to this number were carried out. */
  done(upTo: number): void {
    let gone = 0;
    while (gone < this.sent.length && this.sent[gone]!.number <= upTo) gone++;
    this.sent.splice(0, gone);
  }

  /**
   * The link is there again: those that may have been lost are said once more. The home carries each number out once: what it gave back
   * may have come to the same consumer again meanwhile.
   */
  resend(): void {
    for (const settlement of this.sent) this.write(settlement);
  }

  clear(): void {
    this.gathered = [];
    this.sent = [];
    this.lastNumber = 0;
  }
}
