import { describe, expect, it } from 'vitest';
import { KeptSettlements } from './kept-settlements.js';
import type { RemoteConsumer } from './remote-consumer.js';

const consumer = {} as RemoteConsumer;

function asked(kept: KeptSettlements, heard: (boolean | null)[]): void {
  const at = heard.push(null) - 1;
  kept.whenForGood((isSure) => {
    heard[at] = isSure;
  });
}

describe('settlements that are kept until they are for good', () => {
  it('are sure on the line that they were said on', () => {
    const kept = new KeptSettlements();
    const heard: (boolean | null)[] = [];
    asked(kept, heard);
    kept.add(consumer, 'accept', 1);
    asked(kept, heard);
    kept.take();
    kept.add(consumer, 'accept', 2);
    asked(kept, heard);
    kept.forGood(1);
    expect(heard).toEqual([true, true, null]);
    kept.take();
    kept.forGood(2);
    expect(heard).toEqual([true, true, true]);
  });

  it('are not sure when another line has begun: its leader may have given out again what they are about', () => {
    const kept = new KeptSettlements();
    const heard: (boolean | null)[] = [];
    kept.add(consumer, 'accept', 1);
    kept.take();
    asked(kept, heard);
    kept.renew();
    kept.take();
    kept.add(consumer, 'accept', 7);
    asked(kept, heard);
    kept.take();
    kept.forGood(2);
    expect(heard).toEqual([false, true]);
    kept.renew();
    asked(kept, heard);
    expect(heard).toEqual([false, true, true]);
  });
});
