import { join } from 'node:path';
import type { Disk } from '@chapar/platform';
import type { EtcdRevision } from '../etcd/etcd.js';
import { JoinRefusedError } from './join-refused.js';

/** Of `cluster.json`. */
const FORMAT = 1;
const FILE_NAME = 'cluster.json';

/** One start of a node on a directory: the how manieth, and the id of that process. */
export interface Start {
  readonly count: number;
  readonly boot: string;
}

/** What a data directory remembers of its cluster. */
export interface DirectoryMemory {
  /** The cluster's id, a UUID. */
  readonly cluster: string;
  /** Under which it was found in etcd last. */
  readonly prefix: string;
  /** Whose memory this is: a directory that has become somebody else remembers the cluster, and not the starts. */
  readonly dataId: string;
  /** Starts since the last one that etcd has for sure: it may have any of them, or hear of it late. Oldest first. */
  readonly tried: readonly Start[];
  /** The last start that etcd has for sure. */
  readonly known: Start | null;
  /** The newest revision of etcd that was seen. */
  readonly revision: EtcdRevision;
}

/** Null: this directory has never been in a cluster. Rejects with JoinRefusedError when the file is newer or damaged. */
export async function readDirectoryMemory(disk: Disk, directory: string): Promise<DirectoryMemory | null> {
  const path = join(directory, FILE_NAME);
  const content = await readIfPresent(disk, path);
  return content === null ? null : parse(path, content.toString('utf8'));
}

export async function writeDirectoryMemory(disk: Disk, directory: string, memory: DirectoryMemory): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, ...memory }, null, 2);
  await disk.replaceFile(join(directory, FILE_NAME), Buffer.from(`${text}\n`));
}

function parse(path: string, text: string): DirectoryMemory {
  let found: (Partial<DirectoryMemory> & { readonly format?: unknown }) | null;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  const format = found?.format;
  if (typeof format === 'number' && format > FORMAT) {
    throw new JoinRefusedError(
      'newer-format',
      `${path} has format version ${format}; this broker reads versions up to ${FORMAT}. ` +
        'Start the broker version that wrote it, or a newer one.',
    );
  }
  const { cluster, prefix, dataId, tried, known, revision } = found ?? {};
  const isWhole =
    format === FORMAT &&
    [cluster, prefix, dataId].every((each) => typeof each === 'string') &&
    Array.isArray(tried) &&
    known !== undefined &&
    typeof revision === 'number';
  if (isWhole) return found as DirectoryMemory;
  throw new JoinRefusedError(
    'damaged-file',
    `${path}, which says to which cluster this data directory belongs, cannot be read. Restore it from a backup of this ` +
      'directory, or start with an empty data directory: it joins as a new node.',
  );
}

/** The file's bytes, null when there is no such file. */
export async function readIfPresent(disk: Disk, path: string): Promise<Buffer | null> {
  try {
    return await disk.readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
