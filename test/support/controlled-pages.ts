import type { LoggedMessage, LogRead, Message, Position, QueuePages } from '@chapar/core';

/** Where a queue under test pages to: in memory, read when the test says so. */
export class ControlledPages implements QueuePages {
  /** Paged and neither read nor forgotten. */
  readonly paged = new Map<Position, Message>();
  /** True: reads wait for `answer`. */
  isHeld = false;
  /** Positions that cannot be read. */
  readonly broken = new Set<Position>();
  reads = 0;
  private waiting: (() => void)[] = [];
  private readonly logged: ReadonlyMap<Position, Message>;

  /** `logged`: what is found too, and stays. */
  constructor(logged: ReadonlyMap<Position, Message> = new Map()) {
    this.logged = logged;
  }

  page(position: Position, message: Message): void {
    if (this.paged.has(position)) throw new Error(`position ${position} is paged twice`);
    this.paged.set(position, message);
  }

  forget(first: Position, last: Position): void {
    for (const position of [...this.paged.keys()])
      if (position >= first && position <= last) this.paged.delete(position);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    if (!(from >= 1 && from <= to && bytesMax >= 1)) throw new Error(`read(${from}, ${to}, ${bytesMax})`);
    this.ask(() => done(this.find(from, to, bytesMax)));
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    const ascend = positions.every((position, i) => position > (positions[i - 1] ?? 0));
    if (!(positions.length > 0 && ascend && bytesMax >= 1)) throw new Error(`readAt(${positions}, ${bytesMax})`);
    const [from, to] = [positions[0]!, positions[positions.length - 1]!];
    this.ask(() => done(this.find(from, to, bytesMax, new Set(positions))));
  }

  private ask(answer: () => void): void {
    this.reads++;
    if (this.isHeld) this.waiting.push(answer);
    else queueMicrotask(answer);
  }

  /** Answers what waits, and what is asked while it is answered. True when there was something. */
  answer(): boolean {
    const { length } = this.waiting;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) next();
    return length > 0;
  }

  private find(from: Position, to: Position, bytesMax: number, only?: ReadonlySet<Position>): LogRead {
    const positions = [...new Set([...this.logged.keys(), ...this.paged.keys()])]
      .filter((position) => position >= from && position <= to && only?.has(position) !== false)
      .sort((a, b) => a - b);
    const messages: LoggedMessage[] = [];
    const unreadable: Position[] = [];
    let bytes = 0;
    for (const position of positions) {
      if (bytes >= bytesMax) return { messages, unreadable, upTo: position - 1 };
      const message = (this.logged.get(position) ?? this.paged.get(position))!;
      this.paged.delete(position);
      if (this.broken.has(position)) unreadable.push(position);
      else messages.push({ position, message });
      bytes += message.bodyBytes + 256;
    }
    return { messages, unreadable, upTo: to };
  }
}
