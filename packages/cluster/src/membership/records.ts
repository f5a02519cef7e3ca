import type { EtcdEntry, EtcdRevision } from '../etcd/etcd.js';
import { JoinRefusedError } from './join-refused.js';

/** What stands in etcd of a cluster and of those who ever joined it; keys are without the cluster's prefix. */

/** Of the cluster's records in etcd. A larger one is refused. */
export const CLUSTER_FORMAT = 1;

/** Under `cluster`. */
export interface ClusterRecord {
  readonly format: number;
  /** A UUID, the only name that tells one cluster from another. */
  readonly id: string;
  /** The data id of who makes it and is not through; everybody else waits. */
  readonly founding?: string;
  /** The cluster whose records were put here again (`adopt`). */
  readonly adopted?: Adopted;
  /** What stood here before is being deleted first. */
  readonly emptying?: boolean;
}

export interface Adopted {
  readonly from: string;
  /** Of the copy that came first. */
  readonly revision: EtcdRevision;
}

/** Under `members/<data id>`: a data directory that joined. */
export interface MemberRecord {
  /** The node's name at its last start. */
  readonly node: string;
  /** How often a node was started on it. */
  readonly starts: number;
  /** Of its last start. */
  readonly boot: string;
  /** For people; the first start's wall clock. */
  readonly joined: string;
}

/** Under `forgotten/<data id>`. */
export interface ForgottenRecord {
  readonly node: string;
  readonly at: string;
}

/** Under `maintenance/<data id>`: the node is being drained, as long as that process lives. */
export interface MaintenanceRecord {
  readonly boot: string;
  /** For people. */
  readonly since: string;
}

export const clusterKey = 'cluster';
export const membersPrefix = 'members/';
export const memberKey = (dataId: string): string => membersPrefix + encodeURIComponent(dataId);
export const forgottenKey = (dataId: string): string => `forgotten/${encodeURIComponent(dataId)}`;
export const maintenancePrefix = 'maintenance/';
export const maintenanceKey = (dataId: string): string => maintenancePrefix + encodeURIComponent(dataId);
export const metadataRoom = 'meta/';
export const queuesPrefix = `${metadataRoom}queues/`;

/** A record with the revision that guards it. */
export interface Stored<T> {
  readonly value: T;
  readonly entry: EtcdEntry;
}

export function stored<T>(entry: EtcdEntry | null | undefined): Stored<T> | null {
  if (entry === null || entry === undefined) return null;
  try {
    return { value: JSON.parse(entry.value) as T, entry };
  } catch {
    throw new JoinRefusedError(
      'foreign-cluster',
      `etcd holds something else than a Chapar cluster: the key ${entry.key} is not JSON. Choose another prefix (--etcd-prefix).`,
    );
  }
}
