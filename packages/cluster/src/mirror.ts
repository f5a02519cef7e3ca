import { type JsonValue, type MetadataEntry, type MetadataEvent, MetadataState, MetadataWatchers } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import { type Etcd, type EtcdEntry, type EtcdEvent, type EtcdRevision, readKeys } from './etcd/etcd.js';

/** Waits between two tries to reach etcd. Milliseconds. */
const retryMs = 250;
/** And to see whether one that is not ours has become ours again. Milliseconds. */
const strangerRetryMs = 5000;

interface Waiter {
  readonly revision: EtcdRevision;
  readonly resolve: () => void;
}

/**
 * This node's copy of everything under the cluster's prefix: whole revisions at a time and none left out, over broken connections and
 * compactions. While etcd is away it stays as it was, and is read as ever; so it does while what answers is another etcd than before, or
 * an older state of it.
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
  /** True while watchers are told what changed during a time of which single revisions cannot be told: of what was put the last, of each deletion that it is. */
  isGap = false;
  /** A key that tells one etcd from another: whoever answers with another value of it is not obeyed. Without the prefix. */
  identityKey: string | null = null;
  /** Why what answers is not obeyed, in words; null: it is, or nothing answers. */
  stranger: string | null = null;
  onStranger: ((why: string | null) => void) | null = null;

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

  /** Somebody else heard of etcd: it is there, though the watch may not be yet. */
  heard(): void {
    this.heardAtMs = this.clock.monotonicMs();
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
      heard: () => this.heard(),
      ended: ({ compacted, reason }) => {
        if (this.closed) return;
        this.stopWatch = null;
        this.log.debug({ compacted, reason }, 'the watch of etcd ended; another one goes on where it was');
        this.again(() => void this.resume(compacted !== null));
      },
    });
  }

  private again(work: () => void, waitMs = retryMs): void {
    this.retry = this.clock.after(waitMs, () => {
      this.retry = null;
      if (!this.closed) work();
    });
  }

  /** After the watch ended: it may be another etcd that answers now, restored or emptied, whose revisions mean something else. */
  private async resume(isCompacted: boolean): Promise<void> {
    try {
      const stranger = await this.recognise();
      if (this.closed) return;
      this.sayStranger(stranger);
      // What happened in between is told as a whole: it has a deletion of everything in it, or revisions that were used twice.
      if (stranger !== null) this.again(() => void this.resume(true), strangerRetryMs);
      else if (isCompacted) await this.reload();
      else this.follow();
    } catch (error) {
      if (this.closed) return;
      this.log.debug({ error }, 'etcd could not be read; tried again');
      this.again(() => void this.resume(isCompacted));
    }
  }

  private async recognise(): Promise<string | null> {
    const { revision, entries } = await readKeys(this.etcd, [this.identityPath]);
    if (revision < this.applied) {
      return `etcd is at revision ${revision}, and was at ${this.applied}: it was restored from a backup or emptied`;
    }
    return this.mistrust(entries[0]?.value);
  }

  private get identityPath(): string {
    return this.prefix + (this.identityKey ?? '');
  }

  /** `text`: what stands under the identity's key; why that is not ours, null: it is. */
  private mistrust(text: string | undefined): string | null {
    if (this.identityKey === null) return null;
    const found = text === undefined ? undefined : this.parse(this.identityKey, text);
    if (idOf(this.state.get(this.identityKey)?.value) === idOf(found)) return null;
    return found === undefined ? 'etcd does not know this cluster any more' : 'etcd holds another cluster now';
  }

  private turnAway(stranger: string): void {
    this.stopWatch?.();
    this.stopWatch = null;
    this.sayStranger(stranger);
    this.again(() => void this.resume(true), strangerRetryMs);
  }

  private sayStranger(why: string | null): void {
    if (why === this.stranger) return;
    this.stranger = why;
    if (why === null) this.log.info({}, 'etcd is what it was before');
    else this.log.error({}, `${why}; what it says is not obeyed, and this node goes on with what it knows`);
    this.onStranger?.(why);
  }

  private changed(events: readonly EtcdEvent[]): void {
    this.heard();
    for (let from = 0; from < events.length; ) {
      const at = events[from]!.modRevision;
      let to = from + 1;
      while (to < events.length && events[to]!.modRevision === at) to++;
      const together = events.slice(from, to);
      from = to;
      // A new watch may begin with what was told already.
      if (at <= this.applied) continue;
      const identity = this.identityKey === null ? undefined : together.find(({ key }) => key === this.identityPath);
      const stranger = identity === undefined ? null : this.mistrust(identity.value);
      // Somebody emptied etcd or put another cluster there: that is no reason to drop every queue.
      if (stranger !== null) {
        this.turnAway(stranger);
        break;
      }
      this.apply(
        at,
        together.map((event) => this.eventOf(event)),
      );
    }
    this.wakeWaiters();
  }

  private apply(revision: EtcdRevision, events: readonly MetadataEvent[]): void {
    this.applied = revision;
    this.state.apply(revision, events);
    this.watchers.changed(revision, events);
  }

  private wakeWaiters(): void {
    if (this.waiters.length === 0) return;
    const due = this.waiters.filter((waiter) => waiter.revision <= this.applied);
    this.waiters = this.waiters.filter((waiter) => waiter.revision > this.applied);
    for (const { resolve } of due) resolve();
  }

  /** What happened since cannot be told any more: the difference between then and now is told as one change. */
  private async reload(): Promise<void> {
    const { revision, entries } = await this.etcd.range(this.prefix);
    if (this.closed) return;
    const stranger = this.mistrust(entries.find(({ key }) => key === this.identityPath)?.value);
    if (stranger !== null) return this.turnAway(stranger);
    const events = this.difference(revision, entries);
    // The copy has what each key's own revision is.
    for (const entry of entries) this.put(entry);
    for (const { key, value } of events) if (value === undefined) this.state.apply(revision, [{ key, value }]);
    this.state.revision = revision;
    this.applied = revision;
    this.isGap = true;
    if (events.length > 0) this.watchers.changed(revision, events);
    this.isGap = false;
    this.wakeWaiters();
    this.follow();
  }

  /** Of what was put with the revision of its own, of what was deleted with that of the whole. */
  private difference(revision: EtcdRevision, entries: readonly EtcdEntry[]): MetadataEvent[] {
    const events: MetadataEvent[] = [];
    const present = new Set<string>();
    for (const { key, value, modRevision } of entries) {
      const name = this.nameOf(key);
      present.add(name);
      if (this.state.get(name)?.revision === modRevision) continue;
      events.push({ key: name, value: this.parse(key, value), revision: modRevision });
    }
    for (const { key } of this.state.under('')) if (!present.has(key)) events.push({ key, value: undefined, revision });
    return events;
  }

  private put({ key, value, modRevision }: EtcdEntry): void {
    const parsed = this.parse(key, value);
    if (parsed !== undefined) this.state.put({ key: this.nameOf(key), value: parsed, revision: modRevision });
  }

  private eventOf({ key, value, modRevision }: EtcdEvent): MetadataEvent {
    return {
      key: this.nameOf(key),
      value: value === undefined ? undefined : this.parse(key, value),
      revision: modRevision,
    };
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

/** A cluster's record may change, its id does not. */
function idOf(record: JsonValue | undefined): JsonValue | undefined {
  return typeof record === 'object' && record !== null && 'id' in record ? record.id : record;
}
