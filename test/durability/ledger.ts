import { bodyOf, type Stamp, stampOf } from './stamp.js';

const CONFIRMED = 1;
const RECEIVED = 2;
const GONE = 4;
const WITHDRAWN = 8;
const PERSISTENT = 16;

/** One publisher's messages to one queue, over all lives of the broker. */
export interface Stream {
  readonly number: number;
  readonly queue: string;
  readonly publisher: string;
  /** By sequence number. */
  readonly marks: number[];
}

/** What one consumer saw of each stream. */
export interface View {
  readonly queue: string;
  /** Nobody gives messages of this queue back while the consumer is there: redeliveries come in order too. */
  readonly isInOrder: boolean;
  /** Highest sequence number that came without the flag, and at all. */
  readonly fresh: Map<number, number>;
  readonly any: Map<number, number>;
}

export interface Key {
  readonly stream: Stream;
  readonly sequence: number;
}

/**
 * What publishers were promised and what consumers saw, kept outside of the broker. `faults` says in words what the broker must not
 * do; `missing` at the end whom it owes.
 */
export class Ledger {
  readonly faults: string[] = [];
  readonly counts = { sent: 0, confirmed: 0, received: 0, redelivered: 0, gone: 0, withdrawn: 0 };
  private readonly streams: Stream[] = [];
  private confirmsLeft = Number.POSITIVE_INFINITY;
  private whenConfirmed: () => void = () => {};

  stream(queue: string, publisher: string): Stream {
    const known = this.streams.find((each) => each.queue === queue && each.publisher === publisher);
    if (known !== undefined) return known;
    const stream = { number: this.streams.length, queue, publisher, marks: [0] };
    this.streams.push(stream);
    return stream;
  }

  view(queue: string, isInOrder: boolean): View {
    return { queue, isInOrder, fresh: new Map(), any: new Map() };
  }

  /** The body of the stream's next message, which counts as sent. */
  send(stream: Stream, life: number, isPersistent: boolean, bytes: number): Buffer {
    const sequence = stream.marks.length;
    stream.marks.push(isPersistent ? PERSISTENT : 0);
    this.counts.sent++;
    return bodyOf({ stream: stream.number, sequence, life, isPersistent, bytes });
  }

  confirmed(stream: Stream, sequence: number): void {
    stream.marks[sequence]! |= CONFIRMED;
    this.counts.confirmed++;
    if (--this.confirmsLeft === 0) this.whenConfirmed();
  }

  /** Calls back in the very moment in which so many more confirms have come. */
  afterConfirms(count: number, whenConfirmed: () => void): void {
    this.confirmsLeft = count;
    this.whenConfirmed = whenConfirmed;
  }

  /** Published in a transaction that was rolled back: nobody may ever see it. */
  withdrawn(stream: Stream, sequence: number): void {
    stream.marks[sequence]! |= WITHDRAWN;
    this.counts.withdrawn++;
  }

  /** Its settlement is on the disk: it may not come again, whatever happens. */
  gone({ stream, sequence }: Key): void {
    stream.marks[sequence]! |= GONE;
    this.counts.gone++;
  }

  received(view: View, body: Buffer, redelivered: boolean, life: number): Key | null {
    const stamp = stampOf(body);
    const stream = stamp === null ? undefined : this.streams[stamp.stream];
    if (stamp === null || stream === undefined || stamp.sequence >= stream.marks.length) {
      this.fault(`${view.queue}: a message of ${body.length} bytes from nowhere: ${body.toString('hex', 0, 16)}`);
      return null;
    }
    const { sequence } = stamp;
    const mark = stream.marks[sequence]!;
    for (const wrong of wrongs(stream, stamp, mark, view, redelivered, life)) {
      this.fault(`${stream.queue}, ${stream.publisher}, ${sequence} in life ${life}: ${wrong}`);
    }
    stream.marks[sequence] = mark | RECEIVED;
    this.counts.received++;
    if (redelivered) this.counts.redelivered++;
    else view.fresh.set(stream.number, sequence);
    view.any.set(stream.number, sequence);
    return { stream, sequence };
  }

  /** Confirmed, and never seen by anybody. */
  missing(): string[] {
    const missing: string[] = [];
    for (const { queue, publisher, marks } of this.streams) {
      for (let sequence = 1; sequence < marks.length; sequence++) {
        const owed = CONFIRMED | PERSISTENT;
        const isOwed = (marks[sequence]! & owed) === owed;
        if (isOwed && (marks[sequence]! & RECEIVED) === 0) missing.push(`${queue}, ${publisher}, ${sequence}`);
      }
    }
    return missing;
  }

  private fault(text: string): void {
    // One fault often brings thousands of its kind.
    if (this.faults.length < 20) this.faults.push(text);
  }
}

function* wrongs(
  stream: Stream,
  stamp: Stamp,
  mark: number,
  view: View,
  redelivered: boolean,
  life: number,
): Generator<string> {
  const { sequence } = stamp;
  if (stream.queue !== view.queue) yield `came out of ${view.queue}`;
  if ((mark & WITHDRAWN) !== 0) yield 'was rolled back, and came';
  if ((mark & GONE) !== 0) yield 'its settlement was on the disk, and it came again';
  if ((mark & RECEIVED) !== 0 && !redelivered) yield 'came again without the flag';
  if (!stamp.isPersistent && stamp.life !== life) yield 'is transient and came back from the disk';
  if (stamp.isPersistent && stamp.life !== life && !redelivered)
    yield `stood in the log of life ${stamp.life}, unflagged`;
  const fresh = view.fresh.get(stream.number) ?? 0;
  if (!redelivered && sequence <= fresh) yield `came after ${fresh}`;
  const any = view.any.get(stream.number) ?? 0;
  if (view.isInOrder && sequence <= any) yield `came after ${any} in a queue to which nothing was given back`;
}
