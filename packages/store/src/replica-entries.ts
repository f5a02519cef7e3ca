import type { EpochStart, Incarnation, OriginRow, Position, Range, ReplicaMark } from '@chapar/core';
import {
  beginEntry,
  ENTRY_COMMIT,
  ENTRY_CUT,
  ENTRY_EPOCH,
  ENTRY_FORGET,
  ENTRY_HEADER_BYTES,
  ENTRY_ORIGINS,
  ENTRY_PASS,
  ENTRY_REPLICA,
  ENTRY_RESTATE,
  ENTRY_TIME,
  ENTRY_WHOLE,
} from './entry.js';
import { writeU32 } from './group.js';
import { reasonCode, reasonOf } from './queue-entries.js';
import { type ReplicaState, readOriginRows, writeOriginRows } from './replica-state.js';
import { VarintReader, VarintWriter } from './varint-form.js';

// The entries about replicas that are not messages: kind, then the number, then varints and names, as drawn in docs/FORMAT.md.

const QUEUE_AT = ENTRY_HEADER_BYTES;
const REST_AT = QUEUE_AT + 4;

/** A whole entry but for its checksum. */
function entry(kind: number, number: number, write: (out: VarintWriter) => void): Buffer {
  const out = new VarintWriter(REST_AT);
  write(out);
  const buf = out.end();
  beginEntry(buf, 0, buf.length, kind);
  writeU32(buf, QUEUE_AT, number);
  return buf;
}

function rest(buf: Buffer, at: number, end: number): VarintReader {
  return new VarintReader(buf, at + REST_AT, end);
}

/** `number` stands for this replica from here on in this file, and this is what it has come to. */
export function replicaEntry(number: number, incarnation: Incarnation, state: ReplicaState): Buffer {
  return entry(ENTRY_REPLICA, number, (out) => {
    out.name(incarnation);
    state.write(out);
  });
}

/** The incarnation, and where its state is to be read from. */
export function readReplica(buf: Buffer, at: number, end: number): { incarnation: Incarnation; state: VarintReader } {
  const state = rest(buf, at, end);
  return { incarnation: state.name(), state };
}

export function epochEntry(number: number, { epoch, first }: EpochStart): Buffer {
  return entry(ENTRY_EPOCH, number, (out) => {
    out.varint(epoch);
    out.varint(first);
  });
}

/** Of the kinds that name a position and nothing else. */
export function positionEntry(
  kind: typeof ENTRY_CUT | typeof ENTRY_PASS | typeof ENTRY_COMMIT,
  number: number,
  position: Position,
): Buffer {
  return entry(kind, number, (out) => out.varint(position));
}

export function originsEntry(number: number, rows: readonly OriginRow[]): Buffer {
  return entry(ENTRY_ORIGINS, number, (out) => writeOriginRows(out, rows));
}

export function forgetEntry(number: number, origin: string): Buffer {
  return entry(ENTRY_FORGET, number, (out) => out.name(origin));
}

/** How far the queue's time is ahead of the node's: behind when the first number is 1. Milliseconds. */
export function timeEntry(number: number, aheadMs: number): Buffer {
  return entry(ENTRY_TIME, number, (out) => {
    out.varint(aheadMs < 0 ? 1 : 0);
    out.varint(Math.abs(aheadMs));
  });
}

/** Something is missing from what it had. */
export const NOT_WHOLE = 0;
export const WHOLE = 1;
/** All that was said of it before is void, and it lacks what it should have. */
export const EMPTIED = 2;

export function wholeEntry(number: number, what: typeof NOT_WHOLE | typeof WHOLE | typeof EMPTIED): Buffer {
  return entry(ENTRY_WHOLE, number, (out) => out.varint(what));
}

export interface Restated {
  readonly upTo: Position;
  readonly live: readonly Range[];
  readonly marks: readonly ReplicaMark[];
}

export function restateEntry(number: number, { upTo, live, marks }: Restated): Buffer {
  return entry(ENTRY_RESTATE, number, (out) => {
    out.varint(upTo);
    out.ranges(live);
    out.varint(marks.length);
    for (const mark of marks) {
      out.varint(mark.position);
      out.varint(mark.kind === 'pend' ? reasonCode(mark.reason) : 0);
      out.varint(mark.kind === 'pend' ? mark.atMs : mark.count);
    }
  });
}

/** Null: with a reason that this code does not know. */
function readRestate(from: VarintReader): Restated | null {
  const upTo = from.varint();
  const live = from.ranges();
  const marks: ReplicaMark[] = [];
  for (let left = from.varint(); left > 0; left--) {
    const [position, code, value] = [from.varint(), from.varint(), from.varint()];
    if (code === 0) {
      marks.push({ kind: 'returned', position, count: value });
      continue;
    }
    const reason = reasonOf(code);
    if (reason === null) return null;
    marks.push({ kind: 'pend', position, reason, atMs: value });
  }
  return { upTo, live, marks };
}

/**
 * What each kind of entry does to the state of its replica, when it is read. Returns the latest time in it, 0 when there is none; null: it
 * says something that this code does not know.
 */
export const replicaEntries: Readonly<
  Record<number, ((state: ReplicaState, buf: Buffer, at: number, end: number) => number | null) | undefined>
> = {
  [ENTRY_EPOCH]: (state, buf, at, end) => {
    const from = rest(buf, at, end);
    state.begin(from.varint(), from.varint());
    return 0;
  },
  [ENTRY_CUT]: (state, buf, at, end) => {
    state.cut(rest(buf, at, end).varint());
    return 0;
  },
  [ENTRY_PASS]: (state, buf, at, end) => {
    state.pass(rest(buf, at, end).varint());
    return 0;
  },
  [ENTRY_COMMIT]: (state, buf, at, end) => {
    state.commit(rest(buf, at, end).varint());
    return 0;
  },
  [ENTRY_RESTATE]: (state, buf, at, end) => {
    const restated = readRestate(rest(buf, at, end));
    if (restated === null) return null;
    state.restate(restated.upTo, restated.live, restated.marks);
    return restated.marks.reduce((ms, mark) => (mark.kind === 'pend' ? Math.max(ms, mark.atMs) : ms), 0);
  },
  [ENTRY_ORIGINS]: (state, buf, at, end) => {
    state.merge(readOriginRows(rest(buf, at, end)));
    return 0;
  },
  [ENTRY_FORGET]: (state, buf, at, end) => {
    state.forget(rest(buf, at, end).name());
    return 0;
  },
  [ENTRY_TIME]: (state, buf, at, end) => {
    const from = rest(buf, at, end);
    const isBehind = from.varint() === 1;
    state.aheadMs = isBehind ? -from.varint() : from.varint();
    return 0;
  },
  [ENTRY_WHOLE]: (state, buf, at, end) => {
    const what = rest(buf, at, end).varint();
    if (what > EMPTIED) return null;
    if (what === EMPTIED) state.empty();
    else state.isWhole = what === WHOLE;
    return 0;
  },
};
