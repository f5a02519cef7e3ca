import { describe, expect, it } from 'vitest';
import type { Clock } from '../clock.js';
import { NodeClock } from '../node/clock.js';
import { createSimPlatform } from '../sim/platform.js';

interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets at least so much time pass. */
  pass(ms: number): Promise<void>;
}

/** What every clock does. Only order and lower bounds are asserted: a busy machine may be late. */
function clockContract(name: string, make: () => ClockUnderTest): void {
  describe(`${name}: clock contract`, () => {
    it('moves forward on both scales', async () => {
      const { clock, pass } = make();
      const [wall, monotonic] = [clock.wallMs(), clock.monotonicMs()];
      await pass(20);
      expect(clock.monotonicMs() - monotonic).toBeGreaterThanOrEqual(19);
      expect(clock.wallMs()).toBeGreaterThanOrEqual(wall + 15);
      expect(Number.isInteger(clock.wallMs())).toBe(true);
    });

    it('calls once, in order of time, never within the call and never too early', async () => {
      const { clock, pass } = make();
      const calls: string[] = [];
      const start = clock.monotonicMs();
      clock.after(30, () => calls.push('late'));
      clock.after(10.5, () => {
        calls.push('early');
        // A millisecond of grace: timers and performance.now() of one process round differently.
        expect(clock.monotonicMs() - start).toBeGreaterThanOrEqual(9.5);
      });
      clock.after(0, () => calls.push('now'));
      expect(calls).toEqual([]);
      await pass(80);
      expect(calls).toEqual(['now', 'early', 'late']);
    });

    it('does not call what was cancelled, and forgives cancelling again', async () => {
      const { clock, pass } = make();
      let calls = 0;
      const cancelled = clock.after(5, () => calls++);
      const done = clock.after(1, () => {});
      cancelled.cancel();
      cancelled.cancel();
      await pass(30);
      done.cancel();
      expect(calls).toBe(0);
    });

    it('repeats until cancelled, also from within', async () => {
      const { clock, pass } = make();
      let calls = 0;
      const timer = clock.every(5, () => {
        if (++calls === 3) timer.cancel();
      });
      await pass(120);
      expect(calls).toBe(3);
    });

    it('keeps waits that are longer than a 32-bit number of milliseconds', async () => {
      const { clock, pass } = make();
      let calls = 0;
      const timer = clock.after(2 ** 33, () => calls++);
      await pass(20);
      timer.cancel();
      expect(calls).toBe(0);
    });

    it('runs the end of the turn after what the turn still has to do, and nested ones a turn later', async () => {
      const { clock, pass } = make();
      const calls: string[] = [];
      clock.endOfTurn(() => {
        calls.push('first');
        clock.endOfTurn(() => calls.push('nested'));
        Promise.resolve().then(() => calls.push('promise of the first'));
      });
      clock.endOfTurn(() => calls.push('second'));
      Promise.resolve().then(() => calls.push('promise'));
      expect(calls).toEqual([]);
      await pass(20);
      expect(calls).toEqual(['promise', 'first', 'promise of the first', 'second', 'nested']);
    });
  });
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

clockContract('Node', () => ({ clock: new NodeClock(), pass: sleep }));
clockContract('simulated', () => {
  const { clock } = createSimPlatform(1);
  return { clock, pass: (ms) => clock.advance(ms) };
});
