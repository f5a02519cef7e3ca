import type { JsonValue } from '@chapar/core';
import type { MirroredQueues } from './mirrored-queues.js';

/** What the API sees of the cluster that this node belongs to, and asks of it. The composer connects it. */
export interface Membership {
  readonly mirrored: MirroredQueues;
  view(): ClusterView;
  /** Asks another node's API; rejects when it is not linked, does not answer in time, or its answerer throws. */
  ask(node: string, kind: string, body: JsonValue): Promise<JsonValue>;
  /** Answers what other nodes' APIs ask. */
  answer(kind: string, answerer: (body: JsonValue) => JsonValue | Promise<JsonValue>): void;
  /** What would be lost with a member that is gone, by name or data id; null when there is no such member. */
  losses(member: string): Promise<Losses | null>;
  /** Has the cluster forget it for good. Throws RefusedError with the reason when that must not be. */
  forget(member: string): Promise<Losses>;
}

/** What this node knows of the cluster by itself. */
export interface ClusterView {
  /** What tells this cluster from all others. */
  readonly id: string;
  readonly prefix: string;
  /** How long a node that is mute counts as registered. */
  readonly leaseSeconds: number;
  /** Up to which revision of metadata this node has come. */
  readonly revision: number;
  readonly etcd: EtcdView;
  /** By name; this node and those that are gone, too. */
  readonly members: readonly MemberView[];
}

export interface EtcdView {
  readonly endpoints: readonly string[];
  /** It answers, with a majority behind it. */
  readonly isReachable: boolean;
  /** Since when that is so or not, milliseconds since 1970. */
  readonly sinceMs: number;
  /** Why it cannot be used: why it is not reached, or why what answers is not obeyed; null when it can. */
  readonly trouble: string | null;
  /** Its own alarms: `NOSPACE` and the like. */
  readonly alarms: readonly string[];
  readonly version: string | null;
  readonly databaseBytes: number | null;
  /** Whether this node's registration is held for sure, may have ended unnoticed, or is not there. */
  readonly registration: 'held' | 'unsure' | 'none';
}

export interface MemberView {
  readonly name: string;
  /** Of its data directory; queues name the directory that they live in by it. */
  readonly dataId: string;
  readonly isHere: boolean;
  /** Registered in etcd. */
  readonly isLive: boolean;
  /** In maintenance: nothing new is placed there. */
  readonly isResting: boolean;
  /** Since when it is registered or gone, milliseconds since 1970; null: not known. */
  readonly sinceMs: number | null;
  /** Where peers reach it. Empty when it is gone. */
  readonly address: string;
  /** Of Chapar. Empty when it is not known. */
  readonly version: string;
  /** From this node to a live one; null for this node and for those that are gone. */
  readonly link: LinkView | null;
}

export interface LinkView {
  readonly isUp: boolean;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** Why it is down. */
  readonly reason: string;
  /** Messages of QoS 0 for its clients that were dropped: there was no link, or too much waited for it. */
  readonly dropped: number;
}

/** What goes with a member that is forgotten. */
export interface Losses {
  readonly name: string;
  readonly dataId: string;
  /** Durable queues that live in its data directory alone. */
  readonly queues: readonly { readonly vhost: string; readonly name: string }[];
}

/** Something that must not be done now, with the reason in words for people. */
export class RefusedError extends Error {}
