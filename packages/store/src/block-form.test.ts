import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockPositions, GENERATION_WORD, HEAD_WORD, headWord, OFFSET_WORD, slotWords } from './block.js';
import { blockFormBytesMax, readBlockForm, writeBlockForm } from './block-form.js';

const emptySlots = () => new Uint32Array(slotWords * blockPositions);

interface Slot {
  readonly length: number;
  readonly generation: number;
  readonly offset: number;
  readonly head: number;
  readonly priority?: number;
}

function slotsOf(entries: ReadonlyMap<number, Slot>): Uint32Array {
  const slots = emptySlots();
  for (const [i, { length, generation, offset, head, priority }] of entries) {
    slots[slotWords * i] = length;
    slots[slotWords * i + GENERATION_WORD] = generation;
    slots[slotWords * i + OFFSET_WORD] = offset;
    slots[slotWords * i + HEAD_WORD] = headWord(head, priority ?? 0);
  }
  return slots;
}

function formOf(slots: Uint32Array): Uint8Array {
  const out = new Uint8Array(blockFormBytesMax);
  return out.slice(0, writeBlockForm(slots, out, 0));
}

function expectRoundTrip(entries: ReadonlyMap<number, Slot>): Uint8Array {
  const slots = slotsOf(entries);
  const form = formOf(slots);
  const read = emptySlots();
  expect(readBlockForm(form, 0, form.length, read)).toBe(entries.size);
  expect(read).toEqual(slots);
  return form;
}

/** Entries one behind another; a group header of 40 bytes before every so manieth. */
function backlog(group: number, bodyOf: (i: number) => number): Map<number, Slot> {
  const entries = new Map<number, Slot>();
  let offset = 76;
  for (let i = 0; i < blockPositions; i++) {
    if (i % group === 0) offset += 40;
    const body = bodyOf(i);
    entries.set(i, { length: body + 50, generation: 3, offset, head: 50 });
    offset += body + 50;
  }
  return entries;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const slot = fc
  .record({
    length: fc.integer({ min: 9, max: 0xffff_ffff }),
    generation: u32,
    offset: u32,
    share: fc.nat(1000),
    priority: fc.nat(255),
  })
  .map(({ length, share, ...rest }) => ({
    ...rest,
    length,
    head: Math.min(0xff_ffff, Math.floor((length * share) / 1000)),
  }));

describe('the short form of a block', () => {
  it('takes next to nothing for messages of one size', () => {
    expect(expectRoundTrip(backlog(1_000, () => 16)).length).toBeLessThan(12);
    expect(expectRoundTrip(backlog(10, () => 1024)).length).toBeLessThan(40);
  });

  it('takes three bytes a message where sizes vary', () => {
    const form = expectRoundTrip(backlog(20, (i) => 200 + ((i * 37) % 900)));
    expect(form.length).toBeLessThan(3 * blockPositions + 20);
  });

  it('holds nothing, holes, and entries that do not stand in order', () => {
    expect(expectRoundTrip(new Map()).length).toBe(0);
    const place = { length: 60, generation: 1, offset: 76, head: 50 };
    expectRoundTrip(new Map([[63, place]]));
    expectRoundTrip(
      new Map([
        [0, { ...place, offset: 0xffff_0000, generation: 0xffff_ffff }],
        [1, { ...place, offset: 100 }],
        [2, { ...place, offset: 100 }],
        [5, { ...place, offset: 40, generation: 9 }],
      ]),
    );
  });

  it('comes back as it was, whatever was in it', () => {
    const entries = fc.array(fc.tuple(fc.nat(blockPositions - 1), slot)).map((pairs) => new Map(pairs));
    fc.assert(fc.property(entries, (map) => void expectRoundTrip(new Map([...map].sort(([a], [b]) => a - b)))));
    const full = fc.array(slot, { minLength: blockPositions, maxLength: blockPositions });
    fc.assert(fc.property(full, (slots) => void expectRoundTrip(new Map(slots.entries()))));
  });

  it('is refused, or is another block, when bytes of it are wrong; never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const slots = emptySlots();
        try {
          const live = readBlockForm(bytes, 0, bytes.length, slots);
          expect(live).toBeGreaterThanOrEqual(-1);
          expect(live).toBeLessThanOrEqual(blockPositions);
        } catch (error) {
          expect((error as Error).name).toBe('CursorError');
        }
      }),
    );
  });
});
