import type { MirroringWish, Queue } from '@chapar/core';
import { SimClock, SimLog, SimScheduler } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { Converting } from './converting.js';

let clock: SimClock;
let converting: Converting;
let isEveryoneThere: boolean;
/** When each attempt was made. Milliseconds. */
let convertedMs: number[];

const queue = {
  name: 'orders',
  incarnation: 'q-1',
  properties: { vhost: '/' },
  deleted: false,
  succession: {
    prepare: (done: () => void) => {
      done();
      return true;
    },
  },
} as unknown as Queue;

beforeEach(() => {
  clock = new SimClock(new SimScheduler());
  isEveryoneThere = true;
  convertedMs = [];
  const startMs = clock.monotonicMs();
  const node = {
    *unmirrored(): Iterable<readonly [Queue, MirroringWish]> {
      if (convertedMs.length === 0) yield [queue, {} as MirroringWish];
    },
    mayConvert: true,
    isEveryoneThere: async () => isEveryoneThere,
    convert: async () => void convertedMs.push(clock.monotonicMs() - startMs),
    isLed: () => true,
  };
  converting = new Converting(node, { clock, log: new SimLog() });
});

describe('a queue that is to be mirrored in place', () => {
  it('is so at the next look while all nodes are there', async () => {
    await clock.advance(600);
    expect(convertedMs).toEqual([500]);
  });

  it('waits while a node is out of reach or behind, which would hold it up', async () => {
    isEveryoneThere = false;
    await clock.advance(9_700);
    expect(convertedMs).toEqual([]);
    isEveryoneThere = true;
    await clock.advance(500);
    expect(convertedMs).toEqual([10_000]);
  });

  it('waits no longer than half a minute', async () => {
    isEveryoneThere = false;
    await clock.advance(30_400);
    expect(convertedMs).toEqual([]);
    await clock.advance(200);
    expect(convertedMs).toEqual([30_500]);
    converting.close();
  });
});
