import { type Incarnation, isKeyedIncarnation, keyedIncarnation, metadataKey } from '@chapar/core';

/** Of a keyed log that is made now; those that are there keep theirs. */
export const shardCount = 8;

/** One shard of a keyed log. */
export interface ShardName {
  readonly log: string;
  readonly index: number;
  /** How many there are. */
  readonly count: number;
}

/** Of a keyed log's record in metadata. */
export const keyedKey = (log: string): string => metadataKey('keyed', log);

/** What a keyed log's record says. */
export interface KeyedRecord {
  /** By index. */
  readonly shards: readonly Incarnation[];
}

/** `id`: of this life of the log, so that what a directory has of another cluster's is not taken for ours. */
export function shardIncarnation({ log, index, count }: ShardName, id: string): Incarnation {
  return keyedIncarnation(`${log}/${index}/${count}/${id}`);
}

/** Null: a queue's. */
export function shardNameOf(incarnation: Incarnation): ShardName | null {
  if (!isKeyedIncarnation(incarnation)) return null;
  const [log, index, count] = incarnation.slice(keyedIncarnation('').length).split('/');
  return { log: log!, index: Number(index), count: Number(count) };
}

/** Which shard has the key. FNV-1a over its UTF-16 units; the same on all nodes for ever. */
export function shardOf(key: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % count;
}
