import {
  type Guard,
  GuardFailedError,
  type MetadataEntry,
  type MetadataEvent,
  type MetadataState,
  type MetadataStore,
  MetadataWatchers,
  type Revision,
  type Write,
} from '@chapar/core';
import type { Disk, Log } from '@chapar/platform';
import { encodeChange } from './metadata-entries.js';
import { MetadataFile, NoRoomError } from './metadata-file.js';

export interface MetadataSettings {
  /** The file is rewritten when it is larger than this and than `rewriteFactor` times its snapshot. Bytes. */
  readonly rewriteBytesMin: number;
  readonly rewriteFactor: number;
}

export const METADATA_DEFAULTS: MetadataSettings = { rewriteBytesMin: 1024 * 1024, rewriteFactor: 4 };

export interface MetadataOptions extends Partial<MetadataSettings> {
  readonly disk: Disk;
  readonly log: Log;
  /** Exists and is locked by the caller. */
  readonly directory: string;
  readonly dataId: string;
}

/** Accepted, and not yet on the disk. */
interface PendingChange {
  readonly revision: Revision;
  readonly writes: readonly Write[];
  readonly resolve: (revision: Revision) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The metadata of a node that is alone. A change is checked against everything accepted before it, waits with others for one sync,
 * and only then becomes visible: to `load`, then to the watchers, then to whoever asked for it.
 */
export class EmbeddedMetadata implements MetadataStore {
  private readonly file: MetadataFile;
  private readonly state: MetadataState;
  private readonly watchers: MetadataWatchers;
  private readonly settings: MetadataSettings;
  private readonly log: Log;
  /** What accepted changes that are not visible yet will leave behind: the key's revision, 0 for a deleted key. */
  private readonly accepted = new Map<string, Revision>();
  private acceptedRevision: Revision;
  private pending: PendingChange[] = [];
  private writing: Promise<void> | null = null;
  private failure: Error | null = null;
  private closing: Promise<void> | null = null;

  private constructor(file: MetadataFile, state: MetadataState, settings: MetadataSettings, log: Log) {
    this.file = file;
    this.state = state;
    this.settings = settings;
    this.log = log;
    this.watchers = new MetadataWatchers(log);
    this.acceptedRevision = state.revision;
  }

  /** Reads the directory. Throws the disk's errors and those of format-error.ts. */
  static async open(options: MetadataOptions): Promise<EmbeddedMetadata> {
    const file = new MetadataFile(options.disk, options.directory, options.dataId);
    const state = await file.open(options.log);
    const settings: MetadataSettings = {
      rewriteBytesMin: options.rewriteBytesMin ?? METADATA_DEFAULTS.rewriteBytesMin,
      rewriteFactor: options.rewriteFactor ?? METADATA_DEFAULTS.rewriteFactor,
    };
    return new EmbeddedMetadata(file, state, settings, options.log);
  }

  async load(prefix: string): Promise<{ revision: Revision; entries: MetadataEntry[] }> {
    return { revision: this.state.revision, entries: this.state.under(prefix) };
  }

  watch(prefix: string, from: Revision, listener: (events: readonly MetadataEvent[]) => void): () => void {
    return this.watchers.watch(prefix, from, this.state.revision, listener);
  }

  change(when: readonly Guard[], then: readonly Write[]): Promise<Revision> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const failed = when.find((guard) => !this.holds(guard));
      if (failed !== undefined) throw new GuardFailedError(failed.key);
      const revision = this.acceptedRevision + 1;
      this.pending.push({ revision, writes: this.accept(revision, then), resolve, reject });
      this.acceptedRevision = revision;
      this.writing ??= this.write();
    });
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    await this.writing;
    if (this.failure === null) await this.file.trim();
    this.failure ??= new Error('the metadata store is closed');
    await this.file.close();
  }

  private holds({ key, revision }: Guard): boolean {
    const present = this.accepted.get(key) ?? this.state.get(key)?.revision ?? 0;
    if (revision === 'present') return present !== 0;
    return present === (revision === 'absent' ? 0 : revision);
  }

  /** A copy of the writes as they will be read back, noted for the guards of later changes. */
  private accept(revision: Revision, then: readonly Write[]): Write[] {
    const keys = new Set(then.map((write) => write.key));
    if (keys.size < then.length) throw new RangeError('one change writes each key once');
    const copies = then.map(({ key, value }) => ({
      key,
      value: value === undefined ? undefined : JSON.parse(JSON.stringify(value)),
    }));
    for (const { key, value } of copies) this.accepted.set(key, value === undefined ? 0 : revision);
    return copies;
  }

  /** Writes what gathered, group after group, until nothing is left. */
  private async write(): Promise<void> {
    // Whatever is asked for in this turn goes into the first group.
    await null;
    while (this.pending.length > 0 && this.failure === null) {
      const group = this.pending;
      this.pending = [];
      try {
        await this.file.append(group.map(({ revision, writes }) => encodeChange(revision, writes, this.file.salt)));
      } catch (error) {
        if (!(error instanceof NoRoomError)) {
          this.fail(error as Error, group);
          break;
        }
        this.refuse(error, group);
        continue;
      }
      for (const change of group) this.show(change);
      await this.rewriteIfLarge();
    }
    this.writing = null;
  }

  private show({ revision, writes, resolve }: PendingChange): void {
    this.state.apply(revision, writes);
    for (const { key, value } of writes) {
      if (this.accepted.get(key) === (value === undefined ? 0 : revision)) this.accepted.delete(key);
    }
    this.watchers.changed(
      revision,
      writes.map(({ key, value }) => ({ key, value, revision })),
    );
    resolve(revision);
  }

  private async rewriteIfLarge(): Promise<void> {
    const { bytes, snapshotBytes } = this.file;
    const { rewriteBytesMin, rewriteFactor } = this.settings;
    if (bytes <= Math.max(rewriteBytesMin, rewriteFactor * snapshotBytes)) return;
    try {
      // On a full disk it can wait; a file half written anew could not be gone on with.
      if (!(await this.file.hasRoomToRewrite())) return;
      await this.file.rewrite(this.state.revision, this.state.under(''));
    } catch (error) {
      this.fail(error as Error, []);
    }
  }

  private fail(error: Error, group: readonly PendingChange[]): void {
    this.failure = error;
    this.log.error(
      { error },
      'a write of the metadata failed; nothing can be declared or changed until the broker is restarted',
    );
    this.refuse(error, group);
  }

  /** What was accepted is not to be: what came after it may have counted on it. */
  private refuse(error: Error, group: readonly PendingChange[]): void {
    const refused = [...group, ...this.pending];
    this.pending = [];
    this.accepted.clear();
    this.acceptedRevision = this.state.revision;
    for (const change of refused) change.reject(error);
  }
}
