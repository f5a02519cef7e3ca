import { describe, expect, it } from 'vitest';
import { SimClock } from './clock.js';

describe('simulated clock', () => {
  it('runs at exact moments, in order of time, then of asking', async () => {
    const clock = new SimClock();
    const start = clock.monotonicMs();
    const calls: string[] = [];
    for (const [delayMs, name] of [
      [30, 'c'],
      [10, 'a'],
      [10, 'b'],
      [30, 'd'],
      [100, 'too late'],
    ] as const) {
      clock.after(delayMs, () => calls.push(`${name}@${clock.monotonicMs() - start}`));
    }
    await clock.advance(99);
    expect(calls).toEqual(['a@10', 'b@10', 'c@30', 'd@30']);
    expect(clock.monotonicMs() - start).toBe(99);
    expect(clock.pendingTimers).toBe(1);
  });

  it('keeps thousands of timers in order', () => {
    const clock = new SimClock();
    const due: number[] = [];
    for (let i = 0; i < 5_000; i++) clock.after((i * 7_919) % 4_999, () => due.push(clock.monotonicMs()));
    clock.advanceSync(5_000);
    expect(due).toHaveLength(5_000);
    expect(due).toEqual([...due].sort((a, b) => a - b));
  });

  it('lets promises run on between events, as Node does', async () => {
    const clock = new SimClock();
    const calls: string[] = [];
    const step = async (name: string) => {
      calls.push(name);
      await null;
      await null;
      calls.push(`${name} after awaits`);
    };
    clock.after(1, () => void step('first'));
    clock.after(1, () => void step('second'));
    await clock.advance(1);
    expect(calls).toEqual(['first', 'first after awaits', 'second', 'second after awaits']);
  });

  it('ends a turn after all its events', async () => {
    const clock = new SimClock();
    const calls: string[] = [];
    clock.after(1, () => {
      calls.push('one');
      clock.endOfTurn(() => calls.push('end'));
      clock.after(0, () => calls.push('next turn'));
    });
    clock.after(1, () => calls.push('two'));
    await clock.advance(1);
    expect(calls).toEqual(['one', 'two', 'end', 'next turn']);
  });

  it('waits for work, not for timers, when it runs until idle', async () => {
    const clock = new SimClock();
    const calls: string[] = [];
    clock.every(10, () => calls.push('beat'));
    clock.scheduler.work(25, () => clock.scheduler.work(10, () => calls.push('done')));
    await clock.runUntilIdle();
    expect(calls).toEqual(['beat', 'beat', 'beat', 'done']);
    await clock.runUntilIdle();
    expect(calls).toHaveLength(4);
  });

  it('settles a promise, or says that nothing will', async () => {
    const clock = new SimClock();
    const slow = new Promise<string>((resolve) => clock.after(5_000, () => resolve('there')));
    expect(await clock.scheduler.settle(slow)).toBe('there');
    const failing = new Promise<never>((_, reject) => clock.after(1, () => reject(new Error('broken'))));
    await expect(clock.scheduler.settle(failing)).rejects.toThrow('broken');
    await expect(clock.scheduler.settle(new Promise(() => {}))).rejects.toThrow(/still open/);
  });

  it('jumps on the wall without moving a deadline', async () => {
    const clock = new SimClock();
    const [wall, monotonic] = [clock.wallMs(), clock.monotonicMs()];
    let calls = 0;
    clock.after(100, () => calls++);
    clock.jumpWall(-86_400_000);
    expect(clock.wallMs()).toBe(wall - 86_400_000);
    expect(clock.monotonicMs()).toBe(monotonic);
    await clock.advance(99);
    expect(calls).toBe(0);
    await clock.advance(1);
    expect(calls).toBe(1);
  });

  it('forgets everything when its process stops, and serves the next one', async () => {
    const clock = new SimClock();
    const calls: string[] = [];
    clock.after(1, () => calls.push('timer'));
    clock.every(1, () => calls.push('interval'));
    clock.endOfTurn(() => calls.push('end of turn'));
    clock.stop();
    clock.after(2, () => calls.push('next life'));
    await clock.advance(5);
    expect(calls).toEqual(['next life']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('says so when time stands still', () => {
    const clock = new SimClock();
    const again = () => clock.endOfTurn(again);
    again();
    expect(() => clock.advanceSync(1)).toThrow(/time stands still/);
  });
});
