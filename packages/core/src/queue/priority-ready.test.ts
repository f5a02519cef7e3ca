import { describe, expect, it } from 'vitest';
import { ControlledPages } from '../../../../test/support/controlled-pages.js';
import { messageOf, queueAddress } from '../../../../test/support/core-kit.js';
import type { Message } from '../message.js';
import type { RecoveredQueue } from '../ports.js';
import { costBytes, Memory } from './memory.js';
import { PriorityReady, readyMessages } from './priority-ready.js';
import { Ready } from './ready.js';

const address = queueAddress('q');
const message = (priority: number, body = 'x') => messageOf(address, body, { priority });

/** A window that `count` messages fill, half of them in front. */
const windowOf = (count: number) => new Memory(count * costBytes(message(0)), Number.POSITIVE_INFINITY);

class Scene {
  readonly pages = new ControlledPages();
  readonly memory: Memory;
  readonly ready: PriorityReady;
  private position = 0;

  constructor(priorityMax: number, memory: Memory) {
    this.memory = memory;
    this.pages.isHeld = true;
    this.ready = new PriorityReady(priorityMax, memory, (position, each) => this.pages.page(position, each));
  }

  push(...priorities: number[]): void {
    for (const priority of priorities) this.ready.push(++this.position, message(priority));
  }

  /** Reads once. */
  read(bytesMax?: number): void {
    this.ready.read(this.pages, (read) => this.ready.take(read), bytesMax);
    this.pages.answer();
  }

  /** Takes all that waits, reading whenever that is due; positions in the order of going out. */
  drain(): number[] {
    const out: number[] = [];
    while (!this.ready.isEmpty) {
      if (this.ready.isLow) this.read();
      out.push(this.ready.headPosition);
      this.ready.shift();
    }
    return out;
  }

  get inMemory(): number {
    return this.ready.length - this.ready.pagedCount;
  }
}

describe('what waits in a queue', () => {
  it('has priorities where the queue was given some', () => {
    const make = (value: unknown) => readyMessages({ 'x-max-priority': value as number }, windowOf(1), () => undefined);
    for (const value of [undefined, 0]) expect(make(value)).toBeInstanceOf(Ready);
    for (const value of [1, 255]) expect(make(value)).toBeInstanceOf(PriorityReady);
  });
});

describe('what waits with priorities', () => {
  it('goes out by priority and within one in the order of coming; none is 0, and too high is the highest', () => {
    const scene = new Scene(5, windowOf(100));
    scene.push(1, 1, 5, 0, 9, -1, 3, 255, 1);
    expect(scene.ready.length).toBe(9);
    expect(scene.drain()).toEqual([3, 5, 8, 7, 1, 2, 9, 4, 6]);
    expect([scene.ready.length, scene.ready.bytes, scene.memory.usedBytes]).toEqual([0, 0, 0]);
  });

  it('that is given back stands in its place within its priority, and is redelivered', () => {
    const { ready } = new Scene(5, windowOf(100));
    const [a, b, c] = [message(1), message(1), message(5)];
    for (const [i, each] of [a, b, c].entries()) ready.push(i + 1, each);
    for (const each of [c, a, b]) expect(ready.shift()).toBe(each);
    expect([ready.isEmpty, ready.headPosition, ready.hasHead]).toEqual([true, 0, false]);
    ready.push(4, message(5));
    ready.giveBack(2, b);
    ready.giveBack(3, c);
    ready.push(5, message(1));
    ready.giveBack(1, a);
    const out: [number, boolean][] = [];
    while (!ready.isEmpty) {
      out.push([ready.headPosition, ready.headRedelivered]);
      expect(ready.head).toBe(ready.shift());
    }
    expect(out).toEqual([
      [3, true],
      [4, false],
      [1, true],
      [2, true],
      [5, false],
    ]);
  });

  it('keeps a window in memory, of all levels together, and the rest is read back in order', () => {
    const scene = new Scene(255, windowOf(20));
    // Every level has some.
    for (let round = 0; round < 4; round++) for (let priority = 0; priority < 256; priority++) scene.push(priority);
    expect(scene.ready.length).toBe(1024);
    // A message in the front may be one too many.
    expect(scene.inMemory).toBeLessThanOrEqual(21);
    expect(scene.memory.usedBytes).toBeLessThanOrEqual(21 * costBytes(message(0)));
    expect(scene.pages.paged.size).toBe(scene.ready.pagedCount);
    const expected: number[] = [];
    for (let priority = 255; priority >= 0; priority--)
      for (let round = 0; round < 4; round++) expected.push(round * 256 + priority + 1);
    expect(scene.drain()).toEqual(expected);
    expect([scene.ready.pagedCount, scene.ready.bytes, scene.memory.usedBytes, scene.pages.paged.size]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it('pages the lowest levels first, and leaves a higher one the memory that they had', () => {
    const scene = new Scene(2, windowOf(8));
    scene.push(...new Array<number>(8).fill(0));
    const before = scene.ready.pagedCount;
    scene.push(1, 2, 1, 2);
    // What is important stays; what is not gave way.
    expect(scene.ready.pagedCount).toBeGreaterThan(before);
    expect([...scene.pages.paged.values()].map(({ priority }) => priority)).toEqual(
      new Array<number>(scene.ready.pagedCount).fill(0),
    );
    expect([scene.ready.hasHead, scene.ready.headPosition]).toEqual([true, 10]);
    expect(scene.drain()).toEqual([10, 12, 9, 11, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('takes what was read into its place, also when a higher priority came meanwhile', () => {
    const scene = new Scene(1, windowOf(4));
    scene.push(...new Array<number>(12).fill(0));
    while (scene.ready.hasHead) scene.ready.shift();
    const next = scene.ready.headPosition;
    scene.ready.read(scene.pages, (read) => scene.ready.take(read));
    scene.push(1, 0, 1);
    expect([scene.ready.hasHead, scene.ready.headPosition]).toEqual([true, 13]);
    scene.pages.answer();
    const older = Array.from({ length: 12 - next + 1 }, (_, i) => next + i);
    expect(scene.drain()).toEqual([13, 15, ...older, 14]);
  });

  it('reads as little as it is asked to', () => {
    const scene = new Scene(1, windowOf(4));
    scene.push(...new Array<number>(12).fill(1));
    while (scene.ready.hasHead) scene.ready.shift();
    const waiting = scene.ready.pagedCount;
    scene.read(1);
    expect([scene.ready.hasHead, scene.ready.pagedCount]).toEqual([true, waiting - 1]);
  });

  it('goes on past what cannot be read, which waits for a purge', () => {
    const scene = new Scene(1, windowOf(4));
    scene.push(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
    const [broken] = [...scene.pages.paged.keys()];
    scene.pages.broken.add(broken!);
    const out = scene.drain();
    expect(out).toHaveLength(13);
    expect(out).not.toContain(broken);
    expect([scene.ready.length, scene.ready.isEmpty, scene.ready.bytes]).toEqual([1, true, 1]);
    const forgotten: number[][] = [];
    scene.ready.forgetPaged((...range) => forgotten.push(range));
    expect(forgotten).toEqual([[broken, broken]]);
    expect([scene.ready.length, scene.ready.bytes]).toEqual([0, 0]);
  });

  it('names what is on disk in as few ranges as there are, and nothing between them', () => {
    const scene = new Scene(9, windowOf(0));
    scene.push(1, 2, 3, 3, 2, 1, 5);
    expect(scene.ready.pagedCount).toBeGreaterThan(3);
    const inMemory = new Set([1, 2, 3, 4, 5, 6, 7].filter((position) => !scene.pages.paged.has(position)));
    const forgotten: number[][] = [];
    scene.ready.forgetPaged((...range) => forgotten.push(range));
    for (const [first, last] of forgotten)
      for (let position = first!; position <= last!; position++) expect(inMemory.has(position)).toBe(false);
    expect(forgotten.length).toBeLessThanOrEqual(inMemory.size + 1);
    expect(scene.drain().length).toBe(inMemory.size);
  });
});

describe('what waits with priorities after a restart', () => {
  const found = (more: Partial<RecoveredQueue>, messages: readonly (readonly [number, Message])[]): RecoveredQueue => ({
    incarnation: 'i',
    count: messages.length,
    bytes: messages.reduce((sum, [, { bodyBytes }]) => sum + bodyBytes, 0),
    first: messages[0]![0],
    last: messages[messages.length - 1]![0],
    deliveredUpTo: Number.POSITIVE_INFINITY,
    deliveredByLevel: [],
    mayExpire: false,
    pending: [],
    returns: [],
    visit: (visitor) => {
      for (const [position, { priority, bodyBytes }] of messages) visitor(position, Math.max(priority, 0), bodyBytes);
    },
    ...more,
  });
  const three = [
    [2, message(0, 'a')],
    [5, message(9, 'bb')],
    [6, message(1, 'ccc')],
  ] as const;

  function recovered(more: Partial<RecoveredQueue>): { out: [number, boolean][]; ready: PriorityReady } {
    const pages = new ControlledPages(new Map(three));
    pages.isHeld = true;
    const ready = new PriorityReady(2, windowOf(100));
    ready.recover(found(more, three));
    ready.push(7, message(2));
    const out: [number, boolean][] = [];
    while (!ready.isEmpty) {
      if (ready.isLow) {
        ready.read(pages, (read) => ready.take(read));
        pages.answer();
      }
      out.push([ready.headPosition, ready.headRedelivered]);
      ready.shift();
    }
    return { out, ready };
  }

  it('is found in order, all of it perhaps delivered after a crash', () => {
    const { out, ready } = recovered({});
    expect(out).toEqual([
      [5, true],
      [7, false],
      [6, true],
      [2, true],
    ]);
    expect([ready.length, ready.bytes, ready.pagedBytes]).toEqual([0, 0, 0]);
  });

  it('after a clean stop only what was delivered is redelivered, level by level', () => {
    expect(recovered({ deliveredUpTo: 5, deliveredByLevel: [0, 4, 5] }).out).toEqual([
      [5, true],
      [7, false],
      [6, false],
      [2, false],
    ]);
    expect(recovered({ deliveredUpTo: 6, deliveredByLevel: [1, 6, 6] }).out).toEqual([
      [5, true],
      [7, false],
      [6, true],
      [2, false],
    ]);
  });

  it('leaves alone what is in the outbox', () => {
    const { out, ready } = recovered({ pending: [{ position: 6, reason: 'expired', atMs: 1 }] });
    expect(out.map(([position]) => position)).toEqual([5, 7, 2]);
    expect([ready.length, ready.bytes, ready.pagedCount, ready.pagedBytes]).toEqual([0, 0, 0, 0]);
  });
});
