import {
  type Guard,
  GuardFailedError,
  type MetadataEntry,
  type MetadataEvent,
  type MetadataStore,
  type Revision,
  type Write,
} from '@chapar/core';

/** No test needs as many: more is a loop of retries that would never end. */
const changesMax = 1_000;

interface Pending {
  readonly revision: Revision;
  readonly writes: readonly Write[];
  readonly resolve: (revision: Revision) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Metadata in memory with the timing of a real store: a change is judged against all accepted before it at once, and becomes visible
 * later: by itself in a microtask, or while `held` when a test calls `show`. Values pass through JSON, as on a disk.
 */
export class SteppedMetadata implements MetadataStore {
  held = false;
  /** When set, changes that are shown fail with it instead. */
  failure: Error | null = null;
  /** How often `change` was called. */
  changes = 0;
  private revision: Revision = 0;
  private acceptedRevision: Revision = 0;
  private readonly entries = new Map<string, MetadataEntry>();
  private readonly accepted = new Map<string, Revision>();
  private pending: Pending[] = [];
  private watchers: { readonly prefix: string; readonly listener: (events: readonly MetadataEvent[]) => void }[] = [];

  async load(prefix: string): Promise<{ revision: Revision; entries: MetadataEntry[] }> {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return { revision: this.revision, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }

  watch(prefix: string, _from: Revision, listener: (events: readonly MetadataEvent[]) => void): () => void {
    const watcher = { prefix, listener };
    this.watchers.push(watcher);
    return () => {
      this.watchers = this.watchers.filter((each) => each !== watcher);
    };
  }

  change(when: readonly Guard[], then: readonly Write[]): Promise<Revision> {
    if (++this.changes > changesMax) return Promise.reject(new Error('somebody tries again and again'));
    return new Promise((resolve, reject) => {
      if (new Set(then.map(({ key }) => key)).size < then.length)
        throw new RangeError('one change writes each key once');
      const failed = when.find((guard) => !this.holds(guard));
      if (failed !== undefined) throw new GuardFailedError(failed.key);
      const revision = ++this.acceptedRevision;
      for (const { key, value } of then) this.accepted.set(key, value === undefined ? 0 : revision);
      const writes = then.map(({ key, value }) => ({
        key,
        value: value === undefined ? undefined : JSON.parse(JSON.stringify(value)),
      }));
      this.pending.push({ revision, writes, resolve, reject });
      if (!this.held) queueMicrotask(() => this.show());
    });
  }

  /** Makes the oldest `count` changes that wait visible. */
  show(count = Number.POSITIVE_INFINITY): void {
    for (let shown = 0; shown < count; shown++) {
      const next = this.pending.shift();
      if (next === undefined) return;
      if (this.failure === null) this.apply(next);
      else this.refuse(next, this.failure);
    }
  }

  get waiting(): number {
    return this.pending.length;
  }

  /** All keys, for a test to look at. */
  keys(): string[] {
    return [...this.entries.keys()].sort();
  }

  /** The process that watched is gone. */
  disconnect(): void {
    this.watchers = [];
  }

  async close(): Promise<void> {}

  private holds({ key, revision }: Guard): boolean {
    const present = this.accepted.get(key) ?? 0;
    if (revision === 'present') return present !== 0;
    return present === (revision === 'absent' ? 0 : revision);
  }

  private refuse({ revision, writes, reject }: Pending, failure: Error): void {
    for (const { key, value } of writes) {
      if (this.accepted.get(key) !== (value === undefined ? 0 : revision)) continue;
      this.accepted.set(key, this.entries.get(key)?.revision ?? 0);
    }
    reject(failure);
  }

  private apply({ revision, writes, resolve }: Pending): void {
    this.revision = revision;
    for (const { key, value } of writes) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, { key, value, revision });
    }
    for (const { prefix, listener } of [...this.watchers]) {
      const seen = writes
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key, value }) => ({ key, value, revision }));
      if (seen.length > 0) listener(seen);
    }
    resolve(revision);
  }
}
