import type { Delivered, Entry, Fate, Published } from './entry.js';

export interface Verdict {
  /** What the brokers must not do, in words; of each kind the first few. */
  readonly faults: readonly string[];
  /** Whose messages the faults are about, the first of each kind: their histories are worth reading. */
  readonly suspects: readonly { readonly p: string; readonly id: number }[];
  readonly counts: Counts;
}

export interface Counts {
  published: number;
  confirmed: number;
  nacked: number;
  returned: number;
  /** Neither confirmed nor nacked: the connection ended before. */
  unknown: number;
  delivered: number;
  flagged: number;
  acked: number;
  /** Sent again by their publishers, since what they had sent before got no verdict. */
  again: number;
  /** Came again without the flag, and had never been confirmed. */
  doubledUnconfirmed: number;
}

export interface Terms {
  /** Queues whose messages may be gone: their only disk is. */
  readonly lostQueues?: readonly string[];
  /** Queues with priorities, and what a number is taken modulo to get a message's: order is promised within one. */
  readonly priorities?: Readonly<Record<string, number>>;
}

/** All that is known of one copy of a message: what was sent again is another one, and owed its own due. */
interface Copy {
  readonly published: Published;
  isConfirmed: boolean;
  isNacked: boolean;
  isReturned: boolean;
  deliveries: number;
  unflagged: number;
}

/**
 * Holds the ledgers of all clients against what was promised: no confirmed message lost, none from nowhere, none twice but flagged or
 * never confirmed, order kept for each connection of a publisher, queue
 * and priority, and what nobody can get given back to its publisher.
 * To be asked when everything is drained.
 */
export function judge(ledgers: readonly (readonly Entry[])[], terms: Terms = {}): Verdict {
  return new Judge(terms).judge(ledgers);
}

/** Of each kind: one fault often brings thousands like it. */
const shownMax = 5;

class Judge {
  private readonly terms: Terms;
  /** By message, in the order in which they were sent. */
  private readonly copies = new Map<string, Copy[]>();
  private readonly faults = new Map<string, string[]>();
  private readonly suspects = new Map<string, { readonly p: string; readonly id: number }>();
  private readonly counts: Counts = {
    ...{ published: 0, confirmed: 0, nacked: 0, returned: 0, unknown: 0 },
    ...{ delivered: 0, flagged: 0, acked: 0, again: 0, doubledUnconfirmed: 0 },
  };

  constructor(terms: Terms) {
    this.terms = terms;
  }

  judge(ledgers: readonly (readonly Entry[])[]): Verdict {
    for (const ledger of ledgers) this.readPublisher(ledger);
    for (const ledger of ledgers) this.readConsumer(ledger);
    for (const copies of this.copies.values()) for (const copy of copies) this.close(copy);
    const faults = [...this.faults].flatMap(([kind, texts]) => {
      const more = texts.length - shownMax;
      return [...texts.slice(0, shownMax), ...(more > 0 ? [`and ${more} more: ${kind}`] : [])];
    });
    return { faults, suspects: [...this.suspects.values()], counts: this.counts };
  }

  // -- what publishers saw -----------------------------------------------------------------------------------------

  private readPublisher(ledger: readonly Entry[]): void {
    const last = new Map<string, number>();
    for (const entry of ledger) {
      if (entry.e === 'published') this.published(entry, last);
      else if (entry.e === 'confirmed' || entry.e === 'nacked' || entry.e === 'returned') this.fate(entry);
    }
  }

  private published(entry: Published, last: Map<string, number>): void {
    // A client that numbers wrongly proves nothing.
    const connection = `${entry.p} ${entry.s}`;
    if (entry.id <= (last.get(connection) ?? 0)) this.fault('the client is wrong', entry, 'was numbered downwards');
    last.set(connection, entry.id);
    const earlier = this.copies.get(keyOf(entry)) ?? [];
    const before = earlier.at(-1);
    if (before !== undefined) {
      this.counts.again++;
      if (before.isConfirmed || before.isNacked || before.published.s >= entry.s)
        this.fault(
          'the client is wrong',
          entry,
          `was sent again after its verdict, or on connection ${entry.s} itself`,
        );
    }
    this.counts.published++;
    const fresh = { isConfirmed: false, isNacked: false, isReturned: false, deliveries: 0, unflagged: 0 };
    this.copies.set(keyOf(entry), [...earlier, { published: entry, ...fresh }]);
  }

  private fate(entry: Fate): void {
    const message = this.copies.get(keyOf(entry))?.at(-1);
    if (message === undefined) {
      this.fault('from nowhere', entry, `was ${entry.e} and never published`);
      return;
    }
    const hasFate = message.isConfirmed || message.isNacked;
    if (entry.e === 'returned') {
      if (hasFate) this.fault('returned late', entry, 'was returned after its confirm');
      if (message.isReturned) this.fault('returned twice', entry, 'was returned twice');
      message.isReturned = true;
      this.counts.returned++;
      const { q } = message.published;
      if (q !== null && !this.isLost(q)) this.fault('returned', entry, `came back, and there is a queue ${q}`);
    } else {
      if (hasFate) this.fault('two fates', entry, `was ${entry.e} after it had been confirmed or nacked`);
      if (entry.e === 'confirmed') message.isConfirmed = true;
      else message.isNacked = true;
      this.counts[entry.e]++;
    }
  }

  // -- what consumers saw ------------------------------------------------------------------------------------------

  private readConsumer(ledger: readonly Entry[]): void {
    /** The highest number that this consumer has seen of each connection of a publisher to each queue. */
    const highest = new Map<string, number>();
    const held = new Set<string>();
    for (const entry of ledger) {
      if (entry.e === 'delivered') {
        this.delivered(entry, highest);
        held.add(`${entry.s} ${keyOf(entry)}`);
      } else if (entry.e === 'acked') {
        this.counts.acked++;
        if (!held.has(`${entry.s} ${keyOf(entry)}`))
          this.fault('the client is wrong', entry, 'was acked without a delivery');
      }
    }
  }

  private delivered(entry: Delivered, highest: Map<string, number>): void {
    this.counts.delivered++;
    if (entry.r) this.counts.flagged++;
    const copies = this.copies.get(keyOf(entry)) ?? [];
    const message = copies.find(({ published }) => published.s === entry.ps) ?? copies.at(-1);
    if (message === undefined) {
      this.fault('from nowhere', entry, `came out of ${entry.q} and was never published`);
      return;
    }
    if (!entry.ok) this.fault('changed', entry, 'came with another body');
    this.checkOrigin(entry, message);
    this.checkOrder(entry, highest);
    message.deliveries++;
    if (entry.r) return;
    // Counted by the number of unflagged deliveries: which client's ledger is read first must not matter.
    if (message.unflagged++ === 0) return;
    if (message.isConfirmed) this.fault('twice', entry, `came again out of ${entry.q} without the flag`);
    else this.counts.doubledUnconfirmed++;
  }

  private checkOrigin(entry: Delivered, { published, isReturned }: Copy): void {
    if (published.q !== entry.q) this.fault('wrong queue', entry, `went to ${published.q} and came out of ${entry.q}`);
    if (published.s !== entry.ps) this.fault('wrong connection', entry, `was published on connection ${published.s}`);
    if (isReturned) this.fault('returned and delivered', entry, 'was returned to its publisher, and delivered');
  }

  /**
   * One that was never given back is behind all that its consumer has seen of that connection before. What comes again may come
   * whenever its home has found out that its acknowledgement is lost.
   */
  private checkOrder(entry: Delivered, highest: Map<string, number>): void {
    const priorities = this.terms.priorities?.[entry.q] ?? 1;
    const key = `${entry.c} ${entry.q} ${entry.p} ${entry.ps} ${entry.id % priorities}`;
    const before = highest.get(key) ?? 0;
    if (!entry.r && entry.id <= before) {
      // The same one again is a duplicate and told as such.
      if (entry.id < before) this.fault('order', entry, `came to ${entry.c} after ${before}, out of ${entry.q}`);
    }
    highest.set(key, Math.max(before, entry.id));
  }

  // -- and what must have happened by the end ----------------------------------------------------------------------

  private close({ published, isConfirmed, isNacked, isReturned, deliveries }: Copy): void {
    if (!isConfirmed && !isNacked) this.counts.unknown++;
    if (published.q === null) {
      if (isConfirmed && !isReturned)
        this.fault('dropped', published, 'could not be routed, was confirmed and not returned');
      return;
    }
    const isOwed = isConfirmed && !isReturned && !this.isLost(published.q);
    if (isOwed && deliveries === 0) this.fault('lost', published, `was confirmed in ${published.q} and never came`);
  }

  private isLost(queue: string): boolean {
    return this.terms.lostQueues?.includes(queue) ?? false;
  }

  private fault(kind: string, { p, id, t }: { p: string; id: number; t: number }, text: string): void {
    const texts = this.faults.get(kind) ?? [];
    this.faults.set(kind, texts);
    if (texts.length === 0) this.suspects.set(kind, { p, id });
    texts.push(`${kind}: ${p} ${id} ${text} (${new Date(t).toISOString().slice(11, 23)})`);
  }
}

function keyOf({ p, id }: { readonly p: string; readonly id: number }): string {
  return `${p} ${id}`;
}
