import type { Arguments } from '../arguments.js';
import { canonical } from '../arguments.js';
import { type Incarnation, metadataKey } from '../ports.js';
import type { VirtualHostProperties } from './virtual-host.js';

/** What metadata holds of the topology, and under which keys. */
export type VirtualHostRecord = VirtualHostProperties;

export interface ExchangeRecord {
  readonly incarnation: Incarnation;
  readonly type: string;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Arguments;
  /** Gone when the last node of the cluster is. Absent: durable. A node alone keeps such exchanges in memory. */
  readonly transient?: boolean;
}

export interface QueueRecord {
  readonly incarnation: Incarnation;
  readonly autoDelete: boolean;
  readonly arguments: Arguments;
  /** The data id of the directory that has its messages. Absent: written by a node alone, and there. */
  readonly home?: string;
  /** Nodes have copies of it, and one leads them; there is no `home`. Absent: it lives in one place. */
  readonly mirrored?: true;
}

/** Names both ends by incarnation: one whose end is gone, or was declared anew, is ignored. */
export interface BindingRecord {
  readonly sourceIncarnation: Incarnation;
  readonly destinationIncarnation: Incarnation;
  readonly routingKey: string;
  readonly arguments: Arguments;
}

export const vhostKey = (name: string): string => metadataKey('vhosts', name);
export const exchangeKey = (vhost: string, name: string): string => metadataKey('exchanges', vhost, name);
export const queueKey = (vhost: string, name: string): string => metadataKey('queues', vhost, name);
/** Who has the name of a queue that no record holds, in a cluster. */
export const claimKey = (vhost: string, name: string): string => metadataKey('claims', vhost, name);
export const bindingRecordKey = (
  vhost: string,
  source: string,
  kind: 'queue' | 'exchange',
  destination: string,
  routingKey: string,
  args: Arguments,
): string => metadataKey('bindings', vhost, source, kind, destination, canonical([routingKey, args]));
