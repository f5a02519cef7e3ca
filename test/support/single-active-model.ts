/** A consumer as the model sees it. */
export interface Standing {
  readonly priority: number;
  isGone: boolean;
}

/** Who is served where only one is: plain lists, searched from end to end. */
export class SingleActiveModel<T extends Standing> {
  current: T | null = null;
  /** In the order of coming, those that were served once and stepped back, too. */
  private waiting: T[] = [];
  private readonly came: T[] = [];

  join(taker: T): void {
    this.waiting.push(taker);
    this.came.push(taker);
  }

  /** Who goes, or is outranked and holds nothing, makes room for the first of the highest priority. */
  passOn(holdsSomething: (taker: T) => boolean): void {
    this.waiting = this.waiting.filter(({ isGone }) => !isGone);
    const { current } = this;
    const isFree = current === null || current.isGone || (this.isOutranked(current) && !holdsSomething(current));
    if (!isFree) return;
    const highest = Math.max(...this.waiting.map(({ priority }) => priority));
    this.current = this.waiting.find(({ priority }) => priority === highest) ?? null;
    this.waiting = this.waiting.filter((each) => each !== this.current);
    if (current === null || current.isGone) return;
    this.waiting.push(current);
    this.waiting.sort((a, b) => this.came.indexOf(a) - this.came.indexOf(b));
  }

  serves(taker: T): boolean {
    return taker === this.current && !this.isOutranked(taker);
  }

  private isOutranked({ priority }: T): boolean {
    return this.waiting.some((each) => each.priority > priority);
  }
}
