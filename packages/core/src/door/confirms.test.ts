import { createSimPlatform } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Turn } from '../turn.js';
import { type ConfirmSink, Confirms, type PublishTag } from './confirms.js';
import { PublishSlot } from './publish-slot.js';

function setUp() {
  const { clock } = createSimPlatform(1);
  const calls: string[] = [];
  const sink: ConfirmSink = {
    confirmed: (upTo, newest) => calls.push(`up to ${upTo}, newest ${newest}`),
    confirmedAlone: (tag) => calls.push(`alone ${tag}`),
    refused: (tag, why) => calls.push(`refused ${tag} ${why}`),
    returned: () => calls.push('returned'),
  };
  const confirms = new Confirms(new Turn(clock), sink);
  const publish = (count: number) => {
    for (let i = 0; i < count; i++) confirms.await(confirms.begin());
  };
  const end = () => {
    clock.scheduler.runUntilIdleSync();
    return calls.splice(0);
  };
  return { confirms, publish, end, calls };
}

/** A client that hands verdicts to its program in the order of tags, keeping those that come early, as amqp091-go does. */
class OrderedClient {
  readonly results = new Map<PublishTag, 'confirmed' | 'refused'>();
  private readonly early = new Map<PublishTag, 'confirmed' | 'refused'>();
  private expecting: PublishTag = 1;

  one(tag: PublishTag, what: 'confirmed' | 'refused'): void {
    this.early.set(tag, what);
    this.resequence();
  }

  /** It takes all that it still expects for confirmed, also what it was told otherwise early. */
  multiple(upTo: PublishTag): void {
    while (this.expecting <= upTo) this.results.set(this.expecting++, 'confirmed');
    this.resequence();
  }

  private resequence(): void {
    for (let what = this.early.get(this.expecting); what !== undefined; what = this.early.get(this.expecting)) {
      this.results.set(this.expecting++, what);
    }
  }
}

describe('confirms', () => {
  it('of a turn are one', () => {
    const { confirms, end, calls } = setUp();
    for (let i = 0; i < 100; i++) confirms.confirm(confirms.begin());
    expect(calls).toEqual([]);
    expect(end()).toEqual(['up to 100, newest 100']);
    expect(end()).toEqual([]);
    confirms.confirm(confirms.begin());
    expect(end()).toEqual(['up to 101, newest 101']);
  });

  it('wait for the oldest; who overtakes it is told alone, and not again with the others', () => {
    const { confirms, publish, end } = setUp();
    publish(5);
    confirms.confirm(3);
    confirms.confirm(5);
    expect(end()).toEqual(['alone 3', 'alone 5']);
    expect(confirms.waitingCount).toBe(3);
    confirms.confirm(1);
    confirms.confirm(2);
    confirms.confirm(4);
    expect(end()).toEqual(['up to 5, newest 4']);
    expect(confirms.waitingCount).toBe(0);
  });

  it('tell nothing of one that overtook and was caught up with in the same turn', () => {
    const { confirms, publish, end } = setUp();
    publish(3);
    confirms.confirm(3);
    confirms.confirm(1);
    confirms.confirm(2);
    expect(end()).toEqual(['up to 3, newest 3']);
  });

  it('have no acknowledgement where all was refused', () => {
    const { confirms, publish, end, calls } = setUp();
    publish(2);
    confirms.refuse(1, 'store-failed');
    confirms.refuse(2, 'queue-full');
    expect(calls.splice(0)).toEqual(['refused 1 store-failed', 'refused 2 queue-full']);
    expect(end()).toEqual(['up to 2, newest 0']);
    // A refusal within publish, with nobody waiting.
    const tag = confirms.begin();
    confirms.await(tag);
    confirms.refuse(tag, 'store-failed');
    expect(end()).toEqual(['refused 3 store-failed', 'up to 3, newest 0']);
  });

  it('are divided by what was refused between them', () => {
    const { confirms, publish, end, calls } = setUp();
    publish(7);
    for (const tag of [3, 6]) confirms.refuse(tag, 'store-failed');
    calls.length = 0;
    for (const tag of [7, 5, 4, 2, 1]) confirms.confirm(tag);
    expect(end()).toEqual(['up to 2, newest 2', 'up to 5, newest 5', 'up to 7, newest 7']);
  });

  it('mix with messages that need not wait', () => {
    const { confirms, publish, end } = setUp();
    confirms.confirm(confirms.begin());
    publish(1);
    confirms.confirm(confirms.begin());
    publish(1);
    expect(end()).toEqual(['up to 1, newest 1', 'alone 3']);
    confirms.confirm(2);
    expect(end()).toEqual(['up to 3, newest 2']);
    confirms.confirm(4);
    expect(end()).toEqual(['up to 4, newest 4']);
  });

  it('tell every tag exactly once, whatever the order, and no cumulative one turns a refusal round', () => {
    const plan = fc.array(
      fc.record({
        // Verdicts of the messages of a turn: at once, or so many turns later, and which.
        messages: fc.array(
          fc.tuple(
            fc.integer({ min: -1, max: 4 }),
            fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
          ),
          {
            maxLength: 6,
          },
        ),
        order: fc.integer({ min: 1, max: 1_000 }),
      }),
      { maxLength: 25 },
    );
    fc.assert(
      fc.property(plan, (turns) => {
        const { clock } = createSimPlatform(1);
        const verdict = new Map<PublishTag, 'confirmed' | 'refused'>();
        const told = new Map<PublishTag, 'confirmed' | 'refused'>();
        const tell = (tag: PublishTag, what: 'confirmed' | 'refused') => {
          expect(told.has(tag)).toBe(false);
          expect(verdict.get(tag)).toBe(what);
          told.set(tag, what);
        };
        let decidedUpTo = 0;
        const client = new OrderedClient();
        const confirms = new Confirms(new Turn(clock), {
          confirmed: (upTo, newest) => {
            expect(upTo).toBeGreaterThan(decidedUpTo);
            decidedUpTo = upTo;
            if (newest === 0) return;
            // An acknowledgement that tells nothing new would surprise a client that waits for one message at a time.
            expect(told.has(newest)).toBe(false);
            for (let tag = 1; tag <= newest; tag++) if (!told.has(tag)) tell(tag, 'confirmed');
            client.multiple(newest);
          },
          confirmedAlone: (tag) => {
            tell(tag, 'confirmed');
            client.one(tag, 'confirmed');
          },
          refused: (tag) => {
            tell(tag, 'refused');
            client.one(tag, 'refused');
          },
          returned: () => undefined,
        });
        let waiting: { tag: PublishTag; due: number; isGood: boolean }[] = [];
        let tags = 0;
        const decide = (tag: PublishTag, isGood: boolean) => {
          verdict.set(tag, isGood ? 'confirmed' : 'refused');
          if (isGood) confirms.confirm(tag);
          else confirms.refuse(tag, 'store-failed');
        };
        const last = turns.length + 6;
        for (let now = 0; now <= last; now++) {
          const turn = turns[now];
          for (const [delay, isGood] of turn?.messages ?? []) {
            const tag = confirms.begin();
            expect(tag).toBe(++tags);
            if (delay === -1 && isGood) {
              decide(tag, true);
              continue;
            }
            confirms.await(tag);
            if (delay === -1) decide(tag, false);
            else waiting.push({ tag, due: now + delay, isGood });
          }
          const due = waiting.filter((each) => each.due <= now || now === last);
          waiting = waiting.filter((each) => !due.includes(each));
          const step = turn?.order ?? 1;
          due.sort((a, b) => ((a.tag * step) % 7) - ((b.tag * step) % 7));
          for (const { tag, isGood } of due) decide(tag, isGood);
          expect(confirms.waitingCount).toBe(waiting.length);
          clock.scheduler.runUntilIdleSync();
          // Whatever has its verdict by the end of a turn is told.
          expect(told.size).toBe(verdict.size);
        }
        expect(told.size).toBe(tags);
        expect(decidedUpTo).toBe(tags);
        expect([...client.results]).toEqual([...verdict].sort(([a], [b]) => a - b));
      }),
      { numRuns: 400, seed: 7 },
    );
  });

  it('remember little, however many pass', () => {
    const { confirms, publish, end } = setUp();
    const kept = () => (confirms as unknown as { verdicts: number[] }).verdicts.length;
    publish(1);
    for (let tag = 1; tag <= 50_000; tag++) {
      publish(1);
      confirms.confirm(tag);
      if (tag % 100 === 0) end();
    }
    expect(kept()).toBeLessThan(5_000);
    confirms.confirm(50_001);
    expect(end()).toEqual(['up to 50001, newest 50001']);
    expect(kept()).toBe(0);
  });
});

describe('confirm slot', () => {
  const slot = (queues: number) => {
    const calls: string[] = [];
    const confirms = {
      confirm: (tag: PublishTag) => calls.push(`confirm ${tag}`),
      refuse: (tag: PublishTag, why: string) => calls.push(`refuse ${tag} ${why}`),
    } as unknown as Confirms;
    return { calls, slot: new PublishSlot(confirms, 9, queues) };
  };

  it('waits for all of its queues, and is decided by the first that refuses', () => {
    const answers = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(answers, (list) => {
        const { calls, slot: made } = slot(list.length);
        for (const isGood of list) {
          if (isGood) made.committed();
          else made.refused('store-failed');
        }
        expect(calls).toEqual([list.includes(false) ? 'refuse 9 store-failed' : 'confirm 9']);
      }),
      { numRuns: 200, seed: 8 },
    );
  });

  it('says nothing before the last queue', () => {
    const { calls, slot: made } = slot(3);
    made.committed();
    made.committed();
    expect(calls).toEqual([]);
    made.committed();
    expect(calls).toEqual(['confirm 9']);
    made.refused('node-down');
    expect(calls).toHaveLength(1);
  });
});
