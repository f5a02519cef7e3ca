import type { Broker, JsonValue } from '@chapar/core';
import { type Counted, lengths, MessageCounts, type Row } from '../json/counters.js';
import { Pace } from '../pace.js';
import type { Peers } from './peers.js';

/** Sums over what lives on one node in one virtual host. A type, so that it is JSON. */
export type Totals = {
  ready: number;
  unacknowledged: number;
  consumers: number;
  connections: number;
  channels: number;
  receivedBytes: number;
  sentBytes: number;
  counts: Counts;
};
type Counts = { -readonly [name in keyof Counted]: number };

const kind = 'totals';
type Question = {
  readonly vhosts: readonly string[];
  /** Whose connections count; null: everybody's. */
  readonly user: string | null;
};

/** Of each of the virtual hosts, over all nodes that answer. */
export async function totalsOf(
  broker: Broker,
  peers: Peers,
  question: Question,
): Promise<{ readonly totals: ReadonlyMap<string, Totals>; readonly silent: readonly string[] }> {
  const [own, { answers, silent }] = await Promise.all([totalsHere(broker, question), peers.askAll(kind, question)]);
  const totals = new Map(question.vhosts.map((vhost, i) => [vhost, own[i]!]));
  for (const answer of answers.values()) {
    const theirs = answer as Totals[];
    for (const [i, vhost] of question.vhosts.entries()) add(totals.get(vhost)!, theirs[i]!);
  }
  return { totals, silent };
}

export function answerTotals(broker: Broker, peers: Peers): void {
  peers.membership?.answer(kind, (body) => totalsHere(broker, body as unknown as Question) as Promise<JsonValue>);
}

/** All of them together. */
export function sumOf(parts: Iterable<Totals>): Totals {
  const sum = none();
  for (const part of parts) add(sum, part);
  return sum;
}

/** As the API shows them. */
export function messageTotals({ ready, unacknowledged, counts }: Totals): { lengths: Row; stats: Row | null } {
  const messages = new MessageCounts();
  messages.add(counts);
  return { lengths: lengths(ready, unacknowledged), stats: messages.json() };
}

// ---------------------------------------------------------------------------------------------------------------

async function totalsHere(broker: Broker, { vhosts, user }: Question): Promise<Totals[]> {
  const pace = new Pace(broker.platform.clock);
  const byName = new Map(vhosts.map((vhost) => [vhost, none()]));
  for (const [name, totals] of byName) {
    for (const queue of [...(broker.topology.vhosts.get(name)?.localQueues() ?? [])]) {
      totals.consumers += queue.consumers.size;
      totals.ready += queue.readyCount;
      totals.unacknowledged += queue.unsettledCount;
      addCounts(totals.counts, queue.statistics);
      if (pace.isDue) await pace.rest();
    }
  }
  for (const connection of broker.connections) {
    const totals = byName.get(connection.vhost);
    if (totals === undefined || (user !== null && connection.principal.user !== user)) continue;
    totals.connections++;
    totals.channels += connection.channelCount;
    totals.receivedBytes += connection.receivedBytes;
    totals.sentBytes += connection.sentBytes;
  }
  return [...byName.values()];
}

function none(): Totals {
  return {
    ready: 0,
    unacknowledged: 0,
    consumers: 0,
    connections: 0,
    channels: 0,
    receivedBytes: 0,
    sentBytes: 0,
    counts: {
      published: 0,
      delivered: 0,
      deliveredSettled: 0,
      got: 0,
      gotSettled: 0,
      getEmpty: 0,
      redelivered: 0,
      settled: 0,
    },
  };
}

function add(to: Totals, from: Totals): void {
  to.ready += from.ready;
  to.unacknowledged += from.unacknowledged;
  to.consumers += from.consumers;
  to.connections += from.connections;
  to.channels += from.channels;
  to.receivedBytes += from.receivedBytes;
  to.sentBytes += from.sentBytes;
  addCounts(to.counts, from.counts);
}

function addCounts(to: Counts, from: Counted): void {
  for (const name of Object.keys(to) as (keyof Counts)[]) to[name] += from[name];
}
