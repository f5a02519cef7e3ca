import type { EtcdRevision } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import type { DirectoryMemory } from './directory-memory.js';
import { JoinRefusedError } from './join-refused.js';
import type { StoredCopy } from './metadata-copy.js';
import { CLUSTER_FORMAT, type ClusterRecord, type MemberRecord } from './records.js';

/** What etcd says, all at one revision. */
export interface Found {
  readonly revision: EtcdRevision;
  readonly cluster: ClusterRecord | null;
  readonly member: MemberRecord | null;
  readonly isForgotten: boolean;
}

/** What a data directory says. */
export interface Directory {
  readonly path: string;
  readonly dataId: string;
  /** The prefix that it is pointed to. */
  readonly prefix: string;
  readonly memory: DirectoryMemory | null;
}

/**
 * What to do: make a cluster, go on making it, wait for who makes it, join one, return to it; or become somebody else first, because
 * this directory is an older state of one that has been used since.
 */
export type Agreement =
  | { readonly kind: 'found' | 'go-on-founding' | 'join' | 'return' }
  | { readonly kind: 'wait'; readonly founder: string }
  | { readonly kind: 'renew'; readonly why: string };

/** Whether a data directory and an etcd belong together. Throws JoinRefusedError when they do not. */
export function agree(directory: Directory, found: Found): Agreement {
  const { memory, dataId } = directory;
  const { cluster } = found;
  if (cluster !== null && cluster.format > CLUSTER_FORMAT) throw newer(directory, cluster);
  if (cluster === null) {
    if (memory === null) return { kind: 'found' };
    throw emptyEtcd(directory, memory, found.revision);
  }
  if (memory !== null) {
    if (memory.cluster !== cluster.id) throw foreign(directory, memory, cluster);
    if (found.revision < memory.revision) {
      throw older(directory, `its revision is ${found.revision}, and was ${memory.revision}`);
    }
  }
  if (found.isForgotten) throw forgotten(directory);
  if (cluster.founding === dataId) return { kind: 'go-on-founding' };
  if (cluster.founding !== undefined) return { kind: 'wait', founder: cluster.founding };
  return agreeOnStarts(directory, memory?.dataId === dataId ? memory : null, found.member);
}

/** Each start writes its number and its id here and there: who is behind is an older state of the other one. */
function agreeOnStarts(directory: Directory, known: DirectoryMemory | null, member: MemberRecord | null): Agreement {
  const last = known?.known ?? null;
  if (member === null) {
    if (last !== null) throw older(directory, 'it does not know this node, which has been part of the cluster');
    return { kind: 'join' };
  }
  if (member.boot === last?.boot || known?.tried.some(({ boot }) => boot === member.boot)) return { kind: 'return' };
  if (last !== null && member.starts < last.count) {
    throw older(directory, `it knows ${member.starts} starts of this node, of which there were ${last.count}`);
  }
  const here = last === null ? 'none' : String(last.count);
  return {
    kind: 'renew',
    why: `etcd knows ${member.starts} starts on this data directory, the directory itself ${here}`,
  };
}

/**
 * A revision that has grown beyond what this node had seen says nothing about what was undone before it grew: no record may be of an earlier
 * revision than it was. Throws JoinRefusedError.
 */
export function assertNothingUndone(path: string, before: StoredCopy, there: Pick<Mirror, 'get'>): void {
  for (const { key, revision } of before.entries) {
    const now = there.get(key);
    if (now !== undefined && now.revision < revision)
      throw older(
        { path },
        `${key} was written at revision ${revision}, and stands there as of revision ${now.revision}`,
      );
  }
}

// -- what is said --------------------------------------------------------------------------------------------------

const adoptAdvice =
  'To make the cluster anew from what the nodes remember, stop all nodes and run `chapar cluster adopt` on the data directory of ' +
  'each (docs/CLUSTER.md).';

function newer({ prefix }: Directory, { format }: ClusterRecord): JoinRefusedError {
  return new JoinRefusedError(
    'newer-format',
    `The cluster under ${prefix} in etcd has format version ${format}; this broker knows versions up to ${CLUSTER_FORMAT}. ` +
      'Start a broker of the version that the other nodes have.',
  );
}

function emptyEtcd({ path, prefix }: Directory, memory: DirectoryMemory, revision: EtcdRevision): JoinRefusedError {
  const elsewhere =
    memory.prefix === prefix ? '' : ` It was under the prefix ${memory.prefix}: is --etcd-prefix right?`;
  return new JoinRefusedError(
    'empty-etcd',
    `The data directory ${path} belongs to the cluster ${memory.cluster}, and etcd (at revision ${revision}) has nothing of it under ` +
      `${prefix}.${elsewhere} If this is the wrong etcd, correct --etcd. If etcd was lost, restore it from its newest snapshot. ${adoptAdvice}`,
  );
}

function foreign({ path, prefix }: Directory, memory: DirectoryMemory, cluster: ClusterRecord): JoinRefusedError {
  const advice =
    cluster.adopted?.from === memory.cluster
      ? 'That cluster was made anew from the records of this one: run `chapar cluster adopt` on this data directory too, then start it.'
      : `Correct --etcd or --etcd-prefix (it was ${memory.prefix}), or start with an empty data directory: it joins as a new node.`;
  return new JoinRefusedError(
    'foreign-cluster',
    `The data directory ${path} belongs to the cluster ${memory.cluster}, and under ${prefix} in etcd is the cluster ${cluster.id}. ${advice}`,
  );
}

function older({ path }: Pick<Directory, 'path'>, why: string): JoinRefusedError {
  return new JoinRefusedError(
    'older-etcd',
    `etcd is older than what the data directory ${path} has seen of it: ${why}. It was probably restored from a snapshot, and what was ` +
      `declared or deleted since is not in it. ${adoptAdvice}`,
  );
}

function forgotten({ path, dataId }: Directory): JoinRefusedError {
  return new JoinRefusedError(
    'forgotten',
    `The cluster was told to forget the data directory ${path} (${dataId}), and its queues were deleted. Move the directory away and ` +
      'start with an empty one: it joins as a new node.',
  );
}
