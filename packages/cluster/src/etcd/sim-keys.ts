import type {
  EtcdCompare,
  EtcdEntry,
  EtcdEvent,
  EtcdOp,
  EtcdOpResult,
  EtcdTxn,
  EtcdTxnResult,
  LeaseId,
} from './etcd.js';
import { EtcdError, txnOpsMax } from './etcd.js';

interface StoredEntry extends EtcdEntry {
  readonly lease: LeaseId | null;
}

/** A transaction whose branches were chosen. */
interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly PathOp[];
}

type PathOp = Exclude<EtcdOp, { readonly kind: 'txn' }> | { readonly kind: 'path'; readonly path: Path };

export interface KeysImage {
  readonly revision: number;
  readonly compacted: number;
  readonly entries: ReadonlyMap<string, StoredEntry>;
  readonly history: readonly { readonly revision: number; readonly events: readonly EtcdEvent[] }[];
}

/** The keys of a simulated etcd with their history since the last compaction; etcd's rules, without any failure. */
export class SimKeys {
  /** etcd begins at 1. */
  revision = 1;
  compacted = 0;
  private readonly entries = new Map<string, StoredEntry>();
  private history: { readonly revision: number; readonly events: readonly EtcdEvent[] }[] = [];
  /** Called when a revision was made. */
  onChange: (() => void) | null = null;

  /** As a snapshot has it. */
  image(): KeysImage {
    const { revision, compacted, entries, history } = this;
    return { revision, compacted, entries: new Map(entries), history: [...history] };
  }

  /** Everything since then is undone. */
  putBack({ revision, compacted, entries, history }: KeysImage): void {
    this.revision = revision;
    this.compacted = compacted;
    this.entries.clear();
    for (const [key, entry] of entries) this.entries.set(key, entry);
    this.history = [...history];
  }

  under(prefix: string): EtcdEntry[] {
    const found = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).map(shown);
  }

  /** What changed under the prefix from `from` on; null when that was compacted. */
  since(prefix: string, from: number): readonly EtcdEvent[] | null {
    if (from <= this.compacted) return null;
    return this.history
      .filter(({ revision }) => revision >= from)
      .flatMap(({ events }) => events.filter(({ key }) => key.startsWith(prefix)));
  }

  /** History up to and including this revision is forgotten. */
  compact(revision: number): void {
    if (revision <= this.compacted)
      throw new EtcdError('refused', 'etcdserver: mvcc: required revision has been compacted');
    if (revision > this.revision)
      throw new EtcdError('refused', 'etcdserver: mvcc: required revision is a future revision');
    this.compacted = revision;
    this.history = this.history.filter((each) => each.revision > revision);
  }

  txn(txn: EtcdTxn, hasLease: (lease: LeaseId) => boolean): EtcdTxnResult {
    check(txn, hasLease);
    const events: EtcdEvent[] = [];
    const revision = this.revision + 1;
    const path = this.choose(txn);
    const results = path.ops.map((op) => this.perform(op, revision, events));
    this.commit(events);
    return { revision: this.revision, succeeded: path.succeeded, results };
  }

  /** A lease is over: its keys go in one revision. */
  expire(lease: LeaseId): void {
    const events: EtcdEvent[] = [];
    for (const entry of [...this.entries.values()]) {
      if (entry.lease === lease) this.remove(entry.key, this.revision + 1, events);
    }
    this.commit(events);
  }

  private commit(events: readonly EtcdEvent[]): void {
    if (events.length === 0) return;
    this.revision++;
    this.history.push({ revision: this.revision, events });
    this.onChange?.();
  }

  /** Which branch runs; of nested transactions too, before anything is written: none of them sees what another one writes. */
  private choose(txn: EtcdTxn): Path {
    const succeeded = txn.compare.every((compare) => this.holds(compare));
    const ops = (succeeded ? txn.success : txn.failure).map((op) => {
      return op.kind === 'txn' ? { kind: 'path' as const, path: this.choose(op.txn) } : op;
    });
    return { succeeded, ops };
  }

  private perform(op: PathOp, revision: number, events: EtcdEvent[]): EtcdOpResult {
    switch (op.kind) {
      case 'get': {
        const entry = this.entries.get(op.key);
        return entry === undefined ? null : shown(entry);
      }
      case 'put': {
        const { key, value, lease } = op;
        const createRevision = this.entries.get(key)?.createRevision ?? revision;
        this.entries.set(key, { key, value, lease, createRevision, modRevision: revision });
        events.push({ key, value, createRevision, modRevision: revision });
        return null;
      }
      case 'delete':
        this.remove(op.key, revision, events);
        return null;
      case 'path':
        return {
          revision,
          succeeded: op.path.succeeded,
          results: op.path.ops.map((inner) => this.perform(inner, revision, events)),
        };
    }
  }

  private remove(key: string, revision: number, events: EtcdEvent[]): void {
    if (!this.entries.delete(key)) return;
    events.push({ key, value: undefined, createRevision: 0, modRevision: revision });
  }

  private holds({ key, end, of, is, revision }: EtcdCompare): boolean {
    const compared = (entry: EtcdEntry | undefined) => {
      const found = (of === 'create' ? entry?.createRevision : entry?.modRevision) ?? 0;
      return (found === revision) === (is === 'equal');
    };
    if (end === undefined) return compared(this.entries.get(key));
    const within = [...this.entries.values()].filter((entry) => entry.key >= key && entry.key < end);
    return within.length === 0 ? compared(undefined) : within.every(compared);
  }
}

function shown({ key, value, createRevision, modRevision }: StoredEntry): EtcdEntry {
  return { key, value, createRevision, modRevision };
}

/** What etcd refuses before it looks at any key. A nested transaction may have what the one around it left of the limit. */
function check(txn: EtcdTxn, hasLease: (lease: LeaseId) => boolean, opsMax = txnOpsMax): void {
  const ops = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (ops > opsMax) throw new EtcdError('refused', 'etcdserver: too many operations in txn request');
  // Both branches count for themselves: only one of them runs.
  checkBranch(txn.success, hasLease, opsMax - ops);
  checkBranch(txn.failure, hasLease, opsMax - ops);
}

function checkBranch(ops: readonly EtcdOp[], hasLease: (lease: LeaseId) => boolean, opsMax: number): Set<string> {
  const keys = new Set<string>();
  for (const op of ops) {
    if (op.kind === 'get') continue;
    if (op.kind === 'txn') {
      check(op.txn, hasLease, opsMax);
      const inner = [
        ...checkBranch(op.txn.success, hasLease, opsMax),
        ...checkBranch(op.txn.failure, hasLease, opsMax),
      ];
      for (const key of new Set(inner)) note(keys, key);
      continue;
    }
    if (op.kind === 'put' && op.lease !== null && !hasLease(op.lease)) {
      throw new EtcdError('refused', 'etcdserver: requested lease not found');
    }
    note(keys, op.key);
  }
  return keys;
}

function note(keys: Set<string>, key: string): void {
  if (keys.has(key)) throw new EtcdError('refused', 'etcdserver: duplicate key given in txn request');
  keys.add(key);
}
