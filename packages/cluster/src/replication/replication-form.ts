import type { DropReason, Incarnation, ReplicaEntry, Revision } from '@chapar/core';
import type { FrameCursor } from '../peer/frame-cursor.js';
import type { Outgoing } from '../peer/outgoing.js';
import type { Change, Mark } from './changes.js';
import type { EpochStart } from './epoch-history.js';
import type { Answer, Opening, Pull, Welcome } from './exchange.js';
import type { Origin, OriginRow, Provenance } from './origins.js';
import { type Range, Ranges } from './ranges.js';
import type { DataId } from './record.js';

// How pulls and answers travel. Whole numbers are varints, ranges are distances: from the one before, then their length. An answer names
// the copy by the number that its follower gave it, a pull does so too; which queue that is it says where its conversation opens.

const PULL_OPENS = 1;
const PULL_GOES_ON = 2;
const PULL_LACKS = 4;
const PULL_HAS_HEARD = 8;

const ANSWER_WELCOMES = 1;
const ANSWER_HAS_IMAGE = 2;
const ANSWER_HAS_ORIGINS = 4;
const ANSWER_IS_LOST = 8;
const ANSWER_HAS_TIME = 16;

const CHANGE_SETTLE = 0;
const CHANGE_PEND = 1;
const CHANGE_RETURNED = 2;
const CHANGE_FORGET = 3;

const reasons: readonly DropReason[] = ['rejected', 'expired', 'maxlen', 'delivery_limit'];

/** An answer with its messages, and the number of the copy that it is for. */
export interface Parcel {
  readonly copy: number;
  readonly answer: Answer;
  readonly entries: readonly ReplicaEntry[];
  /** When it was sent, by the queue's time. Milliseconds since 1970; 0: not said. */
  readonly sentMs: number;
}

/** Who sits at the other end of a lane, and which queues its numbers stand for. */
export interface PullContext {
  readonly member: DataId;
  readonly session: Revision;
  readonly incarnations: Map<number, Incarnation>;
}

// -- pulls -----------------------------------------------------------------------------------------------------------

/** `heardMs`: the `sentMs` of the last answer; 0: none. */
export function writePull(out: Outgoing, copy: number, pull: Pull, heardMs: number): void {
  const { opening, lacks } = pull;
  out.varint(copy);
  const goesOn = opening?.goesOn ? PULL_GOES_ON : 0;
  const hasHeard = heardMs > 0 ? PULL_HAS_HEARD : 0;
  out.byte((opening === null ? 0 : PULL_OPENS | goesOn) | (lacks.length > 0 ? PULL_LACKS : 0) | hasHeard);
  for (const value of [pull.epoch, pull.link, pull.number, pull.end, pull.synced, pull.changes, pull.changesSynced])
    out.varint(value);
  if (opening !== null) {
    out.text(pull.incarnation);
    out.varint(opening.committed);
    writeStarts(out, opening.starts);
  }
  if (lacks.length > 0) writeRanges(out, lacks);
  if (heardMs > 0) out.varint(heardMs);
}

/** Null: the copy's conversation did not open on this lane. */
export function readPull(
  cursor: FrameCursor,
  { member, session, incarnations }: PullContext,
): { copy: number; pull: Pull; heardMs: number } | null {
  const copy = cursor.varint();
  const flags = cursor.byte();
  const [epoch, link, number, end] = [cursor.varint(), cursor.varint(), cursor.varint(), cursor.varint()];
  const [synced, changes, changesSynced] = [cursor.varint(), cursor.varint(), cursor.varint()];
  let opening: Opening | null = null;
  if (flags & PULL_OPENS) {
    incarnations.set(copy, cursor.text());
    const committed = cursor.varint();
    opening = { committed, starts: readStarts(cursor), goesOn: (flags & PULL_GOES_ON) !== 0 };
  }
  const lacks = flags & PULL_LACKS ? readRanges(cursor) : [];
  const heardMs = flags & PULL_HAS_HEARD ? cursor.varint() : 0;
  const incarnation = incarnations.get(copy);
  if (incarnation === undefined) return null;
  const at = { incarnation, epoch, member, session, link, number };
  return { copy, pull: { ...at, opening, end, synced, changes, changesSynced, lacks }, heardMs };
}

// -- answers ---------------------------------------------------------------------------------------------------------

export function writeAnswer(out: Outgoing, { copy, answer, entries, sentMs }: Parcel): void {
  const { welcome, origins } = answer;
  out.varint(copy);
  out.byte(
    (welcome === null ? 0 : ANSWER_WELCOMES) |
      (welcome?.image == null ? 0 : ANSWER_HAS_IMAGE) |
      (origins === null ? 0 : ANSWER_HAS_ORIGINS) |
      (answer.isLost ? ANSWER_IS_LOST : 0) |
      (sentMs > 0 ? ANSWER_HAS_TIME : 0),
  );
  for (const value of [answer.epoch, answer.link, answer.number, answer.committed]) out.varint(value);
  for (const value of [answer.filledUpTo, answer.upTo, answer.changesUpTo]) out.varint(value);
  if (welcome !== null) {
    writeStarts(out, welcome.starts);
    out.varint(welcome.end);
    if (welcome.image !== null) writeRanges(out, welcome.image);
  }
  if (origins !== null) writeRows(out, origins);
  if (sentMs > 0) out.varint(sentMs);
  out.varint(answer.marks.length);
  for (const mark of answer.marks) writeChange(out, mark);
  out.varint(answer.changes.length);
  for (const change of answer.changes) writeChange(out, change);
  writeEntries(out, entries);
}

export function readAnswer(cursor: FrameCursor): Parcel {
  const copy = cursor.varint();
  const flags = cursor.byte();
  const [epoch, link, number, committed] = [cursor.varint(), cursor.varint(), cursor.varint(), cursor.varint()];
  const [filledUpTo, upTo, changesUpTo] = [cursor.varint(), cursor.varint(), cursor.varint()];
  let welcome: Welcome | null = null;
  if (flags & ANSWER_WELCOMES) {
    const starts = readStarts(cursor);
    const end = cursor.varint();
    welcome = { starts, end, image: flags & ANSWER_HAS_IMAGE ? readRanges(cursor) : null };
  }
  const origins = flags & ANSWER_HAS_ORIGINS ? readRows(cursor) : null;
  const sentMs = flags & ANSWER_HAS_TIME ? cursor.varint() : 0;
  const marks = list(cursor, () => readChange(cursor) as Mark);
  const changes = list(cursor, () => readChange(cursor));
  const entries = readEntries(cursor);
  const carried = new Ranges();
  for (const { position } of entries) carried.add(position, position);
  const head = { epoch, link, number, committed, welcome, filledUpTo, upTo, entries: [...carried] };
  const answer = { ...head, marks, origins, changes, changesUpTo, isLost: (flags & ANSWER_IS_LOST) !== 0 };
  return { copy, answer, entries, sentMs };
}

// -- what both are made of -------------------------------------------------------------------------------------------

function list<T>(cursor: FrameCursor, read: () => T): T[] {
  const items: T[] = [];
  for (let left = cursor.varint(); left > 0; left--) items.push(read());
  return items;
}

function writeStarts(out: Outgoing, starts: readonly EpochStart[]): void {
  out.varint(starts.length);
  for (const { epoch, first } of starts) {
    out.varint(epoch);
    out.varint(first);
  }
}

function readStarts(cursor: FrameCursor): EpochStart[] {
  return list(cursor, () => ({ epoch: cursor.varint(), first: cursor.varint() }));
}

function writeRanges(out: Outgoing, ranges: readonly Range[]): void {
  out.varint(ranges.length);
  let before = 0;
  for (const { first, last } of ranges) {
    out.varint(first - before);
    out.varint(last - first);
    before = last;
  }
}

function readRanges(cursor: FrameCursor): Range[] {
  let before = 0;
  return list(cursor, () => {
    const first = before + cursor.varint();
    before = first + cursor.varint();
    return { first, last: before };
  });
}

function writeRows(out: Outgoing, rows: readonly OriginRow[]): void {
  out.varint(rows.length);
  for (const { origin, low, held } of rows) {
    out.text(origin);
    out.varint(low);
    writeRanges(out, held);
  }
}

function readRows(cursor: FrameCursor): OriginRow[] {
  return list(cursor, () => ({ origin: cursor.text(), low: cursor.varint(), held: readRanges(cursor) }));
}

function writeChange(out: Outgoing, change: Change): void {
  switch (change.kind) {
    case 'settle':
      out.byte(CHANGE_SETTLE);
      out.varint(change.first);
      out.varint(change.last - change.first);
      return;
    case 'pend':
      out.byte(CHANGE_PEND);
      out.varint(change.position);
      out.byte(reasons.indexOf(change.reason));
      out.varint(change.atMs);
      return;
    case 'returned':
      out.byte(CHANGE_RETURNED);
      out.varint(change.position);
      out.varint(change.count);
      return;
    case 'forget':
      out.byte(CHANGE_FORGET);
      out.text(change.origin);
  }
}

/** Throws where a later version says what this one cannot take part in: a copy that left it out would be another. */
function readChange(cursor: FrameCursor): Change {
  const kind = cursor.byte();
  switch (kind) {
    case CHANGE_SETTLE: {
      const first = cursor.varint();
      return { kind: 'settle', first, last: first + cursor.varint() };
    }
    case CHANGE_PEND: {
      const position = cursor.varint();
      const reason = reasons[cursor.byte()];
      if (reason === undefined) throw new Error('a message is pended for a reason that is not known');
      return { kind: 'pend', position, reason, atMs: cursor.varint() };
    }
    case CHANGE_RETURNED:
      return { kind: 'returned', position: cursor.varint(), count: cursor.varint() };
    case CHANGE_FORGET:
      return { kind: 'forget', origin: cursor.text() };
    default:
      throw new Error(`a change of unknown kind ${kind}`);
  }
}

/** What an entry takes beside its message, about. */
const entryHeadBytes = 16;

/** Each message: distance of its position, bytes, then whose it is: 0 nobody's, 1 somebody who is named now, else one named before. */
function writeEntries(out: Outgoing, entries: readonly ReplicaEntry[]): void {
  out.varint(entries.length);
  out.expect(entries.reduce((sum, { bytes }) => sum + bytes.length + entryHeadBytes, 0));
  const named = new NamedOrigins();
  let before = 0;
  for (const { position, provenance, bytes } of entries) {
    out.varint(position - before);
    before = position;
    if (provenance === null) out.varint(0);
    else writeProvenance(out, provenance, named);
    out.varint(bytes.length);
    out.whole(bytes);
  }
}

/** The origins that an answer has named, by number; most messages in a row come from one. */
class NamedOrigins {
  private readonly numbers = new Map<Origin, number>();
  private last: Origin | null = null;
  private lastNumber = 1;

  /** 1: it was not there, and has the next number from now on. */
  number(origin: Origin): number {
    if (origin === this.last) return this.lastNumber;
    const known = this.numbers.get(origin);
    this.last = origin;
    this.lastNumber = known ?? this.numbers.size + 2;
    this.numbers.set(origin, this.lastNumber);
    return known ?? 1;
  }
}

function writeProvenance(out: Outgoing, { origin, sequence, low }: Provenance, named: NamedOrigins): void {
  const number = named.number(origin);
  out.varint(number);
  if (number === 1) out.text(origin);
  out.varint(sequence);
  out.varint(low);
}

function readEntries(cursor: FrameCursor): ReplicaEntry[] {
  const named: Origin[] = [];
  let position = 0;
  return list(cursor, () => {
    position += cursor.varint();
    const provenance = readProvenance(cursor, named);
    const length = cursor.varint();
    const at = cursor.skip(length);
    return { position, provenance, bytes: cursor.buffer.subarray(at, at + length) };
  });
}

function readProvenance(cursor: FrameCursor, named: Origin[]): Provenance | null {
  const number = cursor.varint();
  if (number === 0) return null;
  if (number === 1) named.push(cursor.text());
  const origin = number === 1 ? named.at(-1)! : named[number - 2];
  if (origin === undefined) throw new Error('a message of an origin that was not named');
  return { origin, sequence: cursor.varint(), low: cursor.varint() };
}
