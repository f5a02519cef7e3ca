import {
  type JsonValue,
  type MetadataEntry,
  type MetadataEvent,
  MetadataState,
  MetadataWatchers,
  type Write,
} from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import type { Etcd, EtcdEntry, EtcdEvent, EtcdRevision } from './etcd/etcd.js';

/** Waits between two tries to reach etcd. Milliseconds. */
const retryMs = 250;

interface Waiter {
  readonly revision: EtcdRevision;
  readonly resolve: () => void;
}

/**
 * This node's copy of everything under the cluster's prefix: whole revisions at a time and none left out, over broken connections and
 * compactions. While etcd is away it stays as it was, and is read as ever.
 */
export class Mirror {
  /** Everything up to here was applied and told to the watchers. */
  private applied: EtcdRevision = 0;
  private readonly state = new MetadataState();
  private readonly watchers: MetadataWatchers;
  private waiters: Waiter[] = [];
  private stopWatch: (() => void) | null = null;
  private retry: Timer | null = null;
  private closed = false;
  private readonly etcd: Etcd;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly prefix: string;
  /** When something was heard of etcd last, by the monotonic clock. Milliseconds. */
  heardAtMs = 0;

  /** `prefix` ends with a slash; keys are without it from here on. */
  constructor(etcd: Etcd, world: { readonly clock: Clock; readonly log: Log }, prefix: string) {
    this.etcd = etcd;
    this.clock = world.clock;
    this.log = world.log;
    this.prefix = prefix;
    this.watchers = new MetadataWatchers(world.log);
  }

  /** Reads everything once; rejects with EtcdError when etcd cannot be reached. */
  async open(): Promise<void> {
    const { revision, entries } = await this.etcd.range(this.prefix);
    if (this.closed) return;
    for (const entry of entries) this.put(entry);
    this.state.revision = revision;
    this.applied = revision;
    this.heardAtMs = this.clock.monotonicMs();
    this.follow();
  }

  get revision(): EtcdRevision {
    return this.applied;
  }

  get(key: string): MetadataEntry | undefined {
    return this.state.get(key);
  }

  /** By key. */
  under(prefix: string): MetadataEntry[] {
    return this.state.under(prefix);
  }

  /** As MetadataStore.watch. */
  watch(prefix: string, from: EtcdRevision, listener: (events: readonly MetadataEvent[]) => void): () => void {
    return this.watchers.watch(prefix, from, this.applied, listener);
  }

  /** Resolves when `revision`, in which something under the prefix was written, was applied with all before it. */
  at(revision: EtcdRevision): Promise<void> {
    if (revision <= this.applied) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ revision, resolve }));
  }

  close(): void {
    this.closed = true;
    this.stopWatch?.();
    this.retry?.cancel();
  }

  // -- following ---------------------------------------------------------------------------------------------------

  private follow(): void {
    this.stopWatch = this.etcd.watch(this.prefix, this.applied + 1, {
      changed: (events) => this.changed(events),
      heard: () => {
        this.heardAtMs = this.clock.monotonicMs();
      },
      ended: ({ compacted, reason }) => {
        if (this.closed) return;
        this.stopWatch = null;
        this.log.debug({ compacted, reason }, 'the watch of etcd ended; another one goes on where it was');
        this.again(() => (compacted === null ? this.follow() : void this.reload()));
      },
    });
  }

  private again(work: () => void): void {
    this.retry = this.clock.after(retryMs, () => {
      this.retry = null;
      if (!this.closed) work();
    });
  }

  private changed(events: readonly EtcdEvent[]): void {
    this.heardAtMs = this.clock.monotonicMs();
    for (let from = 0; from < events.length; ) {
      const at = events[from]!.modRevision;
      let to = from + 1;
      while (to < events.length && events[to]!.modRevision === at) to++;
      // A new watch may begin with what was told already.
      if (at > this.applied)
        this.apply(
          at,
          events.slice(from, to).map((event) => this.writeOf(event)),
        );
      from = to;
    }
    this.wakeWaiters();
  }

  private apply(revision: EtcdRevision, writes: readonly Write[]): void {
    this.applied = revision;
    this.state.apply(revision, writes);
    this.watchers.changed(
      revision,
      writes.map(({ key, value }) => ({ key, value, revision })),
    );
  }

  private wakeWaiters(): void {
    if (this.waiters.length === 0) return;
    const due = this.waiters.filter((waiter) => waiter.revision <= this.applied);
    this.waiters = this.waiters.filter((waiter) => waiter.revision > this.applied);
    for (const { resolve } of due) resolve();
  }

  /** What happened since cannot be told any more: the difference between then and now is told as one change. */
  private async reload(): Promise<void> {
    try {
      const { revision, entries } = await this.etcd.range(this.prefix);
      if (this.closed) return;
      const writes = this.difference(entries);
      if (writes.length > 0) this.apply(revision, writes);
      // The copy has what each key's own revision is.
      for (const entry of entries) this.put(entry);
      this.state.revision = revision;
      this.applied = revision;
      this.wakeWaiters();
      this.follow();
    } catch (error) {
      if (this.closed) return;
      this.log.warn({ error }, 'etcd could not be read; tried again');
      this.again(() => void this.reload());
    }
  }

  private difference(entries: readonly EtcdEntry[]): Write[] {
    const writes: Write[] = [];
    const present = new Set<string>();
    for (const { key, value, modRevision } of entries) {
      const name = this.nameOf(key);
      present.add(name);
      if (this.state.get(name)?.revision !== modRevision) writes.push({ key: name, value: this.parse(key, value) });
    }
    for (const { key } of this.state.under('')) if (!present.has(key)) writes.push({ key, value: undefined });
    return writes;
  }

  private put({ key, value, modRevision }: EtcdEntry): void {
    const parsed = this.parse(key, value);
    if (parsed !== undefined) this.state.put({ key: this.nameOf(key), value: parsed, revision: modRevision });
  }

  private writeOf({ key, value }: EtcdEvent): Write {
    return { key: this.nameOf(key), value: value === undefined ? undefined : this.parse(key, value) };
  }

  private nameOf(key: string): string {
    return key.slice(this.prefix.length);
  }

  /** Somebody else may have written under our prefix; what is no JSON is not ours, and counts as absent. */
  private parse(key: string, value: string): JsonValue | undefined {
    try {
      return JSON.parse(value) as JsonValue;
    } catch {
      this.log.error({ key }, 'a key in etcd does not hold JSON and is ignored');
      return undefined;
    }
  }
}
