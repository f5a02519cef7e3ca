import { describe, expect, it } from 'vitest';
import { Ranges } from './ranges.js';
import { SettledEdge } from './settled-edge.js';

describe('up to where nothing of a log will die any more', () => {
  it('is told when what made it so is for good, and not before', () => {
    const live = new Ranges();
    live.add(1, 10);
    const edge = new SettledEdge({ liveIn: (first, last) => [...live.within(first, last)] });
    expect(edge.look(0, 0, 10)).toBe(0);
    live.remove(1, 4);
    live.remove(6, 6);
    // Settled under the first mark.
    expect([edge.look(1, 0, 10), edge.look(1, 0, 10)]).toEqual([0, 0]);
    live.remove(5, 5);
    expect(edge.look(2, 1, 10)).toBe(4);
    expect([edge.look(3, 1, 10), edge.look(3, 2, 10)]).toEqual([4, 6]);
  });

  it('goes on in strides, and never beyond what is committed', () => {
    const live = new Ranges();
    live.add(900, 900);
    const edge = new SettledEdge({ liveIn: (first, last) => [...live.within(first, last)] });
    const looks = Array.from({ length: 6 }, () => edge.look(1, 1, 890));
    expect(looks).toEqual([0, 256, 512, 768, 890, 890]);
    expect([edge.look(1, 1, 1000), edge.look(1, 1, 1000)]).toEqual([890, 899]);
  });
});
