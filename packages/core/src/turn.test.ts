import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { PHASE_CONFIRM, PHASE_DECIDE, PHASE_PERSIST, PHASE_WRITE, Turn } from './turn.js';

const phases = [PHASE_DECIDE, PHASE_PERSIST, PHASE_CONFIRM, PHASE_WRITE];

function setUp() {
  const { clock } = createSimPlatform(1);
  const turn = new Turn(clock);
  const calls: string[] = [];
  const add = (phase: number, name: string, then = () => {}) => {
    const endOfTurn = () => {
      calls.push(name);
      then();
    };
    turn.add(phase, { endOfTurn });
  };
  /** One turn of the event loop, and whether another one was asked for. */
  const end = () => {
    clock.scheduler.runUntilIdleSync();
    return calls.splice(0);
  };
  return { clock, turn, add, end };
}

describe('turn', () => {
  it('runs phases in order, and what was added first first', () => {
    const { add, end } = setUp();
    for (const name of ['a', 'b']) for (const phase of [...phases].reverse()) add(phase, `${name}${phase}`);
    expect(end()).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
    expect(end()).toEqual([]);
  });

  it('takes along what is added meanwhile to this phase or a later one', () => {
    const { add, end, clock } = setUp();
    let flushes = 0;
    clock.endOfTurn(() => flushes++);
    add(PHASE_PERSIST, 'log', () => {
      add(PHASE_PERSIST, 'more log');
      add(PHASE_CONFIRM, 'confirm', () => add(PHASE_WRITE, 'write'));
    });
    expect(end()).toEqual(['log', 'more log', 'confirm', 'write']);
    expect(flushes).toBe(1);
  });

  it('leaves what goes to an earlier phase to the next turn', () => {
    const { add, end, turn } = setUp();
    const order: string[] = [];
    add(PHASE_WRITE, 'write', () => {
      order.push('write');
      add(PHASE_DECIDE, 'decide', () => order.push('decide'));
    });
    turn.flush();
    expect(order).toEqual(['write']);
    expect(end()).toEqual(['write', 'decide']);
  });

  it('decides, then persists, then confirms, then writes', () => {
    const { add, end } = setUp();
    add(PHASE_WRITE, 'write');
    add(PHASE_CONFIRM, 'confirm');
    add(PHASE_PERSIST, 'persist');
    add(PHASE_DECIDE, 'decide');
    expect(end()).toEqual(['decide', 'persist', 'confirm', 'write']);
  });

  it('leaves what is postponed at its end to the next one, which comes by itself', () => {
    const { add, turn, clock } = setUp();
    const order: string[] = [];
    let left = 3;
    const work = {
      endOfTurn: () => {
        order.push(`part ${left}`);
        if (--left > 0) turn.postpone(work);
      },
    };
    turn.postpone(work);
    add(PHASE_WRITE, 'write', () => order.push('write'));
    // What happens between turns: here, a socket that is read.
    const others = () => {
      order.push('others');
      if (left > 0) clock.endOfTurn(others);
    };
    clock.endOfTurn(others);
    clock.scheduler.runUntilIdleSync();
    expect(order).toEqual(['part 3', 'write', 'others', 'part 2', 'others', 'part 1', 'others']);
  });

  it('can be flushed by hand, once for what there is', () => {
    const { add, end, turn } = setUp();
    for (const phase of phases) add(phase, `${phase}`);
    turn.flush();
    turn.flush();
    expect(end()).toEqual(['0', '1', '2', '3']);
    add(PHASE_DECIDE, 'again');
    expect(end()).toEqual(['again']);
  });
});
