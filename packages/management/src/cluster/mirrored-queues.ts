import type { Incarnation } from '@chapar/core';

/** Queues that have copies on several nodes, as the API sees them and acts on them. Nodes go by their names. */
export interface MirroredQueues {
  /** What this node knows of a queue's copies; null: it is not mirrored. */
  view(incarnation: Incarnation): CopiesView | null;
  all(): Iterable<CopiesView>;
  /** What the leader knows; null: nobody leads, or it does not answer. */
  status(incarnation: Incarnation): Promise<CopiesStatus | null>;
  /** These reject with RefusedError when it cannot be, with the reason in words. */
  add(incarnation: Incarnation, node: string): Promise<void>;
  remove(incarnation: Incarnation, node: string): Promise<void>;
  /** Null: to whoever has the fewest. Resolves with who leads then. */
  handOver(incarnation: Incarnation, node: string | null): Promise<string>;
  /** What there is to choose from when no copy in sync is coming back. */
  prospects(incarnation: Incarnation): Promise<Prospects>;
  /** A copy that is not in sync leads, with what it has. */
  promote(incarnation: Incarnation, node: string): Promise<void>;
  /** What would have to move so that all nodes lead as many. `isMeant`: what may be moved. */
  moves(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[];
  /** Begins to move that, a few queues a second. */
  rebalance(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[];
  /** How far this node is on its way out of use. */
  maintenance(): MaintenanceView;
  /** Takes this node out of use: resolves when that has begun. Both reject with RefusedError when etcd does not take it. */
  drain(): Promise<void>;
  revive(): Promise<void>;
}

/** By the queue's record. */
export interface CopiesView {
  /** Empty: it is no queue but a shard of what the broker keeps for itself on all nodes, such as retained messages. */
  readonly vhost: string;
  readonly name: string;
  readonly incarnation: Incarnation;
  /** Null: nobody leads. It may be gone. */
  readonly leader: string | null;
  readonly epoch: number;
  /** So many disks at least have whatever is confirmed. */
  readonly min: number;
  /** Who has a copy, in the order in which they succeed each other. */
  readonly members: readonly string[];
  readonly inSync: readonly string[];
  /** Those members that are registered. */
  readonly online: readonly string[];
  /** How many copies there shall be; null: one on every node. */
  readonly wanted: number | null;
}

export interface CopiesStatus {
  readonly leader: string;
  readonly epoch: number;
  /** Of the leader's log. */
  readonly end: number;
  readonly committed: number;
  /** Too few members answer: publishes are refused. */
  readonly isShort: boolean;
  readonly members: readonly MemberStatus[];
}

export interface MemberStatus {
  readonly node: string;
  readonly isInSync: boolean;
  readonly synced: number;
  /** Entries that it lacks, and for how long it has lacked the first of them. */
  readonly lag: number;
  readonly lagMs: number;
  /** Since when the leader has not heard it; null: it never did. */
  readonly silentMs: number | null;
}

export interface Prospects {
  readonly view: CopiesView;
  /** In sync and running: while there is one, nobody else has to lead. */
  readonly present: readonly string[];
  /** The copies that answer; those with the most first. */
  readonly copies: readonly ProspectView[];
}

export interface ProspectView {
  readonly node: string;
  /** The last epoch that it has something of, where it ends, and how many messages it has. */
  readonly epoch: number;
  readonly end: number;
  readonly committed: number;
  readonly messages: number;
  /** Since when it has not heard a leader; null: not since it was started. */
  readonly silentMs: number | null;
}

export interface LeadMove {
  readonly vhost: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface MaintenanceView {
  readonly state: 'serving' | 'draining' | 'drained';
  /** How many leads were handed over since it began. */
  readonly moved: number;
  /** Mirrored queues that it leads all the same, and why. */
  readonly left: readonly { readonly vhost: string; readonly name: string; readonly why: string }[];
}

/** It is none that people declare or move copies of. */
export const isShard = ({ vhost }: CopiesView): boolean => vhost === '';
