import type { Span } from '../timeline.js';
import { Calm } from './calm.js';
import type { Came, MqttEntry } from './entry.js';
import { Faults, type Suspect } from './faults.js';
import { type Books, booksOf, type Inbox, keyOf, missing } from './inbox.js';
import { checkRetained, type RetainedCounts } from './retained.js';
import { checkSessions, checkWills, type WillCounts } from './sessions.js';

export interface MqttTerms {
  /** When what was wrong, and when all had been well for a moment. */
  readonly spans: readonly Span[];
  readonly quiet: readonly number[];
  /** Names of all nodes. */
  readonly nodes: readonly string[];
  /** Order is kept while all is well; or always. */
  readonly order: 'well' | 'always';
  /** Wills that come twice are faults; or they are counted. */
  readonly wills: 'once' | 'at-least-once';
}

export interface MqttCounts extends WillCounts, RetainedCounts {
  published: number;
  again: number;
  acked: number;
  nacked: number;
  arrived: number;
  /** With DUP. */
  flagged: number;
  /** A message of QoS 1 that came more than once. */
  twice: number;
  /** A message of QoS 2 that a group had more than once, while something was wrong. */
  groupTwice: number;
  /** Behind one that was published later, while something was wrong. */
  late: number;
  connections: number;
  takenOver: number;
}

export interface MqttVerdict {
  readonly faults: readonly string[];
  readonly suspects: readonly Suspect[];
  readonly counts: MqttCounts;
}

/** Clients write down what they saw when they come to it, and disks have what was settled a little later. Milliseconds. */
const slackMs = 1000;

/**
 * Holds what clients of MQTT saw against what was promised: nothing lost that was acknowledged, QoS 2 once, QoS 1 twice only where DUP or a
 * publisher that sent again explains it and never after it was settled for good, order, sessions, what is retained, wills. To be asked when
 * everything has come.
 */
export function judgeMqtt(entries: readonly MqttEntry[], terms: MqttTerms): MqttVerdict {
  return new Judge(entries, terms).judge();
}

class Judge {
  private readonly entries: readonly MqttEntry[];
  private readonly terms: MqttTerms;
  private readonly calm: Calm;
  private readonly books: Books;
  private readonly faults = new Faults();
  private readonly counts = { ...noCounts };

  constructor(entries: readonly MqttEntry[], terms: MqttTerms) {
    this.entries = entries;
    this.terms = terms;
    this.calm = new Calm(terms.spans, terms.quiet);
    this.books = booksOf(entries);
  }

  judge(): MqttVerdict {
    const { entries, terms, calm, books, faults, counts } = this;
    this.count();
    for (const inbox of books.inboxes) {
      for (const message of missing(inbox, books.messages))
        faults.add('lost', { ...message, t: message.firstMs }, `was acknowledged and never came to ${inbox.name}`);
      for (const came of inbox.arrivals.values()) this.checkArrivals(inbox, came);
      if (!inbox.isShared) this.checkOrder(inbox);
    }
    this.checkSettled();
    checkSessions(entries, faults);
    const wills = checkWills(entries, calm, terms.wills, faults);
    const retained = checkRetained(entries, books.messages, terms.nodes, calm, faults);
    return { faults: faults.texts, suspects: faults.suspects, counts: { ...counts, ...wills, ...retained } };
  }

  private count(): void {
    const { counts } = this;
    for (const entry of this.entries) {
      if (entry.e === 'sent') {
        counts.published++;
        if (entry.dup) counts.again++;
      } else if (entry.e === 'came') {
        counts.arrived++;
        if (entry.dup) counts.flagged++;
      } else if (entry.e === 'connected') counts.connections++;
      else if (entry.e === 'over' && entry.text.endsWith('0x8e')) counts.takenOver++;
    }
    for (const { isAcked, isNacked } of this.books.messages.values()) {
      if (isAcked) counts.acked++;
      if (isNacked) counts.nacked++;
    }
  }

  /** Each time that one message came to one session or group. */
  private checkArrivals(inbox: Inbox, came: readonly Came[]): void {
    const { faults, counts } = this;
    const first = came[0]!;
    const message = this.books.messages.get(keyOf(first));
    if (message === undefined || message.topic !== first.topic) {
      faults.add('from nowhere', first, `came to ${inbox.name} in ${first.topic} and was not published there`);
      return;
    }
    const qos = Math.min(message.qos, inbox.qos);
    for (const each of came)
      if (each.qos !== qos) faults.add('QoS', each, `came to ${each.c} with QoS ${each.qos} and not ${qos}`);
    const taken = came.filter(({ known }) => !known);
    if (qos === 2) {
      const [, again] = taken;
      if (again === undefined) return;
      // The group's queue and the session's are two logs.
      if (inbox.isShared && !this.calm.during(message.firstMs, again.t)) counts.groupTwice++;
      else faults.add('QoS 2 twice', again, `came to ${inbox.name} ${taken.length} times`);
      return;
    }
    if (came.length > 1) counts.twice++;
    const fresh = came.filter(({ dup }) => !dup);
    const sent = message.copies.size;
    if (fresh.length > sent)
      faults.add(
        'QoS 1 twice',
        fresh[sent]!,
        `came to ${inbox.name} ${fresh.length} times without DUP, and was sent ${sent} times`,
      );
  }

  /** As each message came first. */
  private checkOrder({ name, arrivals }: Inbox): void {
    const firsts = [...arrivals.values()].flatMap((came) => came.find(({ known }) => !known) ?? []);
    firsts.sort((one, other) => one.t - other.t);
    const highest = new Map<string, number>();
    for (const came of firsts) {
      const before = highest.get(came.p) ?? 0;
      highest.set(came.p, Math.max(before, came.n));
      const message = this.books.messages.get(keyOf(came));
      if (came.n > before || message === undefined) continue;
      if (this.terms.order === 'always' || this.calm.during(message.firstMs, came.t))
        this.faults.add('order', came, `came to ${name} after ${before}`);
      else this.counts.late++;
    }
  }

  /**
   * PUBACK is not answered, so what it settled may come again; but not when all was well after it, on a connection that was still there
   * then. What its publisher sent twice is two messages.
   */
  private checkSettled(): void {
    /** Until when each connection was there. */
    const ends = new Map<string, number>();
    for (const { e, c, k, t } of this.entries) {
      if ((e === 'over' || e === 'left') && !ends.has(`${c} ${k}`)) ends.set(`${c} ${k}`, t);
      // Somebody who has gone elsewhere has left alone what he had.
      if (e === 'connecting' && !ends.has(`${c} ${k - 1}`)) ends.set(`${c} ${k - 1}`, t);
    }
    const forGood = new Map<string, number>();
    for (const entry of this.entries) {
      if (entry.e !== 'puback' && entry.e !== 'came') continue;
      const message = this.books.messages.get(keyOf(entry));
      if (message?.qos !== 1 || message.copies.size > 1) continue;
      const inbox = this.books.inboxOf(entry.c);
      const key = `${inbox} ${keyOf(entry)}`;
      if (entry.e === 'puback') {
        const goodMs = this.calm.after(entry.t + slackMs) + slackMs;
        if ((ends.get(`${entry.c} ${entry.k}`) ?? Infinity) > goodMs) forGood.set(key, goodMs);
      } else if (entry.t > (forGood.get(key) ?? Infinity))
        this.faults.add('settled', entry, `came to ${entry.c} again, long after its PUBACK`);
    }
  }
}

const noCounts = {
  ...{ published: 0, again: 0, acked: 0, nacked: 0, arrived: 0, flagged: 0, twice: 0, groupTwice: 0, late: 0 },
  ...{ connections: 0, takenOver: 0, wills: 0, willsTwice: 0, willsLost: 0, reads: 0, readsOld: 0 },
};
