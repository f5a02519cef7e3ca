import { beforeEach, describe, expect, it } from 'vitest';
import type { Wire } from '../network.js';
import { type SimPlatform, SimWorld } from './platform.js';

describe('a machine whose process is stopped', () => {
  let world: SimWorld;
  let machine: SimPlatform;
  let other: SimPlatform;
  let calls: string[];

  beforeEach(() => {
    world = new SimWorld(1);
    machine = world.machine('10.0.0.1');
    other = world.machine('10.0.0.2');
    calls = [];
  });

  const advance = (ms: number) => world.scheduler.advance(ms);

  it('does nothing until it goes on, and then everything in order, as others do all the time', async () => {
    machine.clock.after(10, () => calls.push('second'));
    machine.clock.after(5, () => calls.push('first'));
    machine.clock.endOfTurn(() => calls.push('end of turn'));
    other.clock.after(7, () => calls.push('other'));
    machine.pause();
    await advance(20);
    expect(calls).toEqual(['other']);
    machine.resume();
    await advance(0);
    expect(calls).toEqual(['other', 'end of turn', 'first', 'second']);
  });

  it('runs an interval once for all the times that it missed', async () => {
    const timer = machine.clock.every(10, () => calls.push(`at ${machine.clock.monotonicMs()}`));
    machine.pause();
    await advance(95);
    machine.resume();
    await advance(10);
    timer.cancel();
    expect(calls).toEqual(['at 1095', 'at 1105']);
  });

  it('does not run what was cancelled by what ran before it', async () => {
    const second = machine.clock.after(2, () => calls.push('cancelled'));
    machine.clock.after(1, () => second.cancel());
    machine.pause();
    await advance(5);
    machine.resume();
    await advance(5);
    expect(calls).toEqual([]);
  });

  it('has its writes on the disk all the same', async () => {
    const file = await machine.settle(machine.disk.open('/file', { create: true }));
    machine.disk.delayMs.write = 1;
    file.writev([Buffer.from('x')], 0, () => calls.push('written'));
    machine.pause();
    await advance(5);
    expect((await machine.disk.readFile('/file')).toString()).toBe('x');
    expect(calls).toEqual([]);
    machine.resume();
    await advance(0);
    expect(calls).toEqual(['written']);
  });

  it('has its sockets filled, and accepts later', async () => {
    const accept = (wire: Wire) => {
      calls.push('accepted');
      wire.open({
        received: (chunk) => calls.push(String(chunk)),
        drained: () => {},
        ended: () => {},
        closed: () => {},
      });
    };
    await machine.network.listen({ host: null, port: 1, tls: null }, accept);
    machine.pause();
    const wire = other.network.connect({ host: '10.0.0.1', port: 1 });
    const sink = { received: () => {}, drained: () => calls.push('drained'), ended: () => {}, closed: () => {} };
    wire.open(sink);
    wire.write(Buffer.from('hello'), () => calls.push('with the kernel'));
    await advance(10);
    wire.write(Buffer.from(' there'), null);
    await advance(10);
    expect(calls).toEqual(['with the kernel']);
    wire.write(Buffer.alloc(world.fabric.kernelBytesMax, '.'), null);
    expect(wire.unsentBytes).toBe('hello there'.length);
    machine.resume();
    await advance(0);
    expect(calls.slice(0, 2)).toEqual(['with the kernel', 'accepted']);
    expect(calls.slice(2).join('')).toMatch(/^hello there\.+drained\.*$/);
  });

  it('can be killed, and nothing that waited happens to the next process', async () => {
    machine.clock.after(1, () => calls.push('of the dead'));
    machine.pause();
    await advance(5);
    machine.kill();
    expect(machine.isPaused).toBe(false);
    machine.clock.after(1, () => calls.push('of the living'));
    await advance(5);
    expect(calls).toEqual(['of the living']);
  });

  it('may be killed as soon as it goes on', async () => {
    machine.clock.after(1, () => calls.push('of the dead'));
    machine.pause();
    await advance(5);
    machine.resume();
    machine.kill();
    await advance(5);
    expect(calls).toEqual([]);
  });
});

describe('a clock that drifts', () => {
  it('counts its own milliseconds, and its timers go by them', async () => {
    const { clock, world } = new SimWorld(1).machine('10.0.0.1');
    const { scheduler } = world;
    const [beganMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
    clock.drift(1.25);
    expect(clock.monotonicMs()).toBe(beganMs);
    let at = 0;
    clock.after(100, () => {
      at = scheduler.nowMs;
    });
    await scheduler.advance(200);
    expect(at).toBe(1080);
    expect(clock.monotonicMs() - beganMs).toBe(250);
    expect(clock.wallMs() - wallMs).toBe(250);
    clock.drift(1);
    await scheduler.advance(10);
    expect(clock.monotonicMs() - beganMs).toBe(260);
  });
});
