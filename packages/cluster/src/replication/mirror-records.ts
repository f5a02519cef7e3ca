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
  /** What was wished when it was declared: there may have been too few nodes. */
  readonly wish: { readonly copies: MirroringWish['copies']; readonly min: MirroringWish['min'] };
}
