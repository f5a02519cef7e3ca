import type { ChangeSink, ConfirmSlot } from '@chapar/core';

/** So many changes that were answered are kept for those that come. */
const spareMax = 1024;
/** Those that were answered are let go of when there are so many, and half of all. */
const tidyAt = 1024;

/** One that is under way. It is used again, since there may be one for each message. */
class Change implements ConfirmSlot {
  sequence = 0;
  sink: ChangeSink | null = null;
  isAnswered = false;
  private readonly answers: ShardAnswers;

  constructor(answers: ShardAnswers) {
    this.answers = answers;
  }

  committed(): void {
    this.answers.committed(this);
  }

  refused(): void {
    this.answers.end(this, false);
  }
}

class ShardAnswers {
  private readonly foldUpTo: () => number;
  /** Committed, in the order of their numbers; the fold has not come to them. */
  private waiting: Change[] = [];
  private first = 0;
  private readonly spare: Change[] = [];
  /** The fold has come so far, when it was asked last. */
  private known = 0;
  /** Decided, and not told yet: whoever is told acts, which is not for the middle of what the log or the turn are at. */
  private decided: Change[] = [];
  private readonly tell = (): void => this.tellDecided();

  constructor(foldUpTo: () => number) {
    this.foldUpTo = foldUpTo;
  }

  begin(sequence: number, sink: ChangeSink): Change {
    const change = this.spare.pop() ?? new Change(this);
    change.sequence = sequence;
    change.sink = sink;
    return change;
  }

  committed(change: Change): void {
    const { sequence } = change;
    if (this.first < this.waiting.length) this.waiting.push(change);
    else if (sequence <= this.known || sequence <= this.ask()) this.end(change, true);
    else this.waiting.push(change);
  }

  private ask(): number {
    this.known = this.foldUpTo();
    return this.known;
  }

  look(): void {
    this.known = 0;
    if (this.first === this.waiting.length) return;
    const upTo = this.ask();
    // What is answered may bring more.
    while (this.first < this.waiting.length && this.waiting[this.first]!.sequence <= upTo)
      this.end(this.waiting[this.first++]!, true);
    this.tidy();
  }

  private tidy(): void {
    if (this.first === this.waiting.length) this.waiting.length = 0;
    else if (this.first < tidyAt || this.first * 2 < this.waiting.length) return;
    else this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }

  end(change: Change, isAnswered: boolean): void {
    change.isAnswered = isAnswered;
    this.decided.push(change);
    if (this.decided.length === 1) queueMicrotask(this.tell);
  }

  private tellDecided(): void {
    const { decided } = this;
    this.decided = [];
    for (const change of decided) {
      const sink = change.sink!;
      change.sink = null;
      if (this.spare.length < spareMax) this.spare.push(change);
      sink.changed(change.isAnswered);
    }
  }
}

/** Who waits until this node's folds have come to what it has put: that was committed before, and is in the order of its numbers. */
export class Answers {
  private readonly shards: readonly ShardAnswers[];

  /** `foldUpTo`: up to which of this node's publishes a shard's fold has come. */
  constructor(count: number, foldUpTo: (shard: number) => number) {
    this.shards = Array.from({ length: count }, (_, shard) => new ShardAnswers(() => foldUpTo(shard)));
  }

  /** To be told what becomes of the publish with that number. */
  slot(shard: number, sequence: number, sink: ChangeSink): ConfirmSlot {
    return this.shards[shard]!.begin(sequence, sink);
  }

  /** The fold has gone on. */
  look(shard: number): void {
    this.shards[shard]!.look();
  }
}
