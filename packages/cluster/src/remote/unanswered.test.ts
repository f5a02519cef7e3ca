import type { ConfirmSlot } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../../test/support/memory-replicas.js';
import { KeptPublishes } from './kept-publishes.js';
import { PublishLine } from './publish-stream.js';

const body = Buffer.from(JSON.stringify(['q', 'x']));

function slots(told: string[]): (name: string) => ConfirmSlot {
  return (name) => ({
    committed: () => told.push(`${name} committed`),
    refused: (why) => told.push(`${name} ${why}`),
  });
}

describe('publishes without a verdict', () => {
  it('are told once, and sent again until then unless they were refused', () => {
    const told: string[] = [];
    const slot = slots(told);
    let bytes = 0;
    const kept = new KeptPublishes((more) => {
      bytes += more;
    });
    const letter = { origin: 'letters/s', sequence: 9, low: 3 };
    for (const name of ['a', 'b', 'c']) kept.push(messageOf(body), name === 'b' ? null : slot(name));
    expect(kept.push(messageOf(body), slot('d'), letter)).toBe(4);
    const open = () => [...kept.all()].map(([sequence, , isAwaited, from]) => [sequence, isAwaited, from?.sequence]);
    expect(open()).toEqual([
      [1, true, undefined],
      [2, false, undefined],
      [3, true, undefined],
      [4, true, 9],
    ]);
    for (let twice = 0; twice < 2; twice++) kept.refused(3, 'queue-full');
    kept.settled(2);
    kept.settled(1);
    expect(open()).toEqual([[4, true, 9]]);
    kept.settled(3);
    kept.refused(3, 'queue-full');
    kept.refused(5, 'queue-full');
    expect([kept.known, kept.count, told]).toEqual([3, 1, ['c queue-full', 'a committed']]);
    kept.giveUp('node-down');
    expect([open(), kept.known, bytes, told.at(-1)]).toEqual([[], 4, 0, 'd node-down']);
    // Numbers go on, and nothing of the letter is left.
    kept.push(messageOf(body), null);
    expect(open()).toEqual([[5, false, undefined]]);
  });

  it('let go of their frame when all in it have theirs', () => {
    const told: string[] = [];
    const slot = slots(told);
    const line = new PublishLine(1);
    const parcel = { frame: null, left: 0 };
    for (let i = 1; i <= 3000; i++) line.push(slot(`${i}`), parcel);
    line.refused(2, 'queue-full');
    line.settled(2990);
    expect([parcel.left, line.count, told.length, line.known]).toEqual([10, 10, 2990, 2990]);
    line.giveUp(null);
    expect([parcel.left, line.count, told.at(-1)]).toEqual([0, 0, '3000 committed']);
    line.renew();
    line.push(slot('again'), parcel);
    line.settled(1);
    expect([parcel.left, told.at(-1)]).toEqual([0, 'again committed']);
  });
});
