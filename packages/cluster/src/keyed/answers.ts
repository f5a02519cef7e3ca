interface Asked {
  readonly sequence: number;
  readonly answer: () => void;
}

/** Who waits until this node's folds have come to what it has put: that was committed before, and is in the order of its numbers. */
export class Answers {
  private readonly waiting = new Map<number, Asked[]>();
  private readonly has: (shard: number, sequence: number) => boolean;

  /** `has`: whether the fold has come to that publish of this node. */
  constructor(has: (shard: number, sequence: number) => boolean) {
    this.has = has;
  }

  /** It is committed. */
  add(shard: number, sequence: number, answer: () => void): void {
    const list = this.waiting.get(shard);
    if (list !== undefined) list.push({ sequence, answer });
    else if (this.has(shard, sequence)) answer();
    else this.waiting.set(shard, [{ sequence, answer }]);
  }

  /** The fold has gone on. */
  look(shard: number): void {
    const list = this.waiting.get(shard);
    if (list === undefined) return;
    let count = 0;
    while (count < list.length && this.has(shard, list[count]!.sequence)) count++;
    if (count === list.length) this.waiting.delete(shard);
    for (const { answer } of count === list.length ? list : list.splice(0, count)) answer();
  }
}
