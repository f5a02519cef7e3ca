import type { Came, MqttEntry, Sent, Subscribed } from './entry.js';

/** What is known of a message that was published. */
export interface Message {
  readonly p: string;
  readonly n: number;
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly firstMs: number;
  lastMs: number;
  /** By the connection that it was sent on; true: acknowledged there. */
  readonly copies: Map<number, boolean>;
  isAcked: boolean;
  isNacked: boolean;
}

/** Where messages wait: a session's, or a group's. */
export interface Inbox {
  readonly name: string;
  readonly filter: string;
  readonly isShared: boolean;
  readonly qos: 1 | 2;
  readonly sinceMs: number;
  /** Every time that a message came, by message. */
  readonly arrivals: Map<string, Came[]>;
}

export interface Books {
  readonly messages: ReadonlyMap<string, Message>;
  readonly inboxes: readonly Inbox[];
  /** Of a client, by name. */
  inboxOf(client: string): string | undefined;
}

export function keyOf({ p, n }: { readonly p: string; readonly n: number }): string {
  return `${p} ${n}`;
}

/** All messages and where they came. */
export function booksOf(entries: readonly MqttEntry[]): Books {
  const messages = new Map<string, Message>();
  const inboxes = new Map<string, Inbox>();
  const ofClient = new Map<string, Inbox>();
  for (const entry of entries) {
    if (entry.e === 'sent') sent(entry, messages);
    else if (entry.e === 'acked' || entry.e === 'nacked') {
      const message = messages.get(keyOf(entry));
      if (message === undefined) continue;
      if (entry.e === 'acked') message.isAcked = true;
      else message.isNacked = true;
      if (entry.e === 'acked') message.copies.set(entry.k, true);
    } else if (entry.e === 'subscribed') ofClient.set(entry.c, inboxOf(entry, inboxes));
    else if (entry.e === 'came') {
      const { arrivals } = ofClient.get(entry.c) ?? orphan(entry, inboxes, ofClient);
      const those = arrivals.get(keyOf(entry));
      if (those === undefined) arrivals.set(keyOf(entry), [entry]);
      else those.push(entry);
    }
  }
  return { messages, inboxes: [...inboxes.values()], inboxOf: (client) => ofClient.get(client)?.name };
}

/** Messages that were acknowledged, and have not come to a session that was subscribed when they were published. */
export function owed(entries: readonly MqttEntry[]): { readonly inbox: Inbox; readonly message: Message }[] {
  const { messages, inboxes } = booksOf(entries);
  return inboxes.flatMap((inbox) => missing(inbox, messages).map((message) => ({ inbox, message })));
}

export function missing(inbox: Inbox, messages: ReadonlyMap<string, Message>): Message[] {
  return [...messages.values()].filter((message) => {
    if (!message.isAcked || message.firstMs <= inbox.sinceMs || !matches(inbox.filter, message.topic)) return false;
    return !taken(inbox, message);
  });
}

/** One whose identifier the client holds is passed over by it. */
function taken({ arrivals }: Inbox, message: Message): boolean {
  return (arrivals.get(keyOf(message)) ?? []).some(({ known }) => !known);
}

/** Filters of these tests end with `/#`. */
function matches(filter: string, topic: string): boolean {
  return topic.startsWith(filter.slice(0, -1));
}

function sent({ p, n, k, t, topic, qos }: Sent, messages: Map<string, Message>): void {
  const known = messages.get(keyOf({ p, n }));
  if (known === undefined) {
    const none = { isAcked: false, isNacked: false };
    messages.set(keyOf({ p, n }), { p, n, topic, qos, firstMs: t, lastMs: t, copies: new Map([[k, false]]), ...none });
  } else {
    known.copies.set(k, false);
    known.lastMs = t;
  }
}

function inboxOf({ c, t, filter, qos }: Subscribed, inboxes: Map<string, Inbox>): Inbox {
  const shared = /^\$share\/[^/]+\/(.*)$/.exec(filter);
  const name = shared === null ? c : filter;
  const known = inboxes.get(name);
  if (known !== undefined) return known;
  const isShared = shared !== null;
  const inbox = { name, filter: shared?.[1] ?? filter, isShared, qos, sinceMs: t, arrivals: new Map<string, Came[]>() };
  inboxes.set(name, inbox);
  return inbox;
}

/** A message came before SUBACK. */
function orphan({ c, t }: Came, inboxes: Map<string, Inbox>, ofClient: Map<string, Inbox>): Inbox {
  const inbox = inboxOf({ e: 'subscribed', c, k: 0, t, filter: 'nothing/#', qos: 2 }, inboxes);
  ofClient.set(c, inbox);
  return inbox;
}
