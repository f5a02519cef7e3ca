import type { Address, Message } from '@chapar/core';
import type { Qos } from './codec/packet.js';
import { isOriginOf } from './origin.js';
import { topicOf } from './topic-bridge.js';
import { matchesFilter } from './topic-names.js';
import { FilterTrie } from './topic-trie.js';

/** One subscription of a session (§3.8). */
export interface Subscription {
  /** As the client wrote it, `$share/...` included. */
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: none. */
  readonly subscriptionId: number;
  /** The group of a shared one; null: the client's own. */
  readonly group: string | null;
}

/** What a session's subscriptions come to for one topic: overlapping ones get one copy, with the highest QoS and all ids. §3.3.4 */
export interface Match {
  /** -1: none of them matches. */
  readonly qos: number;
  readonly subscriptionIds: readonly number[] | null;
  readonly retainAsPublished: boolean;
  /** Of a message that the client published itself, where subscriptions with No Local match, too; null: the same. */
  readonly own: Match | null;
  /** It is not sent: only subscriptions with No Local match what the client published itself. */
  readonly isUnwanted: boolean;
}

export const noMatch: Match = {
  qos: -1,
  subscriptionIds: null,
  retainAsPublished: false,
  own: null,
  isUnwanted: false,
};
const unwanted: Match = { ...noMatch, isUnwanted: true };
/** Up to this many are looked at one by one. */
const listMax = 8;
/** Of all sessions that never had one; nothing is put into it. */
const none = new Map<string, Subscription>();
/** Answers remembered per session. */
const answersMax = 512;

/** A session's own subscriptions (not the shared ones), and what they say of a topic. */
export class Subscriptions {
  private byFilter = none;
  private trie: FilterTrie<Subscription> | null = null;
  /** While there is no trie: their filters' levels, in their order; null: not asked for since the last change. */
  private levels: (readonly string[])[] | null = null;
  private answers: Map<Address, Match> | null = null;
  private lastAddress: Address | null = null;
  private lastMatch: Match = noMatch;
  private noLocalCount = 0;

  get hasNoLocal(): boolean {
    return this.noLocalCount > 0;
  }

  get size(): number {
    return this.byFilter.size;
  }

  get(filter: string): Subscription | undefined {
    return this.byFilter.get(filter);
  }

  [Symbol.iterator](): IterableIterator<Subscription> {
    return this.byFilter.values();
  }

  set(subscription: Subscription): void {
    this.forget(subscription.filter);
    if (subscription.noLocal) this.noLocalCount++;
    if (this.byFilter === none) this.byFilter = new Map();
    this.byFilter.set(subscription.filter, subscription);
    this.trie?.set(subscription.filter, subscription);
    if (this.trie === null && this.byFilter.size > listMax) this.buildTrie();
    this.changed();
  }

  delete(filter: string): void {
    this.forget(filter);
    this.trie?.delete(filter);
    this.changed();
  }

  match(address: Address): Match {
    if (address === this.lastAddress) return this.lastMatch;
    let match = this.answers?.get(address);
    if (match === undefined) {
      match = this.find(topicOf(address.routingKey));
      if (this.answers === null || this.answers.size >= answersMax) this.answers = new Map();
      this.answers.set(address, match);
    }
    this.lastAddress = address;
    this.lastMatch = match;
    return match;
  }

  /** The same of a message, which the client may have published itself. [MQTT-3.8.3-3] */
  matchOf(message: Message, clientId: string): Match {
    const match = this.match(message.address);
    return match.own !== null && isOriginOf(message, clientId) ? match.own : match;
  }

  private find(topic: string): Match {
    const found: Subscription[] = [];
    if (this.trie !== null) this.trie.match(topic, (each) => found.push(each));
    else {
      const levels = topic.split('/');
      this.levels ??= Array.from(this.byFilter.values(), ({ filter }) => filter.split('/'));
      let at = 0;
      for (const each of this.byFilter.values()) if (matchesFilter(this.levels[at++]!, levels)) found.push(each);
    }
    const match = together(found);
    if (!found.some(({ noLocal }) => noLocal)) return match;
    const others = found.filter(({ noLocal }) => !noLocal);
    return { ...match, own: others.length === 0 ? unwanted : together(others) };
  }

  private buildTrie(): void {
    this.trie = new FilterTrie();
    for (const each of this.byFilter.values()) this.trie.set(each.filter, each);
  }

  private changed(): void {
    this.levels = null;
    this.answers = null;
    this.lastAddress = null;
  }

  private forget(filter: string): void {
    if (this.byFilter.get(filter)?.noLocal) this.noLocalCount--;
    this.byFilter.delete(filter);
  }
}

/** One copy for all of them. */
function together(found: readonly Subscription[]): Match {
  if (found.length === 0) return noMatch;
  const ids = found.map(({ subscriptionId }) => subscriptionId).filter((id) => id > 0);
  return {
    ...noMatch,
    qos: Math.max(...found.map(({ qos }) => qos)),
    subscriptionIds: ids.length === 0 ? null : ids,
    retainAsPublished: found.some((each) => each.retainAsPublished),
  };
}
