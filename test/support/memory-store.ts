import {
  type Guard,
  GuardFailedError,
  type Incarnation,
  type LogStore,
  type Message,
  type MetadataEntry,
  type MetadataEvent,
  type MetadataStore,
  type Position,
  type QueueLog,
  type RecoveredQueue,
  type StoredReplica,
  type Write,
} from '@chapar/core';
import { ControlledPages } from './controlled-pages.js';

/** Metadata without a disk, with the promises of the port: all or nothing, and watchers have seen a change when it resolves. */
export class MemoryMetadata implements MetadataStore {
  private revision = 0;
  private readonly entries = new Map<string, MetadataEntry>();
  private readonly watchers = new Set<{ prefix: string; listener: (events: readonly MetadataEvent[]) => void }>();

  async load(prefix: string): Promise<{ revision: number; entries: MetadataEntry[] }> {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return { revision: this.revision, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }

  watch(prefix: string, _from: number, listener: (events: readonly MetadataEvent[]) => void): () => void {
    const watcher = { prefix, listener };
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  async change(when: readonly Guard[], then: readonly Write[]): Promise<number> {
    // As a disk would, answer in a later turn.
    await Promise.resolve();
    for (const guard of when) this.assertGuard(guard);
    const revision = ++this.revision;
    for (const { key, value } of then) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, { key, value: JSON.parse(JSON.stringify(value)), revision });
    }
    const events = then.map(({ key, value }) => ({ key, value, revision }));
    for (const { prefix, listener } of this.watchers) {
      const seen = events.filter(({ key }) => key.startsWith(prefix));
      if (seen.length > 0) listener(seen);
    }
    return revision;
  }

  async close(): Promise<void> {}

  private assertGuard({ key, revision }: Guard): void {
    const found = this.entries.get(key);
    const holds =
      revision === 'absent'
        ? found === undefined
        : revision === 'present'
          ? found !== undefined
          : (found?.revision ?? 0) === revision;
    if (!holds) throw new GuardFailedError(key);
  }
}

/** Logs that forget: everything is committed a turn after it was flushed. */
export class MemoryLogs implements LogStore {
  private readonly logs = new Map<Incarnation, MemoryLog>();
  onBehind: ((isBehind: boolean) => void) | null = null;
  onFull: ((isFull: boolean) => void) | null = null;
  readonly lastStampMs = 0;
  /** True: nothing is committed until it is false again and something is flushed. */
  stalled = false;

  async recover(): Promise<RecoveredQueue[]> {
    return [];
  }

  log(incarnation: Incarnation): QueueLog {
    const log = new MemoryLog();
    this.logs.set(incarnation, log);
    return log;
  }

  readonly replicas: readonly Incarnation[] = [];

  replica(incarnation: Incarnation): StoredReplica {
    throw new Error(`no copy of ${incarnation} is kept here`);
  }

  pages(): ControlledPages {
    return new ControlledPages();
  }

  remove(incarnation: Incarnation): void {
    this.logs.delete(incarnation);
  }

  delivered(): void {}

  flush(): void {
    if (!this.stalled) setImmediate(() => this.commit());
  }

  async sync(): Promise<void> {
    this.commit();
  }

  async close(): Promise<void> {
    this.commit();
  }

  private commit(): void {
    for (const log of this.logs.values()) log.commit();
  }
}

/** Pages everything that it is asked to, and reads nothing else: nothing that is logged ever leaves memory here. */
class MemoryLog extends ControlledPages implements QueueLog {
  readonly isMirrored = false;
  logsAll = false;
  private last: Position = 0;
  committed: Position = 0;
  onCommitted: ((committed: Position) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;

  publish(_message: Message): Position {
    return ++this.last;
  }

  publishAt(): void {}

  skip(): Position {
    return ++this.last;
  }

  settle(): void {}

  pend(): void {}

  returned(): void {}

  commit(): void {
    if (this.committed === this.last) return;
    this.committed = this.last;
    this.onCommitted?.(this.committed);
  }
}
