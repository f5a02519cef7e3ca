import { join } from 'node:path';
import { type JsonValue, type MetadataEntry, metadataKeyParts, type Position } from '@chapar/core';
import { type Disk, type Platform, ReadOnlyDisk } from '@chapar/platform';
import { readCheckpoint } from './checkpoint-file.js';
import {
  ENTRY_COMMIT,
  ENTRY_CUT,
  ENTRY_DELIVERED,
  ENTRY_EPOCH,
  ENTRY_FORGET,
  ENTRY_ORIGINS,
  ENTRY_PASS,
  ENTRY_PEND,
  ENTRY_PUBLISH,
  ENTRY_QUEUE_OPEN,
  ENTRY_QUEUE_REMOVE,
  ENTRY_REPLICA,
  ENTRY_RESTATE,
  ENTRY_RETURNED,
  ENTRY_SETTLE,
  ENTRY_START,
  ENTRY_STOP,
} from './entry.js';
import { Fold } from './fold.js';
import { DamagedFileError } from './format-error.js';
import { Generation, Generations } from './generation.js';
import { readIdentity } from './identity.js';
import { walkEntries } from './log-file.js';
import { MetadataFile } from './metadata-file.js';
import type { NumberedLog } from './numbered-log.js';
import { publishPosition, publishQueueNumber } from './publish-entry.js';
import type { QueueLogWriter, WalQueueLog } from './queue-log.js';
import { type Damage, MissingFile, Recovery } from './recovery.js';
import { type ReplicaWriter, WalReplica } from './replica.js';
import { WalLogs } from './wal-logs.js';

/** One queue's messages, as they would be there after a start. */
export interface InspectedQueue {
  /** Null: metadata names nothing with this incarnation, so a start would forget it. */
  readonly vhost: string | null;
  readonly name: string | null;
  /** An exchange has the messages that it delays. */
  readonly kind: 'queue' | 'exchange' | null;
  readonly incarnation: string;
  /** Live messages, and the bytes of their entries. */
  readonly messages: number;
  readonly bytes: number;
  /** Of the messages, those that wait in the outbox to be dead-lettered. */
  readonly pending: number;
  /** What the next entry gets. */
  readonly nextPosition: Position;
  /** Of a copy of a mirrored queue's log: up to where this node knew what it holds to be committed. Null: it is no such copy. */
  readonly committed: Position | null;
}

/** One file of the write-ahead log. */
export interface InspectedFile {
  readonly path: string;
  /** Up to the end of what is healthy or reported as damage. */
  readonly bytes: number;
  readonly liveMessages: number;
  readonly liveBytes: number;
  /** How many of each kind there are. */
  readonly entries: Readonly<Record<string, number>>;
}

/** What a start would go on from. */
export interface InspectedCheckpoint {
  readonly path: string;
  readonly bytes: number;
  /** False: a start folds all of the log. */
  readonly isHealthy: boolean;
  /** A start folds the log from this file and offset on; 0 when it is damaged. */
  readonly generation: number;
  readonly offset: number;
  /** Queues in it, and messages that were live then. */
  readonly queues: number;
  readonly messages: number;
}

/** What stands in a data directory. */
export interface Inspection {
  readonly dataDir: string;
  readonly dataId: string;
  /** Null: there is none, or it cannot be read. `entries`: how many keys of each kind there are. */
  readonly metadata: { readonly revision: number; readonly entries: Readonly<Record<string, number>> } | null;
  readonly queues: readonly InspectedQueue[];
  readonly files: readonly InspectedFile[];
  /** Null: there is none. */
  readonly checkpoint: InspectedCheckpoint | null;
  readonly damages: readonly Damage[];
}

const kinds: Readonly<Record<number, string>> = {
  [ENTRY_PUBLISH]: 'publish',
  [ENTRY_SETTLE]: 'settle',
  [ENTRY_QUEUE_OPEN]: 'queueOpen',
  [ENTRY_QUEUE_REMOVE]: 'queueRemove',
  [ENTRY_DELIVERED]: 'delivered',
  [ENTRY_START]: 'start',
  [ENTRY_STOP]: 'stop',
  [ENTRY_PEND]: 'pend',
  [ENTRY_RETURNED]: 'returned',
  [ENTRY_REPLICA]: 'copy',
  [ENTRY_EPOCH]: 'epoch',
  [ENTRY_CUT]: 'cut',
  [ENTRY_PASS]: 'pass',
  [ENTRY_COMMIT]: 'commit',
  [ENTRY_RESTATE]: 'restate',
  [ENTRY_ORIGINS]: 'origins',
  [ENTRY_FORGET]: 'forget',
};

/**
 * Reads a data directory with the readers of a start and changes nothing in it, not even its lock. Beside a running broker the
 * answer is of no certain moment. Throws the disk's errors (ENOENT: there is no data directory), NewerFormatError and ForeignFileError.
 */
export async function inspectDirectory(
  platform: Pick<Platform, 'clock' | 'disk' | 'log'>,
  dataDir: string,
): Promise<Inspection> {
  const disk = new ReadOnlyDisk(platform.disk);
  const { dataId } = await readIdentity(disk, dataDir);
  const damages: Damage[] = [];
  const metadata = await readMetadata({ ...platform, disk }, dataDir, dataId, damages);
  const logs = await readLogs({ ...platform, disk }, dataDir, dataId, damages);
  const names = queueNames(metadata?.entries ?? []);
  const queues = logs.queues
    .map((queue) => ({ ...(names.get(queue.incarnation) ?? { vhost: null, name: null, kind: null }), ...queue }))
    .sort((a, b) => compare(a.vhost, b.vhost) || compare(a.name, b.name) || compare(a.incarnation, b.incarnation));
  const counts = metadata === null ? null : { revision: metadata.revision, entries: countKinds(metadata.entries) };
  const checkpoint = await inspectCheckpoint(disk, dataDir, dataId);
  return { dataDir, dataId, metadata: counts, queues, files: logs.files, checkpoint, damages };
}

type World = Pick<Platform, 'clock' | 'log'> & { readonly disk: Disk };

async function readMetadata(
  { disk, log }: World,
  dataDir: string,
  dataId: string,
  damages: Damage[],
): Promise<{ revision: number; entries: readonly MetadataEntry[] } | null> {
  const directory = join(dataDir, 'metadata');
  if (!(await names(disk, directory)).includes('metadata.log')) return null;
  const file = new MetadataFile(disk, directory, dataId);
  try {
    const state = await file.open(log);
    return { revision: state.revision, entries: state.under('') };
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error;
    damages.push({ path: error.path, offset: error.offset, what: 'a change that had been synced cannot be read back' });
    return null;
  } finally {
    await file.close();
  }
}

async function readLogs(
  world: World,
  dataDir: string,
  dataId: string,
  damages: Damage[],
): Promise<{ queues: Omit<InspectedQueue, keyof Named>[]; files: InspectedFile[] }> {
  const directory = join(dataDir, 'wal');
  if ((await names(world.disk, directory)).length === 0) return { queues: [], files: [] };
  const generations = new Generations();
  const fold = new Fold(new WalLogs(nobody, generations));
  const recovery = new Recovery({ ...world, directory, dataId }, fold, generations);
  await recovery.read({ checkpoint: false });
  damages.push(...recovery.damages);
  const messages = new Map([...fold.byNumber.values()].map((log) => [log, log.live.count]));
  const bytes = new Map<NumberedLog, number>();
  const files: InspectedFile[] = [];
  for (const generation of generations.values()) {
    const entries: Record<string, number> = {};
    const { liveCount: liveMessages, liveBytes } = generation;
    await walkEntries(generation, generation.writtenBytes, {
      visit: (buf, at, end, offset) => {
        const kind = kinds[buf[at + 8]!] ?? 'unknown';
        entries[kind] = (entries[kind] ?? 0) + 1;
        if (buf[at + 8] !== ENTRY_PUBLISH) return;
        const log = fold.byNumber.get(publishQueueNumber(buf, at));
        const position = publishPosition(buf, at);
        if (log?.live.standsAt(position, generation.number, offset) !== true) return;
        bytes.set(log, (bytes.get(log) ?? 0) + end - at);
        // Copied forward twice into one file, it is one message.
        log.live.remove(position, position);
      },
      judge: async () => 'damage',
    });
    const { path, writtenBytes } = generation;
    files.push({ path, bytes: writtenBytes, liveMessages, liveBytes, entries });
    await generation.file.close();
  }
  const queues = [...fold.byNumber.values()].map((log) => ({
    incarnation: log.incarnation,
    messages: messages.get(log) ?? 0,
    bytes: bytes.get(log) ?? 0,
    pending: log.marks?.pending.length ?? 0,
    nextPosition: log instanceof WalReplica ? log.end + 1 : (log as WalQueueLog).next,
    committed: log instanceof WalReplica ? log.committed : null,
  }));
  return { queues, files };
}

async function inspectCheckpoint(disk: Disk, dataDir: string, dataId: string): Promise<InspectedCheckpoint | null> {
  const directory = join(dataDir, 'wal');
  const found = (await names(disk, directory)).length === 0 ? null : await readCheckpoint(disk, directory, dataId);
  if (found === null) return null;
  const { path, bytes, content } = found;
  if (content === null) return { path, bytes, isHealthy: false, generation: 0, offset: 0, queues: 0, messages: 0 };
  const { place, files } = content.head;
  const generations = new Generations();
  for (const number of files.keys()) generations.add(new Generation(number, path, new MissingFile(path), 0));
  const fold = new Fold(new WalLogs(nobody, generations));
  fold.restore(content.head, content.queues);
  const messages = [...fold.byNumber.values()].reduce((sum, { live }) => sum + live.count, 0);
  return { path, bytes, isHealthy: true, ...place, queues: fold.byNumber.size, messages };
}

/** Names in a directory; none when it is not there. */
async function names(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

type Named = Pick<InspectedQueue, 'vhost' | 'name' | 'kind'>;

function queueNames(entries: readonly MetadataEntry[]): Map<string, Named> {
  const named = new Map<string, Named>();
  for (const { key, value } of entries) {
    const [kind, vhost, name] = metadataKeyParts(key);
    const incarnation = (value as { incarnation?: JsonValue } | null)?.incarnation;
    if (kind !== 'queues' && kind !== 'exchanges') continue;
    if (vhost === undefined || name === undefined || typeof incarnation !== 'string') continue;
    named.set(incarnation, { vhost, name, kind: kind === 'queues' ? 'queue' : 'exchange' });
  }
  return named;
}

function countKinds(entries: readonly MetadataEntry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { key } of entries) {
    const kind = metadataKeyParts(key)[0]!;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** What has no name comes last. */
function compare(a: string | null, b: string | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return a < b ? -1 : 1;
}

function nothingIsPaged(): never {
  throw new Error('nothing is published while a directory is inspected');
}

/** Nothing is written either. */
const nobody: QueueLogWriter & ReplicaWriter = {
  append: () => {},
  settling: () => {},
  read: () => {},
  mark: () => {},
  nowMs: 0,
  pages: nothingIsPaged,
  groupFor: nothingIsPaged,
  writeSettled: () => {},
  keepAside: nothingIsPaged,
  stamped: () => {},
  readEntries: () => {},
};
