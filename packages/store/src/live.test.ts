import { type DiskFile, SimRandom } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { Generation, Generations } from './generation.js';
import { LiveEntries } from './live.js';

const file = { path: '' } as DiskFile;
let generations: Generations;
let first: Generation;
let second: Generation;
let live: LiveEntries;

function beforeEachRound(): void {
  generations = new Generations();
  first = new Generation(1, 'first', file, 0);
  second = new Generation(2, 'second', file, 0);
  generations.add(first);
  generations.add(second);
  live = new LiveEntries(generations);
}

beforeEach(beforeEachRound);

describe('live entries', () => {
  it('know the live bytes of every file', () => {
    for (let position = 1; position <= 1_000; position++)
      live.add(position, 10, 4, 0, position <= 400 ? first : second, 0);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount]).toEqual([4_000, 400, 6_000, 600]);
    expect(live.remove(301, 500)).toBe(200);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount]).toEqual([3_000, 300, 5_000, 500]);
    expect(live.remove(301, 500)).toBe(0);
    expect(live.count).toBe(800);
    live.clear();
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount, live.count]).toEqual([0, 0, 0, 0, 0]);
  });

  it('move with a copy', () => {
    live.add(7, 10, 4, 0, first, 0);
    expect(live.generationOf(7)).toBe(1);
    live.add(7, 12, 5, 0, second, 0);
    expect(live.generationOf(7)).toBe(2);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount, live.count]).toEqual([
      0, 0, 12, 1, 1,
    ]);
  });

  it('take ranges far wider than what lives in them, and far positions', () => {
    const far = 2 ** 52;
    for (const position of [1, 127, 128, 129, 5_000_000, far]) live.add(position, 1, 0, 0, first, 0);
    expect(live.generationOf(far)).toBe(1);
    expect(live.generationOf(far - 1)).toBe(0);
    expect(live.remove(2, far - 1)).toBe(4);
    expect(live.remove(0, Number.POSITIVE_INFINITY)).toBe(2);
    expect(live.count).toBe(0);
  });

  it('start clean in blocks that were used before', () => {
    for (let round = 0; round < 3; round++) {
      for (let position = 1; position <= 300; position++) live.add(position, 5, 1, 0, first, 0);
      expect(live.remove(1, 300)).toBe(300);
      expect(live.generationOf(150)).toBe(0);
    }
    const another = new LiveEntries(generations);
    another.add(3, 1, 0, 0, second, 0);
    expect([another.generationOf(2), another.generationOf(3), another.generationOf(4)]).toEqual([0, 2, 0]);
  });

  it('forget a file that is lost', () => {
    for (let position = 1; position <= 300; position++)
      live.add(position, 5, 1, 0, position % 2 === 0 ? first : second, 0);
    expect(live.forget(1)).toBe(150);
    expect([first.liveCount, second.liveCount, live.count]).toEqual([0, 150, 150]);
  });
});

describe('a long backlog of live entries', () => {
  /** What is said in plain words beside what the entries say. */
  class Plain {
    readonly places = new Map<number, { bytes: number; body: number; generation: number; offset: number }>();

    expectSame(): void {
      expect(live.count).toBe(this.places.size);
      const all = [...this.places.values()];
      expect(live.bodyBytes).toBe(all.reduce((sum, { body }) => sum + body, 0));
      for (const file of [first, second]) {
        const inFile = all.filter(({ generation }) => generation === file.number);
        expect(file.liveCount).toBe(inFile.length);
        expect(file.liveBytes).toBe(inFile.reduce((sum, { bytes }) => sum + bytes, 0));
      }
      const positions = [...this.places.keys()];
      expect(live.edges).toEqual(all.length === 0 ? [0, 0] : [Math.min(...positions), Math.max(...positions)]);
    }

    expectPlaces(from: number, to: number): void {
      const { places } = live.places(from, to, Number.POSITIVE_INFINITY);
      const expected = [...this.places]
        .filter(([position]) => position >= from && position <= to)
        .sort(([a], [b]) => a - b)
        .map(([position, { bytes, generation, offset }]) => ({ position, bytes, generation, offset }));
      expect(places).toEqual(expected);
    }
  }

  it('is the same as a plain list, whatever is settled, read and moved in it', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SimRandom(seed);
      beforeEachRound();
      const plain = new Plain();
      let next = 1;
      let offset = 0;
      for (let step = 0; step < 200; step++) {
        const choice = random.integer(10);
        if (choice < 5) {
          for (let i = random.integer(400); i > 0; i--) {
            const body = random.integer(3) === 0 ? random.integer(1000) : 16;
            const file = random.integer(50) === 0 ? second : first;
            live.add(next, body + 40, body, 7, file, offset);
            plain.places.set(next, { bytes: body + 40, body, generation: file.number, offset });
            offset += body + 40;
            next += 1 + (random.integer(8) === 0 ? 1 : 0);
          }
        } else if (choice < 8) {
          const from = 1 + random.integer(next);
          const to = from + (choice === 7 ? random.integer(2_000) : random.integer(3));
          const lived = [...plain.places.keys()].filter((position) => position >= from && position <= to);
          expect(live.remove(from, to)).toBe(lived.length);
          for (const position of lived) plain.places.delete(position);
        } else if (choice === 8) {
          const from = 1 + random.integer(next);
          plain.expectPlaces(from, from + random.integer(500));
        } else {
          const moved = [...plain.places.keys()].slice(random.integer(plain.places.size + 1)).slice(0, 30);
          for (const position of moved) {
            const { bytes, body } = plain.places.get(position)!;
            live.add(position, bytes, body, 7, second, offset);
            plain.places.set(position, { bytes, body, generation: 2, offset });
            offset += bytes;
          }
        }
      }
      plain.expectSame();
      plain.expectPlaces(0, next);
      expect(live.forget(2)).toBe([...plain.places.values()].filter(({ generation }) => generation === 2).length);
      for (const [position, { generation }] of [...plain.places]) if (generation === 2) plain.places.delete(position);
      plain.expectSame();
      live.clear();
      plain.places.clear();
      plain.expectSame();
    }
  });

  it('costs little memory, also when a few of every thousand messages stay', () => {
    for (let position = 1; position <= 200_000; position++) live.add(position, 60, 16, 0, first, position * 60);
    expect(live.memoryBytes / live.count).toBeLessThan(2);
    for (let position = 1; position <= 200_000; position++) if (position % 1_000 !== 0) live.remove(position, position);
    expect(live.count).toBe(200);
    expect(live.memoryBytes).toBeLessThan(200_000);
    live.clear();
    expect(live.memoryBytes).toBeLessThan(70_000);
  });
});
