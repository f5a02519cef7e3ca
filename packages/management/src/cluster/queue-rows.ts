import { type Broker, type JsonValue, mirroringWish, type SharedQueue } from '@chapar/core';
import { type Columns, pick } from '../columns.js';
import { copiesFields } from '../json/copies.js';
import type { Row } from '../json/counters.js';
import { queueJson, queueProperties, queueTotals, queueType } from '../json/queue.js';
import { Pace } from '../pace.js';
import type { CopiesView } from './mirrored-queues.js';
import type { Peers } from './peers.js';

/** What nodes ask each other for: rows of queues that live there. A type, so that it is JSON. */
type Question = {
  readonly queues: readonly (readonly [vhost: string, name: string])[];
  readonly columns: readonly (readonly string[])[] | null;
};
const kind = 'queues';

/** Known everywhere without asking the queue's home. */
const known = new Set([
  'name',
  'vhost',
  'node',
  'durable',
  'auto_delete',
  'exclusive',
  'arguments',
  'type',
  'policy',
  'state',
  'leader',
  'members',
  'online',
  'slave_nodes',
  'synchronised_slave_nodes',
  'in_sync',
  'epoch',
  'min_in_sync',
  'wanted_members',
  'mirroring',
]);

/** Of mirrored queues known better by their leaders, who hear which copies answer. */
const knownToLeaders = ['online', 'state'] as const;

/**
 * Rows of queues wherever they live. What a queue does is known at its home only, which is asked once for many queues, and for no more
 * than what is looked at; numbers of a home that does not answer are absent.
 */
export class QueueRows {
  /** Homes that did not answer: not asked again for this list. */
  readonly silent = new Set<string>();
  private fetched = new Map<SharedQueue, Row>();
  private readonly broker: Broker;
  private readonly peers: Peers;

  constructor(broker: Broker, peers: Peers) {
    this.broker = broker;
    this.peers = peers;
  }

  /** Gets what `json` then shows of these queues, and forgets those before. */
  async fetch(queues: readonly SharedQueue[], columns: Columns): Promise<void> {
    this.fetched = new Map();
    const isKnown = columns?.every(([first = '']) => known.has(first)) === true;
    if (isKnown && columns?.some(([first]) => knownToLeaders.some((name) => name === first)) !== true) return;
    const byHome = new Map<string, SharedQueue[]>();
    for (const queue of queues) {
      if (isKnown && this.viewOf(queue) === null) continue;
      const home = this.homeOf(queue);
      if (home === null || this.silent.has(home) || !this.peers.isLive(home)) continue;
      const there = byHome.get(home);
      if (there === undefined) byHome.set(home, [queue]);
      else there.push(queue);
    }
    await Promise.all([...byHome].map(([home, there]) => this.ask(home, there, columns)));
  }

  json(queue: SharedQueue): Row {
    const known = this.properties(queue);
    return this.homeOf(queue) === null
      ? { ...queueJson(this.broker, this.hereOf(queue)), ...known }
      : { ...known, ...this.fetched.get(queue), ...this.copiesOf(queue), ...this.answering(queue) };
  }

  /** For `disable_stats=true&enable_queue_totals=true`. */
  totals(queue: SharedQueue): Row {
    const isHere = this.homeOf(queue) === null;
    return { ...this.properties(queue), ...(isHere ? queueTotals(this.hereOf(queue)) : this.fetched.get(queue)) };
  }

  /** What is known without asking. */
  properties(queue: SharedQueue): Row {
    const home = this.homeOf(queue);
    const isDown = home !== null && !this.peers.isLive(home);
    const where = { node: home ?? this.broker.identity.node, ...(isDown ? { state: 'down' } : {}) };
    return { ...queueProperties(this.broker, queue), ...where, ...this.copiesOf(queue) };
  }

  /** The node that knows what it does; null: this one. Empty: a mirrored queue that nobody leads. */
  private homeOf(queue: SharedQueue): string | null {
    const view = this.viewOf(queue);
    if (view === null) return queue.home;
    return view.leader === this.broker.identity.node ? null : (view.leader ?? '');
  }

  /** Of a mirrored queue there is a face among those that can be named, and what is led beside it. */
  private hereOf(queue: SharedQueue): SharedQueue {
    return this.broker.topology.vhosts.get(queue.properties.vhost)?.localQueue(queue.name) ?? queue;
  }

  private viewOf({ incarnation }: SharedQueue): CopiesView | null {
    return this.peers.membership?.mirrored.view(incarnation) ?? null;
  }

  private copiesOf(queue: SharedQueue): Row {
    const view = this.viewOf(queue);
    if (view !== null) return copiesFields(view, queueType(queue));
    // Under a policy with copies, which it gets as soon as its home sees to it.
    const isWaiting =
      this.peers.membership !== null && mirroringWish(queue.properties, queue.policy.definition) !== null;
    return isWaiting ? { mirroring: 'waiting' } : {};
  }

  /** Which copies answer, and what follows from it, by the word of the leader. */
  private answering(queue: SharedQueue): Row {
    const told = this.fetched.get(queue);
    if (told === undefined || this.viewOf(queue) === null) return {};
    return Object.fromEntries(knownToLeaders.flatMap((name) => (name in told ? [[name, told[name]!]] : [])));
  }

  private async ask(home: string, queues: readonly SharedQueue[], columns: Columns): Promise<void> {
    for (let from = 0; from < queues.length && !this.silent.has(home); from += queuesMax) {
      const portion = queues.slice(from, from + queuesMax);
      const names = portion.map(({ name, properties }) => [properties.vhost, name] as const);
      const question: Question = { queues: names, columns };
      try {
        const rows = (await this.peers.ask(home, kind, question as unknown as JsonValue)) as (Row | null)[];
        for (const [i, row] of rows.entries()) if (row !== null) this.fetched.set(portion[i]!, row);
      } catch {
        this.silent.add(home);
      }
    }
  }
}

/** Of one question, so that no answer is large. */
const queuesMax = 500;

export function answerQueueRows(broker: Broker, { membership }: Peers): void {
  membership?.answer(kind, async (body) => {
    const { queues, columns } = body as unknown as Question;
    const pace = new Pace(broker.platform.clock);
    const rows: JsonValue[] = [];
    for (const [vhost, name] of queues) {
      const queue = broker.topology.vhosts.get(vhost)?.localQueue(name);
      const view = queue === undefined ? null : (membership.mirrored.view(queue.incarnation) ?? null);
      const copies = view === null ? {} : copiesFields(view, queueType(queue!));
      rows.push(queue === undefined ? null : pick({ ...queueJson(broker, queue), ...copies }, columns));
      if (pace.isDue) await pace.rest();
    }
    return rows;
  });
}
