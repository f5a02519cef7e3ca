import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import type { ControlledPages } from '../../../../test/support/controlled-pages.js';
import { kitDialects, messageOf } from '../../../../test/support/core-kit.js';
import { Address } from '../address.js';
import type { Arguments } from '../arguments.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import { Persist } from '../queue/persist.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import { Turn } from '../turn.js';
import { DelayedMessages } from './delayed-messages.js';

const address = new Address('later', 'key');
const dialects = kitDialects();

interface Taken {
  readonly message: Message;
  readonly slot: ConfirmSlot | null;
}

/** A queue whose commits and refusals a test decides. */
class Target implements QueueHandle {
  readonly name: string;
  readonly incarnation: string;
  readonly logs = true;
  readonly mayRefuse = false;
  readonly taken: Taken[] = [];
  mode: 'commits' | 'waits' | 'refuses' = 'commits';

  constructor(name: string) {
    this.name = name;
    this.incarnation = `${name} #1`;
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    if (this.mode === 'refuses') {
      slot!.refused('queue-full');
      return;
    }
    this.taken.push({ message, slot });
    if (this.mode === 'commits') slot!.committed();
  }

  get bodies(): string[] {
    return this.taken.map(({ message }) => message.body().toString());
  }
}

class Slot implements ConfirmSlot {
  verdict = 'none';

  committed(): void {
    this.verdict = 'committed';
  }

  refused(why: string): void {
    this.verdict = why;
  }
}

class Kit {
  readonly platform;
  readonly turn: Turn;
  readonly logs: ControlledLogs;
  readonly delayed: DelayedMessages;
  readonly target = new Target('q');
  targets: QueueHandle[] = [this.target];
  readonly keys: (readonly string[])[] = [];

  constructor({ durable = true, logs = new ControlledLogs(), wallMs = 0 } = {}) {
    this.platform = createSimPlatform(1);
    this.logs = logs;
    this.turn = new Turn(this.platform.clock);
    if (wallMs > 0) this.turn.startNotBefore(wallMs);
    this.delayed = new DelayedMessages({
      incarnation: 'later #1',
      turn: this.turn,
      persist: new Persist(this.turn, logs),
      dialects,
      log: durable ? logs.log('later #1') : null,
      route: (_message, keys) => {
        this.keys.push(keys);
        return this.targets;
      },
    });
  }

  get log() {
    return this.logs.logs.get('later #1')!;
  }

  get pages(): ControlledPages {
    return this.logs.paging[0]!;
  }

  publish(body: string, delayMs: number, { persistent = true, headers = {} as Arguments } = {}): Slot {
    const slot = new Slot();
    const message = messageOf(address, body, { persistent, headers: { ...headers, 'x-delay': delayMs } });
    this.delayed.enqueue(message, slot);
    return slot;
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.platform.clock.advance(ms);
  }

  /** The next start, `ms` of downtime later. */
  async restart(logs: ControlledLogs, ms = 0): Promise<Kit> {
    const kit = new Kit({ logs, wallMs: this.turn.nowMs + ms });
    for (const found of await logs.recover()) kit.delayed.recover(found);
    return kit;
  }
}

describe('delayed messages', () => {
  it('go when they are due, not before, in the order of their times', async () => {
    const kit = new Kit();
    kit.publish('late', 500);
    kit.publish('soon', 100);
    kit.publish('same time, first', 300);
    await kit.pass(100);
    expect(kit.target.bodies).toEqual([]);
    kit.publish('same time, second', 200);
    await kit.pass(1);
    expect(kit.target.bodies).toEqual(['soon']);
    await kit.pass(199);
    expect(kit.target.bodies).toEqual(['soon']);
    await kit.pass(1);
    expect(kit.target.bodies).toEqual(['soon', 'same time, first', 'same time, second']);
    expect(kit.delayed.count).toBe(1);
    await kit.pass(200);
    expect(kit.target.bodies.at(-1)).toBe('late');
    expect(kit.delayed.count).toBe(0);
  });

  it('say that they have waited, and are new to the queues that they come to', async () => {
    const kit = new Kit();
    kit.publish('x', 100, { headers: { a: 1 } });
    await kit.pass(101);
    const { message } = kit.target.taken[0]!;
    expect(dialects.headers(message)).toEqual({ a: 1, 'x-delay': -100 });
    expect(message.receivedAtMs).toBe(0);
    expect(kit.delayed.takes(message)).toBe(false);
  });

  it('are confirmed when they are stored', async () => {
    const kit = new Kit();
    const [persistent, transient] = [kit.publish('p', 1_000), kit.publish('t', 1_000, { persistent: false })];
    expect([persistent.verdict, transient.verdict]).toEqual(['none', 'committed']);
    kit.log.commit();
    expect(persistent.verdict).toBe('committed');
    const unlogged = new Kit({ durable: false });
    expect(unlogged.publish('p', 1_000).verdict).toBe('committed');
  });

  it('are settled when the queues that they went to have committed them', async () => {
    const kit = new Kit();
    const other = new Target('other');
    kit.targets = [kit.target, other];
    kit.target.mode = other.mode = 'waits';
    kit.publish('x', 10);
    await kit.pass(11);
    expect([kit.log.live.size, kit.delayed.count]).toEqual([1, 1]);
    kit.target.taken[0]!.slot!.committed();
    expect(kit.log.settled).toEqual([]);
    other.taken[0]!.slot!.committed();
    expect(kit.log.settled).toEqual([[1, 1]]);
    expect(kit.delayed.count).toBe(0);
  });

  it('are dropped when they lead nowhere', async () => {
    const kit = new Kit();
    kit.targets = [];
    kit.publish('x', 10);
    await kit.pass(11);
    expect([kit.delayed.count, kit.log.live.size]).toEqual([0, 0]);
  });

  it('are tried again where they were refused, and only there', async () => {
    const kit = new Kit();
    const full = new Target('full');
    full.mode = 'refuses';
    kit.targets = [kit.target, full];
    kit.publish('logged', 10);
    kit.publish('paged', 10, { persistent: false });
    await kit.pass(11);
    expect(kit.target.bodies).toEqual(['logged', 'paged']);
    expect(kit.delayed.count).toBe(2);
    await kit.pass(10_000);
    full.mode = 'commits';
    await kit.pass(10_000);
    expect(full.bodies).toEqual(['logged', 'paged']);
    expect(kit.target.bodies).toEqual(['logged', 'paged']);
    expect([kit.delayed.count, kit.log.live.size]).toEqual([0, 0]);
  });

  it('are tried again less and less often', async () => {
    const kit = new Kit();
    kit.target.mode = 'refuses';
    kit.publish('x', 10);
    await kit.pass(11);
    const tries = () => kit.keys.length;
    expect(tries()).toBe(1);
    await kit.pass(1_000);
    expect(tries()).toBe(2);
    await kit.pass(60_000);
    const afterAMinute = tries();
    expect(afterAMinute).toBeLessThan(10);
    await kit.pass(600_000);
    expect(tries() - afterAMinute).toBeGreaterThanOrEqual(8);
    expect(tries() - afterAMinute).toBeLessThanOrEqual(11);
    kit.target.mode = 'commits';
    await kit.pass(60_001);
    expect(kit.delayed.count).toBe(0);
  });

  it('are all there after a crash that were confirmed, none twice that was settled, at their own times', async () => {
    const kit = new Kit();
    kit.publish('gone before', 10);
    kit.publish('in an hour', 3_600_000);
    kit.publish('in a minute', 60_000);
    kit.publish('transient', 60_000, { persistent: false });
    await kit.pass(11);
    kit.log.commit();
    kit.publish('never synced', 60_000);
    const next = await kit.restart(kit.logs.afterCrash(), 30_000);
    expect(next.delayed.count).toBe(2);
    await next.pass(29_989);
    expect(next.target.bodies).toEqual([]);
    await next.pass(1);
    expect(next.target.bodies).toEqual(['in a minute']);
    await next.pass(3_600_000);
    expect(next.target.bodies).toEqual(['in a minute', 'in an hour']);
    expect(next.delayed.count).toBe(0);
  });

  it('go at once, in their order, when they fell due while the node was down', async () => {
    const kit = new Kit();
    for (const ms of [700, 300, 500]) kit.publish(String(ms), ms);
    kit.log.commit();
    const logs = kit.logs.afterStop();
    logs.areReadsHeld = true;
    const next = await kit.restart(logs, 1_000);
    const slot = next.publish('new, and due first', 0);
    expect(slot.verdict).toBe('none');
    await next.pass(100);
    expect(next.target.bodies).toEqual([]);
    logs.answerReads();
    for (let i = 0; i < 5; i++) {
      await next.pass(1);
      logs.answerReads();
    }
    expect(next.target.bodies).toEqual(['300', '500', '700', 'new, and due first']);
  });

  it('come back after a crash between leaving and being safe elsewhere', async () => {
    const kit = new Kit();
    kit.target.mode = 'waits';
    kit.publish('x', 10);
    kit.log.commit();
    await kit.pass(11);
    expect(kit.target.bodies).toEqual(['x']);
    const next = await kit.restart(kit.logs.afterCrash());
    await next.pass(1);
    expect(next.target.bodies).toEqual(['x']);
  });

  it('are purged, but for those on their way', async () => {
    const kit = new Kit();
    kit.target.mode = 'waits';
    for (const ms of [10, 500, 10, 500]) kit.publish(String(ms), ms);
    kit.publish('transient', 500, { persistent: false });
    await kit.pass(11);
    expect(kit.delayed.purge()).toBe(3);
    expect([...kit.log.live.keys()]).toEqual([1, 3]);
    expect([kit.delayed.count, kit.log.pages.paged.size]).toEqual([2, 0]);
    for (const { slot } of kit.target.taken) slot!.committed();
    expect([kit.delayed.count, kit.log.live.size]).toEqual([0, 0]);
    await kit.pass(1_000);
    expect(kit.target.bodies).toEqual(['10', '10']);
    expect(kit.delayed.purge()).toBe(0);
    // It goes on.
    kit.target.mode = 'commits';
    kit.publish('after', 5);
    await kit.pass(6);
    expect(kit.target.bodies.at(-1)).toBe('after');
  });

  it('are purged while they are being read', async () => {
    const kit = new Kit({ logs: Object.assign(new ControlledLogs(), { areReadsHeld: true }) });
    kit.publish('due', 10);
    await kit.pass(11);
    expect(kit.delayed.purge()).toBe(1);
    kit.logs.answerReads();
    await kit.pass(100);
    expect(kit.target.bodies).toEqual([]);
    expect(kit.log.live.size).toBe(0);
  });

  it('are void when their exchange goes, and their confirms are given', async () => {
    const kit = new Kit();
    const slot = kit.publish('x', 10);
    kit.delayed.delete();
    expect([slot.verdict, kit.delayed.count]).toEqual(['committed', 0]);
    await kit.pass(100);
    expect(kit.target.bodies).toEqual([]);
  });

  it('stay where they are when the node stops', async () => {
    const kit = new Kit();
    kit.publish('x', 10);
    kit.delayed.stop();
    await kit.pass(100);
    expect(kit.target.bodies).toEqual([]);
    expect(kit.log.live.size).toBe(1);
  });

  it('are refused when the log has failed', () => {
    const kit = new Kit();
    let failure = '';
    kit.delayed.onLogFailed = ({ message }) => (failure = message);
    const before = kit.publish('x', 10);
    kit.log.fail();
    expect(before.verdict).toBe('store-failed');
    expect(kit.publish('y', 10).verdict).toBe('store-failed');
    expect(kit.publish('z', 10, { persistent: false }).verdict).toBe('committed');
    expect(failure).toBe('the disk is gone');
  });

  it('wait for a restart or a purge when they cannot be read', async () => {
    const kit = new Kit();
    kit.publish('lost', 10);
    kit.publish('fine', 10);
    kit.log.pages.broken.add(1);
    await kit.pass(11);
    expect(kit.target.bodies).toEqual(['fine']);
    expect(kit.delayed.count).toBe(1);
    expect(kit.delayed.purge()).toBe(1);
    expect(kit.log.live.size).toBe(0);
  });

  it('keep their further routing keys, which no publisher can forge', async () => {
    const kit = new Kit();
    const message = messageOf(address, 'x', { persistent: true, headers: { 'x-delay': 10 } });
    kit.delayed.withKeys(['key', 'copy']).enqueue(message, null);
    await kit.pass(11);
    expect(kit.keys).toEqual([['key', 'copy']]);
    expect(dialects.headers(kit.target.taken[0]!.message)).toEqual({ 'x-delay': -10 });
    kit.publish('y', 10, { headers: { 'x-chapar-delayed-keys': ['stolen'] } });
    await kit.pass(11);
    expect(kit.keys.at(-1)).toEqual(['key']);
    expect(dialects.headers(kit.target.taken[1]!.message)).toEqual({ 'x-delay': -10 });
  });

  for (const durable of [true, false]) {
    it(`${durable ? 'logged' : 'paged'} ones in any number go in order, and none stays`, async () => {
      const kit = new Kit({ durable });
      const { random } = kit.platform;
      const expected: [due: number, number: number][] = [];
      for (let i = 0; i < 3_000; i++) {
        const delay = 1 + random.integer(200);
        expected.push([delay, i]);
        kit.publish(String(i), delay, { persistent: i % 5 !== 0 });
      }
      expected.sort(([a, i], [b, j]) => a - b || i - j);
      await kit.pass(1_000);
      expect(kit.target.bodies).toEqual(expected.map(([, i]) => String(i)));
      expect(kit.delayed.count).toBe(0);
      if (durable) expect([kit.log.live.size, kit.log.pages.paged.size]).toEqual([0, 0]);
      else expect(kit.pages.paged.size).toBe(0);
    });
  }
});
