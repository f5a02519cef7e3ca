import type { MetadataStore } from '@chapar/core';
import type { Clock, Disk, Log, Random } from '@chapar/platform';
import { type Etcd, type EtcdCompare, EtcdError, type EtcdRevision, noKeyBetween, readKeys } from '../etcd/etcd.js';
import { agree, type Found } from './agreement.js';
import { commit, putWhereAbsent } from './bulk.js';
import { type DirectoryMemory, readDirectoryMemory, type Start, writeDirectoryMemory } from './directory-memory.js';
import { contentOf, importedRecords } from './import-embedded.js';
import { JoinRefusedError } from './join-refused.js';
import { readMetadataCopy } from './metadata-copy.js';
import type { Patience } from './patience.js';
import {
  CLUSTER_FORMAT,
  type ClusterRecord,
  clusterKey,
  type ForgottenRecord,
  forgottenKey,
  type MemberRecord,
  memberKey,
  type Stored,
  stored,
} from './records.js';

export interface JoiningOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly disk: Disk;
  readonly patience: Patience;
  /** The data directory, locked by the caller. */
  readonly directory: string;
  /** Of the data directory. */
  readonly dataId: string;
  /** Of the cluster in etcd, with a slash at its end. */
  readonly prefix: string;
  readonly node: string;
  /** What the directory holds from a time when it served alone; null: nothing. Asked anew after `renewDataId`. */
  readonly embedded: () => MetadataStore | null;
  /** Makes the directory somebody else, sets its logs aside and resolves with the new id. */
  readonly renewDataId: (why: string) => Promise<string>;
}

/** Starts that etcd may still hear of; far more than can be under way. */
const triedMax = 32;

/** How a node came to be part of its cluster. */
export interface Joined {
  readonly how: 'founded' | 'joined' | 'returned';
  readonly cluster: string;
  readonly dataId: string;
  /** Of this process. */
  readonly boot: string;
  /** The data id that the directory had: it was restored from a backup, or copied. */
  readonly renewedFrom: string | null;
  /** Records of the time when the directory served alone. */
  readonly imported: number;
  readonly memory: DirectoryMemory;
  /** Of `members/<data id>`. */
  readonly revision: EtcdRevision;
}

interface Seen {
  readonly revision: EtcdRevision;
  readonly cluster: Stored<ClusterRecord> | null;
  readonly member: Stored<MemberRecord> | null;
  readonly forgotten: Stored<ForgottenRecord> | null;
}

/** From a data directory and an etcd to a member of a cluster that may be registered. */
export class Joining {
  private readonly options: JoiningOptions;
  private dataId: string;
  private memory: DirectoryMemory | null = null;
  private founded = false;
  private imported = 0;
  private renewedFrom: string | null = null;

  constructor(options: JoiningOptions) {
    this.options = options;
    this.dataId = options.dataId;
  }

  /** Waits for etcd as long as it takes. Rejects with JoinRefusedError, and with the disk's errors. */
  async run(): Promise<Joined> {
    const { patience } = this.options;
    this.memory = await this.recall();
    for (;;) {
      const seen = await patience.ask(() => this.look());
      const joined = await this.step(seen);
      if (joined !== null) return joined;
    }
  }

  /** The copy of the metadata is written more often than the memory, and knows of later revisions. */
  private async recall(): Promise<DirectoryMemory | null> {
    const { disk, directory, log } = this.options;
    const memory = await readDirectoryMemory(disk, directory);
    if (memory === null) return null;
    try {
      const copy = await readMetadataCopy(disk, directory);
      if (copy?.cluster === memory.cluster && copy.revision > memory.revision)
        return { ...memory, revision: copy.revision };
    } catch (error) {
      log.warn({ error }, 'the copy of the cluster metadata in the data directory cannot be read; it is written anew');
    }
    return memory;
  }

  private async look(): Promise<Seen> {
    const { etcd, prefix } = this.options;
    const keys = [clusterKey, memberKey(this.dataId), forgottenKey(this.dataId)].map((key) => prefix + key);
    const { revision, entries } = await readKeys(etcd, keys);
    const [cluster, member, forgotten] = entries;
    return { revision, cluster: stored(cluster), member: stored(member), forgotten: stored(forgotten) };
  }

  private async step(seen: Seen): Promise<Joined | null> {
    const { directory: path, prefix, patience } = this.options;
    const found: Found = {
      revision: seen.revision,
      cluster: seen.cluster?.value ?? null,
      member: seen.member?.value ?? null,
      isForgotten: seen.forgotten !== null,
    };
    const agreement = agree({ path, dataId: this.dataId, prefix, memory: this.memory }, found);
    switch (agreement.kind) {
      case 'found':
        await this.found();
        return null;
      case 'go-on-founding':
        await this.goOnFounding(seen.cluster!);
        return null;
      case 'wait':
        await patience.wait(`the cluster is being made by the data directory ${agreement.founder}`);
        return null;
      case 'renew':
        await this.renew(agreement.why);
        return null;
      case 'join':
        await this.assertNothingToLose(seen.cluster!.value);
        return this.start(seen);
      case 'return':
        return this.start(seen);
    }
  }

  // -- founding ----------------------------------------------------------------------------------------------------

  private async found(): Promise<void> {
    const { etcd, clock, prefix, patience, random } = this.options;
    const record: ClusterRecord = { format: CLUSTER_FORMAT, id: random.uuid(), founding: this.dataId };
    const put = { kind: 'put', key: prefix + clusterKey, value: JSON.stringify(record), lease: null } as const;
    const nothing = noKeyBetween(prefix, behind(prefix));
    if (await patience.ask(() => commit(etcd, clock, [nothing], [put]))) return;
    const { cluster: there } = await patience.ask(() => this.look());
    if (there !== null) return;
    throw new JoinRefusedError(
      'foreign-cluster',
      `etcd has keys under ${prefix}, but no cluster. Choose another prefix (--etcd-prefix), or delete them if nobody needs them.`,
    );
  }

  private async goOnFounding({ value, entry }: Stored<ClusterRecord>): Promise<void> {
    const { etcd, clock, log, prefix, patience, directory } = this.options;
    if (value.adopted !== undefined) {
      throw new JoinRefusedError(
        'foreign-cluster',
        `chapar cluster adopt was not finished on the data directory ${directory}. Run it there again.`,
      );
    }
    // From here on what the directory holds is this cluster's, however often it takes to get through.
    await this.remember(this.memory ?? this.blank(value.id));
    const embedded = this.options.embedded();
    const records = embedded === null ? [] : await importedRecords(embedded, this.dataId);
    const ours: EtcdCompare = { key: entry.key, of: 'mod', is: 'equal', revision: entry.modRevision };
    await patience.ask(() => putWhereAbsent(etcd, clock, prefix, [ours], records));
    const record: ClusterRecord = { format: value.format, id: value.id };
    const put = { kind: 'put', key: entry.key, value: JSON.stringify(record), lease: null } as const;
    await patience.ask(() => commit(etcd, clock, [ours], [put]));
    this.founded = true;
    this.imported = records.length;
    log.info({ cluster: value.id, records: records.length }, `this node made the cluster under ${prefix} in etcd`);
  }

  // -- joining -----------------------------------------------------------------------------------------------------

  /** What this directory declared while it served alone would be out of sight, and its messages with it. */
  private async assertNothingToLose({ id }: ClusterRecord): Promise<void> {
    if (this.memory?.cluster === id) return;
    const embedded = this.options.embedded();
    const content = embedded === null ? [] : await contentOf(embedded);
    if (content.length === 0) return;
    throw new JoinRefusedError(
      'has-content',
      `The data directory ${this.options.directory} served alone and holds ${content.join(', ')}, which the cluster ${id} does not know. ` +
        'Start with an empty data directory to join it (export and import definitions to take them along), or choose a prefix ' +
        '(--etcd-prefix) under which there is no cluster yet: then it takes them into the new one.',
    );
  }

  private async renew(why: string): Promise<void> {
    const { log, directory } = this.options;
    const from = this.dataId;
    this.dataId = await this.options.renewDataId(why);
    this.renewedFrom = from;
    log.warn(
      { directory, from, dataId: this.dataId },
      `the data directory was restored from a backup, or is a copy of one that is in use: ${why}. It joins as a new node; what its ` +
        'logs held is set aside, since others may have settled it meanwhile',
    );
  }

  /** Counts this start, here and there. Null: something changed meanwhile, and is to be looked at again. */
  private async start(seen: Seen): Promise<Joined | null> {
    const { random, node, clock, patience, prefix } = this.options;
    const { value: cluster } = seen.cluster!;
    const memory =
      this.memory?.dataId === this.dataId && this.memory.cluster === cluster.id ? this.memory : this.blank(cluster.id);
    const count = Math.max(memory.tried.at(-1)?.count ?? 0, seen.member?.value.starts ?? 0) + 1;
    const tried: Start = { count, boot: random.uuid() };
    await this.remember({ ...memory, prefix, tried: [...memory.tried, tried].slice(-triedMax) });
    const joined = seen.member?.value.joined ?? new Date(clock.wallMs()).toISOString();
    const record: MemberRecord = { node, starts: count, boot: tried.boot, joined };
    const revision = await patience.ask(() => this.putMember(seen, record));
    if (revision === null) return null;
    await this.remember({
      ...this.memory!,
      known: tried,
      tried: [],
      revision: Math.max(revision, this.memory!.revision),
    });
    return {
      how: seen.member !== null ? 'returned' : this.founded ? 'founded' : 'joined',
      cluster: cluster.id,
      dataId: this.dataId,
      boot: tried.boot,
      renewedFrom: this.renewedFrom,
      imported: this.imported,
      memory: this.memory!,
      revision,
    };
  }

  private async putMember(seen: Seen, record: MemberRecord): Promise<EtcdRevision | null> {
    const { etcd, prefix } = this.options;
    const key = prefix + memberKey(this.dataId);
    const cluster = seen.cluster!.entry;
    const compare: EtcdCompare[] = [
      { key: cluster.key, of: 'mod', is: 'equal', revision: cluster.modRevision },
      { key, of: 'mod', is: 'equal', revision: seen.member?.entry.modRevision ?? 0 },
      { key: prefix + forgottenKey(this.dataId), of: 'create', is: 'equal', revision: 0 },
    ];
    try {
      const put = { kind: 'put', key, value: JSON.stringify(record), lease: null } as const;
      const { succeeded, revision } = await etcd.txn({ compare, success: [put], failure: [] });
      if (succeeded) return revision;
    } catch (error) {
      if (!(error instanceof EtcdError) || error.outcome === 'refused') throw error;
    }
    // Its answer may have been lost.
    const { member } = await this.look();
    return member?.value.boot === record.boot ? member.entry.modRevision : null;
  }

  private blank(cluster: string): DirectoryMemory {
    const { prefix } = this.options;
    return { cluster, prefix, dataId: this.dataId, tried: [], known: null, revision: 0 };
  }

  private async remember(memory: DirectoryMemory): Promise<void> {
    const { disk, directory } = this.options;
    await writeDirectoryMemory(disk, directory, memory);
    this.memory = memory;
  }
}

/** The first key behind all under a prefix that ends with a slash. */
export const behind = (prefix: string): string => `${prefix.slice(0, -1)}0`;
