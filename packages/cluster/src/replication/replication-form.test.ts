import type { ReplicaEntry } from '@chapar/core';
import { Turn } from '@chapar/core';
import { SimWorld } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFrames } from '../peer/batch.js';
import { FrameCursor } from '../peer/frame-cursor.js';
import { Outgoing } from '../peer/outgoing.js';
import type { Change, Mark } from './changes.js';
import type { Answer, Pull } from './exchange.js';
import { Ranges } from './ranges.js';
import { readAnswer, readPull, writeAnswer, writePull } from './replication-form.js';

/** What arrives of what was written. */
function carried<T>(write: (out: Outgoing) => void, read: (cursor: FrameCursor) => T): T {
  const { clock } = new SimWorld(1).machine('10.0.0.1');
  const batches: Buffer[] = [];
  const turn = new Turn(clock);
  const out = new Outgoing(turn, clock);
  out.open({
    open: () => undefined,
    close: () => undefined,
    send: (batch) => {
      batches.push(batch);
      return true;
    },
  });
  out.begin(7);
  write(out);
  turn.flush();
  const cursor = new FrameCursor();
  const found: T[] = [];
  for (const batch of batches) readFrames(batch, cursor, () => found.push(read(cursor)));
  expect([found.length, cursor.isAtEnd]).toEqual([1, true]);
  return found[0]!;
}

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const position = fc.integer({ min: 1, max: 2 ** 40 });
const origin = fc.constantFrom('0b7ffa7d-6ab4-4fb5-8dd4-29c3fa1e2b2b', 'y', 'ü');
const ranges = fc
  .array(fc.tuple(position, fc.integer({ min: 0, max: 5000 })), { maxLength: 8 })
  .map((pairs) => [...Ranges.of(pairs.map(([first, more]) => ({ first, last: first + more })))]);
const starts = fc.array(fc.record({ epoch: whole, first: whole }), { maxLength: 4 });
const reason = fc.constantFrom('rejected' as const, 'expired' as const, 'maxlen' as const, 'delivery_limit' as const);
const mark: fc.Arbitrary<Mark> = fc.oneof(
  fc.record({ kind: fc.constant('pend' as const), position, reason, atMs: whole }),
  fc.record({ kind: fc.constant('returned' as const), position, count: whole }),
);
const change: fc.Arbitrary<Change> = fc.oneof(
  mark,
  fc.tuple(position, fc.nat(99)).map(([first, more]) => ({ kind: 'settle' as const, first, last: first + more })),
  fc.record({ kind: fc.constant('forget' as const), origin }),
);
const rows = fc.array(fc.record({ origin, low: whole, held: ranges }), { maxLength: 3 });
const entry: fc.Arbitrary<ReplicaEntry> = fc.record({
  position,
  provenance: fc.option(fc.record({ origin, sequence: whole, low: whole })),
  bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});
const entries = fc
  .uniqueArray(entry, { maxLength: 12, selector: (each) => each.position })
  .map((all) => all.sort((a, b) => a.position - b.position));
const time = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 42 }));
const link = { epoch: whole, link: whole, number: whole };
const pull: fc.Arbitrary<Pull> = fc.record({
  ...link,
  incarnation: fc.constant('q'),
  member: fc.constant('b'),
  session: fc.constant(17),
  opening: fc.option(fc.record({ starts, committed: whole, goesOn: fc.boolean() })),
  end: whole,
  synced: whole,
  changes: whole,
  changesSynced: whole,
  lacks: ranges,
});
const answer: fc.Arbitrary<Omit<Answer, 'entries'>> = fc.record({
  ...link,
  committed: whole,
  welcome: fc.option(fc.record({ starts, end: whole, image: fc.option(ranges) })),
  filledUpTo: whole,
  upTo: whole,
  marks: fc.array(mark, { maxLength: 5 }),
  origins: fc.option(rows),
  changes: fc.array(change, { maxLength: 5 }),
  changesUpTo: whole,
  isLost: fc.boolean(),
});

describe('pulls and answers arrive as they were sent:', () => {
  it('any pull', () => {
    fc.assert(
      fc.property(pull, whole, time, (sent, copy, heardMs) => {
        // Where the conversation opened before, the queue is known by its number.
        const incarnations = new Map(sent.opening === null ? [[copy, 'q']] : []);
        const context = { member: 'b', session: 17, incarnations };
        const read = carried(
          (out) => writePull(out, copy, sent, heardMs),
          (cursor) => readPull(cursor, context),
        );
        expect(read).toEqual({ copy, pull: sent, heardMs });
      }),
    );
  });

  it('but not a pull of a conversation that opened on another lane', () => {
    const sent = { incarnation: 'q', epoch: 1, member: 'b', session: 2, link: 1, number: 2, opening: null, end: 3 };
    const read = carried(
      (out) => writePull(out, 5, { ...sent, synced: 0, changes: 0, changesSynced: 0, lacks: [] }, 0),
      (cursor) => readPull(cursor, { member: 'b', session: 2, incarnations: new Map() }),
    );
    expect(read).toBeNull();
  });

  it('any answer with its messages', () => {
    fc.assert(
      fc.property(answer, entries, whole, time, (sent, messages, copy, sentMs) => {
        const carries = Ranges.of(messages.map((each) => ({ first: each.position, last: each.position })));
        const parcel = { copy, answer: { ...sent, entries: [...carries] }, entries: messages, sentMs };
        expect(carried((out) => writeAnswer(out, parcel), readAnswer)).toEqual(parcel);
      }),
    );
  });

  it('in few bytes when little happens', () => {
    const sent = { incarnation: 'q', epoch: 3, member: 'b', session: 2, link: 1, number: 9000, opening: null };
    const bytes: number[] = [];
    carried(
      (out) =>
        writePull(
          out,
          400,
          { ...sent, end: 70_000, synced: 70_000, changes: 900, changesSynced: 900, lacks: [] },
          1_800_000_000_000,
        ),
      (cursor) => {
        bytes.push(cursor.end - cursor.at);
        return readPull(cursor, { member: 'b', session: 2, incarnations: new Map([[400, 'q']]) });
      },
    );
    expect(bytes[0]).toBeLessThan(26);
  });
});
