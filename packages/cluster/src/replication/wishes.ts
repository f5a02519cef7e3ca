import type { QueueMirrorRecord, RecordedWish } from './mirror-records.js';
import { minOf } from './placement.js';
import {
  type DataId,
  enlarged,
  type MinFor,
  type MirrorRecord,
  minWith,
  reduced,
  replacement,
  shrinking,
  transfer,
} from './record.js';

/** What was wished for cannot be, for a reason that is told to whoever wished. */
export class CannotError extends Error {}

/** Whoever was to do it leads no more: the next leader may be asked. */
export class LeadsNoMoreError extends CannotError {}

/**
 * What somebody wants the record of a queue to say. It is asked for by the leader, among its own proposals and one at a time, since the
 * leader counts what is under way.
 */
export interface Wish {
  /** What should be written next; `done`: the record says it; `later`: something else has to happen first. Throws CannotError. */
  next(record: MirrorRecord, nonce: string): MirrorRecord | 'done' | 'later';
  /** Called once. Null: the record says what was wished for. */
  ended(error: Error | null): void;
}

/** Those that a leader was told of and that the record does not say yet, in their order. */
export class Wishes {
  private readonly waiting: Wish[] = [];

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  add(wish: Wish): void {
    this.waiting.push(wish);
  }

  /** Nobody waits for it any more. What was written for it stays. */
  drop(wish: Wish): void {
    const index = this.waiting.indexOf(wish);
    if (index >= 0) this.waiting.splice(index, 1);
  }

  /** The record that should be written now; null: none. Those that are fulfilled, or cannot be, end here. */
  next(record: MirrorRecord, nonce: string): MirrorRecord | null {
    for (const wish of [...this.waiting]) {
      const next = this.look(wish, record, nonce);
      if (next !== null) return next;
    }
    return null;
  }

  private look(wish: Wish, record: MirrorRecord, nonce: string): MirrorRecord | null {
    try {
      const next = wish.next(record, nonce);
      if (next === 'later') return null;
      if (next !== 'done') return next;
      this.end(wish, null);
    } catch (error) {
      if (!(error instanceof CannotError)) throw error;
      this.end(wish, error);
    }
    return null;
  }

  private end(wish: Wish, error: Error | null): void {
    this.drop(wish);
    wish.ended(error);
  }

  /** The reign is over, with this record. */
  close(record: MirrorRecord): void {
    for (const wish of this.waiting.splice(0)) wish.ended(isFulfilled(wish, record) ? null : new LeadsNoMoreError());
  }
}

function isFulfilled(wish: Wish, record: MirrorRecord): boolean {
  try {
    return wish.next(record, '') === 'done';
  } catch {
    return false;
  }
}

export type WishedFor = Wish['next'];

export const addition =
  (member: DataId, minFor?: MinFor): WishedFor =>
  (record, nonce) =>
    enlarged(record, member, nonce, minFor) ?? 'done';

/** Out of the set first, then out of the replicas. The leader itself is not removed: it passes the lead on first. */
export const removal =
  (member: DataId, minFor?: MinFor): WishedFor =>
  (record, nonce) => {
    const { replicas, inSync, leader, min } = record;
    if (!replicas.includes(member)) return 'done';
    if (replicas.length === 1) throw new CannotError('it has the only copy');
    if (member === leader) throw new CannotError('it leads the queue');
    const next = reduced(record, member, nonce, minFor) ?? shrinking(record, member, nonce);
    if (next !== null) return next;
    throw new CannotError(
      `only ${inSync.length === 1 ? '1 copy is' : `${inSync.length} copies are`} in sync and the queue needs ${min}: let others catch up or add one first`,
    );
  };

/** The copy of `gone` is to be with `newcomer`. Waits until the first has left the set. */
export const exchange =
  (gone: DataId, newcomer: DataId, minFor?: MinFor): WishedFor =>
  (record, nonce) => {
    const { replicas, inSync } = record;
    if (!replicas.includes(gone)) return 'done';
    if (inSync.includes(gone)) return shrinking(record, gone, nonce) ?? 'later';
    return replacement(record, gone, newcomer, nonce) ?? reduced(record, gone, nonce, minFor) ?? 'later';
  };

/** It is wished for these copies from now on; `asked`: by its arguments and policies. How many disks must have what is confirmed follows. */
export const anotherWish =
  (wish: RecordedWish, asked: RecordedWish): WishedFor =>
  (record, nonce) => {
    const before = record as QueueMirrorRecord;
    const min = minWith(record, minOf(wish, record.replicas.length));
    if (min === record.min && isSameWish(before.wish, wish) && isSameWish(askedOf(before), asked)) return 'done';
    return { ...record, wish, asked, min, nonce };
  };

/** What arguments and policies came to when that was last looked at. */
export function askedOf({ asked, wish }: QueueMirrorRecord): RecordedWish {
  return asked ?? wish;
}

export function isSameWish(one: RecordedWish, other: RecordedWish): boolean {
  return one.min === other.min && String(one.copies) === String(other.copies);
}

/** `isReady`: whether the time has come. */
export const handover =
  (to: DataId, isReady: () => boolean): WishedFor =>
  (record, nonce) => {
    if (record.leader === to) return 'done';
    if (!record.replicas.includes(to)) throw new CannotError('it has no copy of the queue');
    const next = transfer(record, to, nonce);
    if (next === null) throw new CannotError('its copy is not in sync');
    return isReady() ? next : 'later';
  };
