import { readFileSync } from 'node:fs';

/** Milliseconds since 1970, for people. */
interface Stamped {
  readonly t: number;
}

interface OfPublisher extends Stamped {
  /** The publisher, by its name. */
  readonly p: string;
  /**
   * Numbers of one publisher are given once, upwards, over all its queues and connections. One comes again on a later connection when
   * what was sent got no verdict and is sent again: that is another copy.
   */
  readonly id: number;
}

/** Written before the message is sent, so that none comes from nowhere. */
export interface Published extends OfPublisher {
  readonly e: 'published';
  /** Which of the publisher's connections carried it: order is promised within one. */
  readonly s: number;
  /** Null: mandatory, and to a key that nobody has bound. */
  readonly q: string | null;
}

export interface Fate extends OfPublisher {
  readonly e: 'confirmed' | 'nacked' | 'returned';
}

interface OfConsumer extends Stamped {
  /** The consumer, by its name. */
  readonly c: string;
  /** Which of its connections. */
  readonly s: number;
}

export interface Delivered extends OfConsumer {
  readonly e: 'delivered';
  readonly q: string;
  /** From the body: publisher, its connection, number. */
  readonly p: string;
  readonly ps: number;
  readonly id: number;
  /** The flag `redelivered`. */
  readonly r: boolean;
  /** The body is what was published, to its last byte. */
  readonly ok: boolean;
}

export interface Acked extends OfConsumer {
  readonly e: 'acked';
  readonly p: string;
  readonly id: number;
}

/** What a client lived through; nothing is checked about it. */
export interface Trouble extends Stamped {
  readonly e: 'connected' | 'attached' | 'cancelled' | 'trouble';
  readonly text: string;
}

/** A line of a ledger. */
export type Entry = Published | Fate | Delivered | Acked | Trouble;

/** A ledger is a file of JSON, a line an entry, in the order in which its client saw them. */
export function readLedger(file: string): Entry[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const rest = lines.pop();
  if (rest !== '') throw new Error(`${file} does not end with a whole line: its client was killed`);
  return lines.map((line) => JSON.parse(line) as Entry);
}
