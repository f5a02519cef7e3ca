import { type SimPlatform, SimWorld } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Lane } from './lane.js';
import { SimPeers, type SimTransport } from './sim-transport.js';

/** One machine's end of lanes, and what it hears. */
class End {
  readonly platform: SimPlatform;
  transport!: SimTransport;
  readonly heard: string[] = [];
  lane!: Lane;

  constructor(world: SimWorld, name: string) {
    this.platform = world.machine(name);
  }

  take(lane: Lane): void {
    this.lane = lane;
    lane.open({
      received: (batch) => this.heard.push(String(batch)),
      drained: () => this.heard.push('(drained)'),
      closed: (reason) => this.heard.push(`(closed: ${reason})`),
    });
  }
}

describe('the simulated paths between nodes', () => {
  let world: SimWorld;
  let peers: SimPeers;
  let a: End;
  let b: End;

  const advance = (ms: number) => world.scheduler.advance(ms);
  const send = (from: End, ...texts: string[]) => texts.map((text) => from.lane.send(Buffer.from(text)));

  beforeEach(async () => {
    world = new SimWorld(3);
    peers = new SimPeers(world.scheduler, world.random.fork('peers'));
    [a, b] = [new End(world, 'a'), new End(world, 'b')];
    for (const end of [a, b]) end.transport = peers.transport(end.platform.network.address, end.platform);
    await b.transport.listen('b', 1, (_, lane) => b.take(lane));
    a.take(a.transport.connect('b:1', 'control'));
    await advance(5);
  });

  it('hold what is sent while they are cut, one way or both, and bring it when they are mended', async () => {
    peers.cut('a', 'b');
    send(a, 'held');
    send(b, 'free');
    await advance(100);
    expect([a.heard, b.heard]).toEqual([['free'], []]);
    peers.mend('a', 'b');
    await advance(5);
    expect(b.heard).toEqual(['held']);
  });

  it('are given up by both ends when nothing was heard for a while', async () => {
    peers.cut('a', 'b');
    await advance(7_000);
    expect([a.heard, b.heard]).toEqual([[], []]);
    await advance(6_000);
    expect([a.heard, b.heard]).toEqual([
      ['(closed: the peer did not answer in time)'],
      ['(closed: the peer did not answer in time)'],
    ]);
    // The end of each is on its way to the other, and comes when it can.
    peers.heal();
    await advance(5);
    expect(peers.openCount).toBe(0);
  });

  it('may be longer in one direction', async () => {
    peers.lag('a', 'b', 50);
    send(a, 'slow');
    send(b, 'fast');
    await advance(10);
    expect([a.heard, b.heard]).toEqual([['fast'], []]);
    await advance(50);
    expect(b.heard).toEqual(['slow']);
  });

  it('break for both ends, and the beginning of what was under way may still arrive', async () => {
    const arrived = new Set<string>();
    for (let round = 0; round < 20; round++) {
      b.heard.length = 0;
      send(a, '1', '2', '3');
      peers.reset('a', 'b');
      await advance(5);
      expect(b.heard.at(-1)).toBe('(closed: the connection was reset)');
      expect(a.heard.at(-1)).toBe('(closed: the connection was reset)');
      arrived.add(b.heard.slice(0, -1).join(''));
      expect(send(a, 'late')).toEqual([false]);
      a.take(a.transport.connect('b:1', 'control'));
      await advance(5);
    }
    expect([...arrived].sort()).toEqual(['', '1', '12', '123']);
  });

  it('fill while the process at the other end is stopped, and the sender waits', async () => {
    b.platform.pause();
    for (let i = 0; i < 15; i++) expect(send(a, `${i}`)).toEqual([true]);
    expect(send(a, 'full')).toEqual([false]);
    await advance(1_000);
    expect([a.heard, b.heard]).toEqual([[], []]);
    b.platform.resume();
    await advance(5);
    expect(b.heard).toHaveLength(16);
    expect(a.heard).toEqual(['(drained)']);
  });

  it('tell of the end of a process that was killed; it hears nothing itself', async () => {
    b.platform.kill();
    peers.kill(b.transport, true);
    await advance(5);
    expect([a.heard, b.heard]).toEqual([['(closed: the peer reset the connection)'], []]);
    a.take(a.transport.connect('b:1', 'control'));
    await advance(5);
    expect(a.heard.at(-1)).toBe('(closed: connection refused)');
  });

  it('say nothing of a machine without power until it is back', async () => {
    b.platform.crash();
    peers.kill(b.transport, false);
    await advance(4_000);
    send(a, 'into the void');
    expect(a.heard).toEqual([]);
    peers.transport('b', b.platform);
    await advance(5);
    expect(a.heard).toEqual(['(closed: the peer reset the connection)']);
    expect(peers.openCount).toBe(0);
  });

  it('set out again for a lane that was opened while they were cut', async () => {
    peers.cut('b', 'a');
    a.heard.length = 0;
    a.take(a.transport.connect('b:1', 'bulk'));
    send(a, 'patience');
    await advance(1_000);
    peers.heal();
    await advance(5);
    expect(b.heard).toEqual(['patience']);
  });
});
