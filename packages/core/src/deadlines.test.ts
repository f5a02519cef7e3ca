import { createSimPlatform, SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { Deadline } from './deadlines.js';
import { Turn } from './turn.js';

function scene() {
  const { clock } = createSimPlatform(1);
  const turn = new Turn(clock);
  const startMs = turn.nowMs;
  const ran: string[] = [];
  const deadline = (name: string) => new Deadline(turn.deadlines, () => ran.push(`${name} ${turn.nowMs - startMs}`));
  return { clock, turn, startMs, ran, deadline };
}

describe('deadlines of a node', () => {
  it('run when they are due, by one timer, and once', () => {
    const { clock, turn, startMs, ran, deadline } = scene();
    const [a, b, c] = [deadline('a'), deadline('b'), deadline('c')];
    b.set(startMs + 20);
    a.set(startMs + 10);
    c.set(startMs + 30);
    expect([turn.deadlines.count, clock.pendingTimers]).toEqual([3, 1]);
    clock.advanceSync(9);
    expect(ran).toEqual([]);
    clock.advanceSync(15);
    expect(ran).toEqual(['a 10', 'b 20']);
    clock.advanceSync(100);
    expect(ran).toEqual(['a 10', 'b 20', 'c 30']);
    expect([turn.deadlines.count, clock.pendingTimers, a.atMs]).toEqual([0, 0, Number.POSITIVE_INFINITY]);
  });

  it('are over when the node stops', () => {
    const { clock, turn, startMs, ran, deadline } = scene();
    const [before, after] = [deadline('before'), deadline('after')];
    before.set(startMs + 10);
    turn.stop();
    after.set(startMs + 5);
    expect(clock.pendingTimers).toBe(0);
    clock.advanceSync(100);
    expect(ran).toEqual([]);
  });

  it('can be moved, called off, and set again when they run', () => {
    const { clock, turn, startMs, ran, deadline } = scene();
    const [early, late, off] = [deadline('early'), deadline('late'), deadline('off')];
    early.set(startMs + 50);
    late.set(startMs + 10);
    off.set(startMs + 20);
    early.set(startMs + 5);
    late.set(startMs + 40);
    off.set(Number.POSITIVE_INFINITY);
    off.set(Number.POSITIVE_INFINITY);
    let count = 0;
    const again: Deadline = new Deadline(turn.deadlines, () => {
      ran.push(`again ${turn.nowMs - startMs}`);
      if (++count < 3) again.set(turn.nowMs + 7);
    });
    again.set(startMs + 7);
    clock.advanceSync(1_000);
    expect(ran).toEqual(['early 5', 'again 7', 'again 14', 'again 21', 'late 40']);
  });

  it('that lie in the past run at once, and not within the call', () => {
    const { clock, startMs, ran, deadline } = scene();
    deadline('past').set(startMs - 1_000);
    expect(ran).toEqual([]);
    clock.advanceSync(0);
    expect(ran).toEqual(['past 0']);
  });

  it('do not notice that somebody sets the clock', () => {
    const { clock, startMs, ran, deadline } = scene();
    deadline('a').set(startMs + 100);
    clock.jumpWall(365 * 86_400_000);
    clock.advanceSync(99);
    expect(ran).toEqual([]);
    clock.jumpWall(-800 * 86_400_000);
    clock.advanceSync(1);
    expect(ran).toEqual(['a 100']);
  });

  it('leave others their turns when thousands are due together', () => {
    const { clock, startMs, ran, deadline } = scene();
    for (let i = 0; i < 1_000; i++) deadline(`${i}`).set(startMs + 10);
    clock.after(10, () => ran.push('other'));
    clock.advanceSync(1_000);
    expect(ran.length).toBe(1_001);
    expect(ran.indexOf('other')).toBeLessThan(100);
  });

  it('run in order of their times, however they were moved', () => {
    const random = new SimRandom(3);
    const { clock, turn, startMs, ran } = scene();
    const dueAt = new Map<Deadline, number>();
    const all = Array.from({ length: 300 }, () => {
      const one: Deadline = new Deadline(turn.deadlines, () => {
        ran.push('run');
        expect(dueAt.get(one)).toBe(turn.nowMs);
        dueAt.delete(one);
      });
      return one;
    });
    for (let i = 0; i < 3_000; i++) {
      const one = all[random.integer(all.length)]!;
      const isOff = random.chance(0.2);
      const atMs = isOff ? Number.POSITIVE_INFINITY : Math.max(turn.nowMs + 1, startMs + random.integer(2_000));
      one.set(atMs);
      if (isOff) dueAt.delete(one);
      else dueAt.set(one, atMs);
      if (random.chance(0.1)) clock.advanceSync(random.integer(5));
    }
    clock.advanceSync(5_000);
    expect([dueAt.size, turn.deadlines.count]).toEqual([0, 0]);
    expect(ran.length).toBeGreaterThan(200);
  });
});
