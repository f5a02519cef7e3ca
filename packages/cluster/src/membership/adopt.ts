import type { Clock, Disk, Log, Random } from '@chapar/platform';
import {
  type Etcd,
  type EtcdCompare,
  type EtcdEntry,
  type EtcdOp,
  type EtcdRevision,
  noKeyBetween,
} from '../etcd/etcd.js';
import { mirrorsPrefix } from '../replication/mirror-records.js';
import { adoptedRecord, type MirrorRecord } from '../replication/record.js';
import { BulkInterruptedError, chunksOf, commit, putWhereAbsent } from './bulk.js';
import { type DirectoryMemory, readDirectoryMemory, writeDirectoryMemory } from './directory-memory.js';
import { rank } from './import-embedded.js';
import { behind } from './joining.js';
import { readMetadataCopy, type StoredCopy } from './metadata-copy.js';
import {
  CLUSTER_FORMAT,
  type ClusterRecord,
  clusterKey,
  forgottenKey,
  type MemberRecord,
  memberKey,
  type Stored,
  stored,
} from './records.js';

export interface AdoptOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly disk: Disk;
  /** The data directory of a node that is stopped; locked meanwhile. */
  readonly directory: string;
  /** Of the data directory. */
  readonly dataId: string;
  readonly prefix: string;
  /** Throws away what another cluster, or an older state of this one, has under the prefix. */
  readonly force: boolean;
  /** Says what would be done, and does nothing. */
  readonly plan?: boolean;
}

/** What was done, or would be. */
export interface Adoption {
  /** `rebuilt`: the cluster was made anew from this directory's copy; `merged`: it had been, and this directory belongs to it now. */
  readonly how: 'rebuilt' | 'merged';
  readonly cluster: string;
  readonly from: string;
  /** Records of the copy that were put into etcd. */
  readonly put: number;
  /** Those that were there already, and stayed as they were. */
  readonly skipped: number;
  /** Keys of what was there before, thrown away. */
  readonly removed: number;
  /** How new this directory's copy is; null: it has none that can be read. */
  readonly copyRevision: EtcdRevision | null;
  /** This copy is newer than the one that the cluster was made anew from, whose records stay where both have one: it had better come first. */
  readonly isNewer: boolean;
}

const triesMax = 5;

/** Why there is nothing to adopt, or it would do harm. The text is for people. */
export class AdoptError extends Error {}

/**
 * Puts a cluster that etcd has lost there again, from what the nodes' data directories remember of it: the first one makes it anew, under
 * a new id, the others add what only they know. Nothing is overwritten. Begun again after it was cut short, it goes on. Rejects with
 * AdoptError, JoinRefusedError (files), EtcdError, DirectoryLockedError.
 */
export async function adopt(options: AdoptOptions): Promise<Adoption> {
  const { disk, directory } = options;
  const lock = await disk.lock(directory);
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await new Adopting(options).run();
      } catch (error) {
        // What an earlier try sent, which was cut short, may have come late; everything is looked at again.
        if (!(error instanceof BulkInterruptedError) || tries === triesMax) throw error;
      }
    }
  } finally {
    await lock.release();
  }
}

class Adopting {
  private readonly options: AdoptOptions;
  private readonly prefix: string;
  private memory!: DirectoryMemory;
  private copy: StoredCopy | null = null;
  private there: readonly EtcdEntry[] = [];
  private revision: EtcdRevision = 0;

  constructor(options: AdoptOptions) {
    this.options = options;
    this.prefix = options.prefix.endsWith('/') ? options.prefix : `${options.prefix}/`;
  }

  async run(): Promise<Adoption> {
    await this.recall();
    await this.look();
    const cluster = this.cluster();
    const isOurs = cluster?.value.adopted?.from === this.memory.cluster || this.isAdoptedAlready(cluster);
    const isUnfinished = isOurs && cluster?.value.founding === this.options.dataId;
    if (this.stored(forgottenKey(this.options.dataId)) !== null) throw this.wasForgotten();
    if (isOurs && !isUnfinished) return this.merge(cluster!);
    return this.rebuild(isUnfinished ? cluster : null);
  }

  private async recall(): Promise<void> {
    const { disk, directory, log } = this.options;
    const memory = await readDirectoryMemory(disk, directory);
    if (memory === null)
      throw new AdoptError(`The data directory ${directory} has never been in a cluster: there is nothing to adopt.`);
    this.memory = memory;
    try {
      this.copy = await readMetadataCopy(disk, directory);
    } catch (error) {
      log.warn({ error }, 'the copy of the cluster metadata in the data directory cannot be read');
    }
    if (this.copy?.cluster !== memory.cluster) this.copy = null;
  }

  private async look(): Promise<void> {
    const { revision, entries } = await this.options.etcd.range(this.prefix);
    this.there = entries;
    this.revision = revision;
  }

  private stored<T>(key: string): Stored<T> | null {
    return stored<T>(this.there.find((entry) => entry.key === this.prefix + key));
  }

  private cluster(): Stored<ClusterRecord> | null {
    return this.stored<ClusterRecord>(clusterKey);
  }

  /** Cut short behind its last step but one, or simply asked for twice. */
  private isAdoptedAlready(cluster: Stored<ClusterRecord> | null): boolean {
    return (
      cluster?.value.adopted !== undefined &&
      cluster.value.id === this.memory.cluster &&
      this.revision >= this.memory.revision
    );
  }

  // -- the first one -----------------------------------------------------------------------------------------------

  private async rebuild(unfinished: Stored<ClusterRecord> | null): Promise<Adoption> {
    const { random, plan = false } = this.options;
    const { copy, memory } = this;
    if (copy === null) throw this.hasNoCopy();
    if (unfinished === null) this.assertMayReplace();
    const old =
      unfinished === null || unfinished.value.emptying
        ? this.there.filter(({ key }) => key !== this.prefix + clusterKey)
        : [];
    const id = unfinished?.value.id ?? random.uuid();
    const entries = this.entries();
    const kept = new Set(old.length > 0 ? [] : this.there.map(({ key }) => key));
    const put = entries.filter(({ key }) => !kept.has(this.prefix + key)).length;
    const adoption: Adoption = {
      ...{ how: 'rebuilt', cluster: id, from: memory.cluster, put, skipped: entries.length - put },
      ...{ removed: old.length, copyRevision: copy.revision, isNewer: false },
    };
    if (plan) return adoption;
    const adopted = { from: memory.cluster, revision: copy.revision };
    const record: ClusterRecord = { format: CLUSTER_FORMAT, id, adopted };
    const founding = { ...record, founding: this.options.dataId };
    let guard = unfinished === null ? await this.claim({ ...founding, emptying: true }) : this.asSeen(unfinished.entry);
    if (unfinished === null || unfinished.value.emptying) {
      await this.empty(guard, old);
      guard = await this.step(guard, founding);
    }
    await this.putAll(guard, entries);
    await this.step(guard, record);
    await this.remember(id);
    return adoption;
  }

  private assertMayReplace(): void {
    const { force, directory } = this.options;
    const cluster = this.cluster();
    const registered = this.there.filter(({ key }) => key.startsWith(`${this.prefix}nodes/`));
    if (registered.length > 0) {
      const names = registered.map(({ key }) => decodeURIComponent(key.slice(this.prefix.length + 'nodes/'.length)));
      throw new AdoptError(
        `Nodes are registered under ${this.prefix}: ${names.join(', ')}. Stop all nodes first; one that died is registered for some seconds more.`,
      );
    }
    if (this.there.length === 0 || force) return;
    const what =
      cluster?.value.id === this.memory.cluster && this.revision >= this.memory.revision
        ? `etcd has the cluster of the data directory ${directory} under ${this.prefix}: start the node. `
        : cluster?.value.id === this.memory.cluster
          ? `etcd has an older state of the cluster under ${this.prefix}. `
          : `etcd has something else under ${this.prefix}: ${cluster === null ? 'no cluster' : `the cluster ${cluster.value.id}`}. `;
    throw new AdoptError(
      `${what}With --force all of it (${this.there.length} keys) is thrown away and replaced by what this directory remembers.`,
    );
  }

  /** From here on who starts a node waits, and nobody but us goes on. */
  private async claim(record: ClusterRecord): Promise<EtcdCompare> {
    const cluster = this.cluster();
    const nobody = noKeyBetween(`${this.prefix}nodes/`, `${this.prefix}nodes0`);
    const before: EtcdCompare[] =
      cluster === null
        ? [{ key: this.prefix + clusterKey, of: 'create', is: 'equal', revision: 0 }]
        : [this.asSeen(cluster.entry)];
    return this.step([...before, nobody, ...this.emptyAsSeen()], record);
  }

  private emptyAsSeen(): EtcdCompare[] {
    return this.there.length === 0 ? [noKeyBetween(this.prefix, behind(this.prefix))] : [];
  }

  private async empty(guard: EtcdCompare, old: readonly EtcdEntry[]): Promise<void> {
    const { etcd, clock } = this.options;
    for (const chunk of chunksOf(old, ({ key }) => key.length)) {
      const deletes = chunk.map(({ key }): EtcdOp => ({ kind: 'delete', key }));
      if (!(await commit(etcd, clock, [guard], deletes))) throw interrupted();
    }
  }

  // -- the others --------------------------------------------------------------------------------------------------

  private async merge(cluster: Stored<ClusterRecord>): Promise<Adoption> {
    const { value } = cluster;
    if (value.founding !== undefined) {
      throw new AdoptError(
        `The cluster is being made anew from the data directory ${value.founding}; finish chapar cluster adopt there first.`,
      );
    }
    const there = new Set(this.there.map(({ key }) => key));
    const entries = this.entries();
    const put = entries.filter(({ key }) => !there.has(this.prefix + key)).length;
    const first = value.adopted!.revision;
    const adoption: Adoption = {
      ...{
        how: 'merged',
        cluster: value.id,
        from: value.adopted!.from,
        put,
        skipped: entries.length - put,
        removed: 0,
      },
      copyRevision: this.copy?.revision ?? null,
      isNewer: this.copy !== null && this.memory.cluster !== value.id && this.copy.revision > first,
    };
    if (this.options.plan) return adoption;
    const guard = this.asSeen(cluster.entry);
    await this.putAll(guard, entries);
    await this.correctOwn(guard);
    await this.remember(value.id);
    return adoption;
  }

  // -- steps -------------------------------------------------------------------------------------------------------

  /** What the copy holds. Of this node the directory knows better. */
  private entries(): { readonly key: string; readonly value: StoredCopy['entries'][number]['value'] }[] {
    const own = memberKey(this.options.dataId);
    const copied = this.copy?.entries ?? [];
    const before = copied.find(({ key }) => key === own)?.value as MemberRecord | undefined;
    const record = this.ownRecord(before) as unknown as StoredCopy['entries'][number]['value'];
    // Nodes may run already: a binding that they see before its queue is none.
    const others = copied.filter(({ key }) => key !== own).sort((a, b) => rank(a.key) - rank(b.key));
    return [{ key: own, value: record }, ...others.map(asAdopted)];
  }

  private ownRecord(record: MemberRecord | undefined): MemberRecord {
    const { dataId, clock } = this.options;
    const { known } = this.memory;
    const { node = dataId, joined = new Date(clock.wallMs()).toISOString(), starts = 0, boot = '' } = record ?? {};
    const isOurs = known !== null && this.memory.dataId === dataId;
    return { node, joined, ...(isOurs ? { starts: known.count, boot: known.boot } : { starts, boot }) };
  }

  /** Another node's copy may know fewer starts of this node than there were. */
  private async correctOwn(guard: EtcdCompare): Promise<void> {
    const { etcd, clock, dataId } = this.options;
    const member = this.stored<MemberRecord>(memberKey(dataId));
    if (member === null || member.value.starts >= (this.memory.known?.count ?? 0)) return;
    const value = JSON.stringify(this.ownRecord(member.value));
    const put = { kind: 'put', key: member.entry.key, value, lease: null } as const;
    if (!(await commit(etcd, clock, [guard, this.asSeen(member.entry)], [put]))) throw interrupted();
  }

  private async putAll(
    guard: EtcdCompare,
    entries: readonly { key: string; value: StoredCopy['entries'][number]['value'] }[],
  ) {
    const { etcd, clock } = this.options;
    await putWhereAbsent(etcd, clock, this.prefix, [guard], entries);
  }

  /** Writes the cluster's record and returns what holds until somebody else does. */
  private async step(guard: EtcdCompare | readonly EtcdCompare[], record: ClusterRecord): Promise<EtcdCompare> {
    const { etcd, clock } = this.options;
    const key = this.prefix + clusterKey;
    const value = JSON.stringify(record);
    await commit(etcd, clock, [guard].flat(), [{ kind: 'put', key, value, lease: null }]);
    // Whether it was this try or one whose answer was lost.
    await this.look();
    const cluster = this.cluster();
    if (cluster?.entry.value !== value) throw interrupted();
    return this.asSeen(cluster.entry);
  }

  private asSeen({ key, modRevision }: EtcdEntry): EtcdCompare {
    return { key, of: 'mod', is: 'equal', revision: modRevision };
  }

  private async remember(cluster: string): Promise<void> {
    const { disk, directory } = this.options;
    await this.look();
    await writeDirectoryMemory(disk, directory, {
      ...this.memory,
      cluster,
      prefix: this.prefix,
      revision: this.revision,
    });
  }

  private hasNoCopy(): AdoptError {
    return new AdoptError(
      `The data directory ${this.options.directory} has no copy of the cluster's records that can be read. Begin with another node's.`,
    );
  }

  private wasForgotten(): AdoptError {
    return new AdoptError(
      `The cluster was told to forget the data directory ${this.options.directory}, and its queues were deleted.`,
    );
  }
}

/** Who leads a mirrored queue may have changed since the copy was made. */
function asAdopted({ key, value }: { readonly key: string; readonly value: StoredCopy['entries'][number]['value'] }) {
  if (!key.startsWith(mirrorsPrefix)) return { key, value };
  return { key, value: adoptedRecord(value as unknown as MirrorRecord) as unknown as typeof value };
}

const interrupted = (): BulkInterruptedError =>
  new BulkInterruptedError('Somebody else changed the cluster in etcd meanwhile; look at it and begin again.');
