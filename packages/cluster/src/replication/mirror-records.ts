import { type Incarnation, type MirroringWish, metadataKey } from '@chapar/core';
import { metadataRoom } from '../membership/records.js';
import type { MirrorRecord } from './record.js';

/** Of a mirrored queue's record in metadata. */
export const mirrorKey = (incarnation: Incarnation): string => metadataKey('mirrors', incarnation);

/** The same in etcd, without the cluster's prefix; all of them, and one. */
export const mirrorsPrefix = `${metadataRoom}mirrors/`;
export const mirrorPath = (incarnation: Incarnation): string => metadataRoom + mirrorKey(incarnation);

/** A mirror's record as this version writes it. */
export interface QueueMirrorRecord extends MirrorRecord {
  /** Where the queue is found. */
  readonly vhost: string;
  readonly name: string;
  /** What is wished: there may be too few nodes for it. */
  readonly wish: RecordedWish;
  /** What its arguments and policies came to when that was last looked at: who adds or removes copies by hand wishes for something else. Absent: what is wished. */
  readonly asked?: RecordedWish;
}

/** A type, so that it is JSON. */
export type RecordedWish = { readonly copies: MirroringWish['copies']; readonly min: MirroringWish['min'] };

/** It is no queue but a shard of a keyed log, which the broker keeps for itself: in no virtual host. */
export const isShard = ({ vhost }: QueueMirrorRecord): boolean => vhost === '';
