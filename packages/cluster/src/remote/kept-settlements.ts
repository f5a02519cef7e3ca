import type { Outcome, Position } from '@chapar/core';
import type { RemoteConsumer } from './remote-consumer.js';

export interface KeptSettlement {
  /** On the line; 0: not said yet. */
  number: number;
  readonly consumer: RemoteConsumer;
  readonly outcome: Outcome;
  readonly first: Position;
  count: number;
  /** Among all that were ever kept. */
  readonly ordinal: number;
}

interface Waiting {
  readonly ordinal: number;
  readonly done: (isSure: boolean) => void;
}

/**
 * Verdicts of this node's consumers on messages of a mirrored queue: ranges, numbered on the line to its leader and kept until they are for
 * good, because a leader that has only carried them out may take them with it.
 */
export class KeptSettlements {
  private gathered: KeptSettlement[] = [];
  private said: KeptSettlement[] = [];
  private lastNumber = 0;
  private lastOrdinal = 0;
  /** Up to here they were kept when another line began, whose leader may have given out again what they are about. */
  private doubtfulOrdinal = 0;
  private waiting: Waiting[] = [];

  get isEmpty(): boolean {
    return this.gathered.length + this.said.length === 0;
  }

  get hasGathered(): boolean {
    return this.gathered.length > 0;
  }

  add(consumer: RemoteConsumer, outcome: Outcome, position: Position): void {
    const { gathered } = this;
    const last = gathered[gathered.length - 1];
    const isNext = last?.consumer === consumer && last.outcome === outcome && last.first + last.count === position;
    if (isNext) last.count++;
    else gathered.push({ number: 0, consumer, outcome, first: position, count: 1, ordinal: ++this.lastOrdinal });
  }

  /** What is to be said now, numbered. */
  take(): readonly KeptSettlement[] {
    const { gathered } = this;
    if (gathered.length === 0) return gathered;
    this.gathered = [];
    for (const settlement of gathered) {
      settlement.number = ++this.lastNumber;
      this.said.push(settlement);
    }
    return gathered;
  }

  /** What was said on this line and may be lost with the link. */
  again(): readonly KeptSettlement[] {
    return this.said;
  }

  /** All up to this number are for good. */
  forGood(upTo: number): void {
    let gone = 0;
    while (gone < this.said.length && this.said[gone]!.number <= upTo) gone++;
    if (gone > 0) this.said.splice(0, gone);
    this.look();
  }

  /** `done` when all that is kept now is for good; it is told whether on the line that it was said on first. */
  whenForGood(done: (isSure: boolean) => void): void {
    if (this.isEmpty) done(true);
    else this.waiting.push({ ordinal: this.lastOrdinal, done });
  }

  private look(): void {
    const { waiting, said, gathered } = this;
    if (waiting.length === 0) return;
    const first = (said[0] ?? gathered[0])?.ordinal ?? Number.POSITIVE_INFINITY;
    const count = waiting.findIndex(({ ordinal }) => ordinal >= first);
    for (const { ordinal, done } of waiting.splice(0, count === -1 ? waiting.length : count))
      done(ordinal > this.doubtfulOrdinal);
  }

  /**
   * Another line begins: all that is kept will be said on it, with numbers of its own. What was given back is so by not being claimed; if it
   * were, it could be taken from somebody who has got it since.
   */
  renew(): void {
    this.lastNumber = 0;
    this.gathered = [...this.said, ...this.gathered].filter(({ outcome }) => outcome !== 'release');
    this.said = [];
    if (!this.isEmpty) this.doubtfulOrdinal = this.lastOrdinal;
    this.look();
  }

  /** Whose they are, and which messages each of them has to be found with. */
  claims(): Map<RemoteConsumer, Position[]> {
    const claims = new Map<RemoteConsumer, Position[]>();
    for (const { consumer, first, count } of [...this.said, ...this.gathered]) {
      const positions = claims.get(consumer) ?? [];
      claims.set(consumer, positions);
      for (let position = first; position < first + count; position++) positions.push(position);
    }
    return claims;
  }

  clear(): void {
    this.gathered = [];
    this.said = [];
    this.look();
  }
}
