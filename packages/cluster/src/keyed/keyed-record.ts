import { GuardFailedError, type Incarnation, type JsonValue, type Write } from '@chapar/core';
import { metadataRoom } from '../membership/records.js';
import { mirrorKey, type QueueMirrorRecord } from '../replication/mirror-records.js';
import { type DataId, firstNonce, usualMin } from '../replication/record.js';
import { type KeyedRecord, keyedKey, shardCount, shardIncarnation } from './shard-name.js';
import type { ShardsParts } from './shards.js';

/** Between two tries. Milliseconds. */
const againMs = 200;
const triesMax = 300;

/** Which shards a keyed log has; whoever comes first makes it. Rejects when etcd does not take it for a minute. */
export async function recordOfKeyed(name: string, parts: ShardsParts): Promise<KeyedRecord> {
  const { membership, clock, log } = parts;
  for (let tries = 1; ; tries++) {
    const found = membership.mirror.get(metadataRoom + keyedKey(name))?.value as KeyedRecord | undefined;
    if (found !== undefined) return found;
    try {
      const key = keyedKey(name);
      await membership.metadata.change([{ key, revision: 'absent' }], newKeyed(name, parts));
    } catch (error) {
      if (tries === triesMax) throw error;
      // Somebody else made it; ours will say so soon.
      if (!(error instanceof GuardFailedError))
        log.warn({ error, log: name }, 'a log of the cluster could not be made yet; tried again');
      await new Promise<void>((done) => clock.after(againMs, done));
    }
  }
}

/** A copy on every node that is there, and a lead for each of them in turn. Whoever comes later gets copies as for queues. */
function newKeyed(name: string, { membership, neighbours, newId }: ShardsParts): Write[] {
  const here = membership.dataId;
  const others = [...neighbours().open().keys()].filter((id) => id !== here);
  const id = newId();
  const shards: Incarnation[] = [];
  const writes: Write[] = [];
  for (let index = 0; index < shardCount; index++) {
    const incarnation = shardIncarnation({ log: name, index, count: shardCount }, id);
    const record = mirrorRecord(incarnation, turned([here, ...others], index), `${name}/${index}`);
    shards.push(incarnation);
    writes.push({ key: mirrorKey(incarnation), value: record as JsonValue });
  }
  return [...writes, { key: keyedKey(name), value: { shards } }];
}

/** As a queue's, in no virtual host. Its first leader begins without another write; see `Placement.record`. */
function mirrorRecord(incarnation: Incarnation, replicas: readonly DataId[], name: string): QueueMirrorRecord {
  const state = { incarnation, replicas, leader: replicas[0]!, epoch: 1, inSync: replicas, nonce: firstNonce };
  return { ...state, min: usualMin(replicas.length), vhost: '', name, wish: { copies: 'all', min: null } };
}

function turned<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
