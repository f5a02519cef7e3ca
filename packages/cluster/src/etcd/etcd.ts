/** What this package asks of etcd: the part of its v3 API that we use, in plain values. Implementations: EtcdClient, SimEtcd. */

/** Of the whole store; grows with every transaction that writes. */
export type EtcdRevision = number;

/** A lease's id: 64 bits, in decimal. */
export type LeaseId = string;

export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  /** Of the transaction that made the key. */
  readonly createRevision: EtcdRevision;
  /** Of the last one that wrote it. */
  readonly modRevision: EtcdRevision;
}

/** A key was written, or deleted (then `value` is undefined and the revision that of the deletion). */
export interface EtcdEvent {
  readonly key: string;
  readonly value: string | undefined;
  readonly createRevision: EtcdRevision;
  readonly modRevision: EtcdRevision;
}

/** Holds when the key's revision compares so; that of an absent key is 0. */
export interface EtcdCompare {
  readonly key: string;
  /** Holds for every key from `key` up to, not including, this one; where there is none, as for one that is absent. */
  readonly end?: string;
  readonly of: 'create' | 'mod';
  readonly is: 'equal' | 'unequal';
  readonly revision: EtcdRevision;
}

export type EtcdOp =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: LeaseId | null }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'txn'; readonly txn: EtcdTxn };

/** All of `success` when all of `compare` hold, else all of `failure`; as one, and in one revision. */
export interface EtcdTxn {
  readonly compare: readonly EtcdCompare[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

/** For each operation of the branch that ran: the entry that a `get` found (null: none), what a `txn` did, null for the others. */
export type EtcdOpResult = EtcdEntry | EtcdTxnResult | null;

export interface EtcdTxnResult {
  readonly revision: EtcdRevision;
  readonly succeeded: boolean;
  readonly results: readonly EtcdOpResult[];
}

/** Compares, and operations of a branch, that one transaction may have (etcd's `--max-txn-ops`); a nested one has what the one around it left. */
export const txnOpsMax = 128;

/**
 * A call failed. `refused`: it had no effect and would have none when repeated as it is. `unknown`: nobody knows whether it had an
 * effect; a transaction may have been applied and its answer lost.
 */
export class EtcdError extends Error {
  readonly outcome: 'refused' | 'unknown';

  constructor(outcome: 'refused' | 'unknown', message: string, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** What the member that we talk to says of itself. */
export interface EtcdStatus {
  readonly version: string;
  /** On the disk. */
  readonly databaseBytes: number;
  /** Of these in use; the rest a defragmentation gives back. */
  readonly databaseBytesInUse: number;
  readonly hasLeader: boolean;
  /** Of the whole etcd cluster: `NOSPACE` (its quota is used up, it takes no writes), `CORRUPT`. */
  readonly alarms: readonly string[];
}

/** etcd's quota is used up. The first transaction that meets this is applied nevertheless. */
export const isOutOfSpace = (error: unknown): boolean =>
  error instanceof EtcdError && error.message.includes('database space exceeded');

export interface EtcdWatchSink {
  /** What changed under the prefix, in order and whole revisions at a time. */
  changed(events: readonly EtcdEvent[]): void;
  /** The watch is alive. How far it has come cannot be told: before 3.4.25 and 3.5.8 etcd's own word for that may run ahead of its events (etcd#15220). */
  heard(): void;
  /** The watch is over; called once, and nothing after it. `compacted`: what lies before that revision cannot be told any more. */
  ended(why: { readonly compacted: EtcdRevision | null; readonly reason: string }): void;
}

export interface Etcd {
  /** Everything under a prefix, linearizable and of one revision. */
  range(prefix: string): Promise<{ readonly revision: EtcdRevision; readonly entries: readonly EtcdEntry[] }>;
  txn(txn: EtcdTxn): Promise<EtcdTxnResult>;
  /** Tells what changes from `from` on (inclusive), and every few seconds that it is alive. Returns what stops it. */
  watch(prefix: string, from: EtcdRevision, sink: EtcdWatchSink): () => void;
  /** A new lease that ends when nothing is heard of it for `ttlSeconds`. */
  grantLease(ttlSeconds: number): Promise<LeaseId>;
  /** Resolves with the seconds the lease has from the moment it was asked, 0 when it is over. */
  keepLease(lease: LeaseId): Promise<number>;
  /** Ends a lease with all its keys. */
  revokeLease(lease: LeaseId): Promise<void>;
  /** Forgets what was before this revision, of everybody's keys. What is compacted already is refused. */
  compact(revision: EtcdRevision): Promise<void>;
  /** Of one member, also of one that has no majority behind it. */
  status(): Promise<EtcdStatus>;
  close(): void;
}

/** Some keys as they are now, linearizable, with the store's revision; null: there is none. */
export async function readKeys(
  etcd: Etcd,
  keys: readonly string[],
): Promise<{ readonly revision: EtcdRevision; readonly entries: readonly (EtcdEntry | null)[] }> {
  const success = keys.map((key) => ({ kind: 'get', key }) as const);
  const { revision, results } = await etcd.txn({ compare: [], success, failure: [] });
  return { revision, entries: results as readonly (EtcdEntry | null)[] };
}

/** Holds when there is no key from `first` up to, not including, `end`. */
export const noKeyBetween = (first: string, end: string): EtcdCompare => ({
  key: first,
  end,
  of: 'create',
  is: 'equal',
  revision: 0,
});
