import { describe, expect, test } from 'vitest';
import type { Delivered, Entry } from './entry.js';
import { judge } from './verdict.js';

let t = 0;
const published = (id: number, more: { p?: string; s?: number; q?: string | null } = {}): Entry => {
  return { t: ++t, e: 'published', p: 'p', s: 1, q: 'q', ...more, id };
};
const sentAgain = (id: number) => published(id, { s: 2 });
const fate = (e: 'confirmed' | 'nacked' | 'returned', id: number, p = 'p'): Entry => ({ t: ++t, e, p, id });
const confirmed = (id: number) => fate('confirmed', id);
const delivered = (id: number, more: Partial<Delivered> = {}): Entry => {
  return { t: ++t, e: 'delivered', c: 'c', s: 1, q: 'q', p: 'p', ps: 1, r: false, ok: true, ...more, id };
};
const acked = (id: number, s = 1): Entry => ({ t: ++t, e: 'acked', c: 'c', s, p: 'p', id });

/** Kinds of faults. */
function kinds(...ledgers: Entry[][]): string[] {
  return judge(ledgers).faults.map((text) => text.split(':')[0]!);
}

const three = [1, 2, 3].flatMap((id) => [published(id), confirmed(id)]);

describe('a broker that keeps its word', () => {
  test('everything confirmed comes once, in order', () => {
    const verdict = judge([three, [1, 2, 3].flatMap((id) => [delivered(id), acked(id)])]);
    expect(verdict.faults).toEqual([]);
    expect(verdict.counts).toMatchObject({ published: 3, confirmed: 3, delivered: 3, acked: 3, unknown: 0 });
  });

  test('comes again with the flag, also out of order and to somebody else', () => {
    const again = [delivered(1), delivered(2), delivered(1, { r: true, s: 2 }), delivered(3, { s: 2 })];
    expect(kinds(three, again, [delivered(2, { c: 'other', r: true })])).toEqual([]);
  });

  test('what was never confirmed may be lost, doubled or nacked and come all the same', () => {
    const ledger = [published(1), published(2), published(3), fate('nacked', 3), published(4), fate('nacked', 4)];
    const verdict = judge([ledger, [delivered(2), delivered(2, { c: 'other' }), delivered(3)]]);
    expect(verdict.faults).toEqual([]);
    expect(verdict.counts).toMatchObject({ unknown: 2, nacked: 2, doubledUnconfirmed: 1 });
  });

  test('the connections of a publisher may overtake each other', () => {
    const ledger = [published(1), confirmed(1), published(2, { s: 2 }), confirmed(2)];
    expect(kinds(ledger, [delivered(2, { ps: 2 }), delivered(1)])).toEqual([]);
  });

  test('what is sent again comes once for each copy, behind what was sent before', () => {
    const ledger = [published(1), published(2), published(3), sentAgain(1), confirmed(1), sentAgain(2), confirmed(2)];
    const came = [delivered(1), delivered(2), delivered(1, { ps: 2 }), delivered(2, { ps: 2 })];
    const { faults, counts } = judge([ledger, came]);
    expect(faults).toEqual([]);
    expect(counts).toMatchObject({ published: 5, again: 2, confirmed: 2, unknown: 3, delivered: 4 });
    // The first copies were never confirmed.
    expect(kinds(ledger, came.slice(2))).toEqual([]);
  });

  test('priorities overtake each other', () => {
    const came = [delivered(2), delivered(1), delivered(3)];
    expect(judge([three, came], { priorities: { q: 2 } }).faults).toEqual([]);
    expect(judge([three, came], { priorities: { other: 2 } }).faults).toHaveLength(1);
  });

  test('consumers may share a queue', () => {
    expect(kinds(three, [delivered(2)], [delivered(1, { c: 'other' }), delivered(3, { c: 'other' })])).toEqual([]);
  });

  test('returns what nobody gets, before the confirm', () => {
    const unroutable = [published(1, { q: null }), fate('returned', 1), confirmed(1)];
    expect(kinds(unroutable)).toEqual([]);
    // Its fate is not known: the connection ended.
    expect(kinds([published(1, { q: null })])).toEqual([]);
  });

  test('a queue whose only disk is gone owes nothing', () => {
    const returned = [published(4), fate('returned', 4), confirmed(4)];
    expect(judge([[...three, ...returned]], { lostQueues: ['q'] }).faults).toEqual([]);
  });
});

describe('a broker that does not is found out', () => {
  test.each<[string, string[], Entry[][]]>([
    ['a confirmed message lost', ['lost'], [three, [delivered(1), delivered(3)]]],
    ['a message from nowhere', ['from nowhere'], [three.slice(0, 2), [delivered(1), delivered(7)]]],
    ['one of a publisher that there is not', ['from nowhere'], [[], [delivered(1)]]],
    ['a fate of what was never published', ['from nowhere'], [[confirmed(1)]]],
    ['twice without the flag', ['twice'], [three, [1, 2, 2, 3].map((id) => delivered(id))]],
    [
      'twice, to two consumers',
      ['twice'],
      [three, [1, 2, 3].map((id) => delivered(id)), [delivered(2, { c: 'other' })]],
    ],
    [
      'settled, and back without the flag',
      ['twice', 'order'],
      [three, [1, 2, 3, 1].flatMap((id) => [delivered(id), acked(id)])],
    ],
    ['out of order', ['order'], [three, [1, 3, 2].map((id) => delivered(id))]],
    ['out of order behind a flagged one', ['order'], [three, [delivered(1), delivered(3, { r: true }), delivered(2)]]],
    [
      'out of order over two connections of the consumer',
      ['order'],
      [three, [delivered(1), delivered(3), delivered(2, { s: 2 })]],
    ],
    ['another queue', ['wrong queue'], [three.slice(0, 2), [delivered(1, { q: 'other' })]]],
    ['another body', ['changed'], [three.slice(0, 2), [delivered(1, { ok: false })]]],
    ['the copy that was confirmed lost', ['lost'], [[published(1), sentAgain(1), confirmed(1)], [delivered(1)]]],
    [
      'the copy that was confirmed twice',
      ['twice'],
      [
        [published(1), sentAgain(1), confirmed(1)],
        [delivered(1, { ps: 2 }), delivered(1, { ps: 2 })],
      ],
    ],
    [
      'copies of one connection out of order',
      ['order'],
      [[published(1), published(2), sentAgain(1), sentAgain(2)], [2, 1].map((id) => delivered(id, { ps: 2 }))],
    ],
    ['another connection', ['wrong connection'], [three.slice(0, 2), [delivered(1, { ps: 2 })]]],
    ['confirmed twice', ['two fates'], [[...three, confirmed(3)], [1, 2, 3].map((id) => delivered(id))]],
    ['confirmed and nacked', ['two fates'], [[published(1), confirmed(1), fate('nacked', 1)], [delivered(1)]]],
    ['dropped and confirmed', ['dropped'], [[published(1, { q: null }), confirmed(1)]]],
    ['returned after the confirm', ['returned late'], [[published(1, { q: null }), confirmed(1), fate('returned', 1)]]],
    [
      'returned twice',
      ['returned twice'],
      [[published(1, { q: null }), fate('returned', 1), fate('returned', 1), confirmed(1)]],
    ],
    ['returned, and there is a queue', ['returned'], [[published(1), fate('returned', 1), confirmed(1)]]],
    [
      'returned and delivered',
      ['returned', 'returned and delivered'],
      [[published(1), fate('returned', 1), confirmed(1)], [delivered(1)]],
    ],
    ['a client that numbers downwards', ['the client is wrong', 'lost'], [[published(2), confirmed(2), published(1)]]],
    ['a client that acks what it has not', ['the client is wrong'], [three.slice(0, 2), [delivered(1), acked(2)]]],
  ])('%s', (_, expected, ledgers) => {
    expect(kinds(...ledgers).toSorted()).toEqual(expected.toSorted());
  });

  test('a client that sends again what has its verdict is', () => {
    expect(
      kinds(
        [...three, sentAgain(3)],
        [1, 2, 3].map((id) => delivered(id)),
      ),
    ).toEqual(['the client is wrong']);
    expect(kinds([published(1), published(1)])).toEqual(['the client is wrong', 'the client is wrong']);
  });

  test('out of order within a priority', () => {
    const ledger = [1, 2, 3, 4].flatMap((id) => [published(id), confirmed(id)]);
    const { faults, suspects } = judge([ledger, [2, 4, 3, 1].map((id) => delivered(id))], { priorities: { q: 2 } });
    expect(faults).toHaveLength(1);
    expect(suspects).toEqual([{ p: 'p', id: 1 }]);
  });

  test('thousands of a kind are told in a few lines', () => {
    const ledger = Array.from({ length: 1000 }, (_, i) => [published(i + 1), confirmed(i + 1)]).flat();
    const { faults } = judge([ledger]);
    expect(faults).toHaveLength(6);
    expect(faults[5]).toBe('and 995 more: lost');
  });
});
