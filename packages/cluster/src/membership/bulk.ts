import type { MetadataEntry } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import { type Etcd, type EtcdCompare, EtcdError, type EtcdOp } from '../etcd/etcd.js';

/** Keys in one transaction; etcd takes 128 operations. */
export const chunkKeysMax = 100;
/** And 1.5 MiB. */
const chunkBytesMax = 512 * 1024;
const retryMs = 500;
const triesMax = 20;

/** Raised when what had to hold for a bulk of writes does not hold any more. */
export class BulkInterruptedError extends Error {}

/** In portions that one transaction takes. */
export function chunksOf<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const chunks: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    const last = chunks[chunks.length - 1];
    if (last === undefined || last.length === chunkKeysMax || bytes + more > chunkBytesMax) {
      chunks.push([item]);
      bytes = more;
    } else {
      last.push(item);
      bytes += more;
    }
  }
  return chunks;
}

/**
 * One transaction by a node that has no session; sent again until its answer comes, so it must be one that may be applied twice. False
 * when its conditions do not hold. Rejects with EtcdError.
 */
export async function commit(
  etcd: Etcd,
  clock: Clock,
  compare: readonly EtcdCompare[],
  success: readonly EtcdOp[],
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      const { succeeded } = await etcd.txn({ compare, success, failure: [] });
      return succeeded;
    } catch (error) {
      if (!(error instanceof EtcdError) || error.outcome === 'refused' || tries === triesMax) throw error;
      await new Promise<void>((resolve) => clock.after(retryMs, resolve));
    }
  }
}

/**
 * Puts records under the cluster's prefix while `compare` holds, only where there is none; for a node that has no session yet. Rejects
 * with BulkInterruptedError or EtcdError; some are there then, and it may be begun again.
 */
export async function putWhereAbsent(
  etcd: Etcd,
  clock: Clock,
  prefix: string,
  compare: readonly EtcdCompare[],
  entries: readonly Pick<MetadataEntry, 'key' | 'value'>[],
): Promise<void> {
  const puts = entries.map(({ key, value }) => ({ key: prefix + key, value: JSON.stringify(value) }));
  for (const chunk of chunksOf(puts, ({ key, value }) => key.length + value.length)) {
    const success = chunk.map(({ key, value }): EtcdOp => {
      const put = { kind: 'put', key, value, lease: null } as const;
      const compareAbsent = [{ key, of: 'create', is: 'equal', revision: 0 } as const];
      return { kind: 'txn', txn: { compare: compareAbsent, success: [put], failure: [] } };
    });
    if (!(await commit(etcd, clock, compare, success))) {
      throw new BulkInterruptedError('somebody else changed the cluster meanwhile');
    }
  }
}
