import { metadataKey } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { type SimMember, SimMembers } from './sim-members.js';

const queue = (name: string) => metadataKey('queues', 'v', name);

async function threeNodes() {
  const world = new SimMembers();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => world.machine(name)) as [SimMember, SimMember, SimMember];
  for (const machine of [a, b, c]) await machine.start();
  const declare = async (count: number, home: SimMember) => {
    for (let i = 0; i < count; i++) {
      const value = { incarnation: `${home.name}${i}`, home: home.membership.dataId };
      await a.settle(a.membership.metadata.change([], [{ key: queue(`${home.name}${i}`), value }]));
    }
  };
  return { world, a, b, c, declare };
}

describe('the members of a cluster', () => {
  it('are forgotten with their queues, and nothing else is', async () => {
    const { world, a, b, c, declare } = await threeNodes();
    await declare(250, b);
    await declare(3, c);
    const { members, metadata } = a.membership;
    expect(members.losses('b').queues).toHaveLength(250);
    await expect(a.settle(members.forget('b'))).rejects.toThrow('b is running; stop it first');
    b.kill();
    await world.advance(15_000);
    const lost = await a.settle(members.forget('b'));
    expect(lost).toMatchObject({ node: 'b', dataId: b.membership.dataId });
    expect(lost.queues).toHaveLength(250);
    expect(lost.queues[0]).toEqual({ vhost: 'v', name: 'b0' });
    expect(members.list().map(({ node }) => node)).toEqual(['a', 'c']);
    expect((await metadata.load('queues/')).entries.map(({ key }) => key)).toEqual(['c0', 'c1', 'c2'].map(queue));
    await expect(b.start()).rejects.toMatchObject({
      reason: 'forgotten',
      message: expect.stringContaining('Move the directory away and start with an empty one'),
    });
  });

  it('that are half forgotten can be forgotten to the end', async () => {
    const { world, a, b, c, declare } = await threeNodes();
    await declare(250, b);
    b.kill();
    await world.advance(15_000);
    void a.membership.members.forget('b').catch(() => undefined);
    await world.advance(2.5);
    a.kill();
    const { members, metadata } = c.membership;
    await world.advance(15_000);
    const left = (await metadata.load('queues/')).entries.length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(251);
    const { dataId } = b.membership;
    expect(members.get(dataId)).toBeUndefined();
    expect((await c.settle(members.forget(dataId))).queues).toHaveLength(left);
    expect((await metadata.load('queues/')).entries).toEqual([]);
  });

  it('are not forgotten when they come back at the same time', async () => {
    const outcomes = new Set<string>();
    for (let ms = 0; ms < 20; ms += 0.5) {
      const { world, a, b, declare } = await threeNodes();
      await declare(5, b);
      b.kill();
      await world.advance(15_000);
      const starting = b.begin().then((membership) => membership.register());
      const started = starting.then(
        () => 'started',
        () => 'refused',
      );
      await world.advance(ms);
      const forgotten = await a.settle(
        a.membership.members.forget('b').then(
          () => 'forgotten',
          () => 'kept',
        ),
      );
      expect([await a.settle(started), forgotten]).toEqual(
        forgotten === 'kept' ? ['started', 'kept'] : ['refused', 'forgotten'],
      );
      expect((await a.membership.metadata.load('queues/')).entries).toHaveLength(forgotten === 'kept' ? 5 : 0);
      outcomes.add(forgotten);
    }
    expect(outcomes).toEqual(new Set(['forgotten', 'kept']));
  });

  it('are told apart by their data id when their names are the same', async () => {
    const { world, a, b } = await threeNodes();
    b.kill();
    await world.advance(15_000);
    const again = world.machine('b');
    await again.start();
    await world.advance(100);
    const { members } = a.membership;
    expect(() => members.losses('b')).toThrow(/several data directories were started as b; say which: .* \(running\)/);
    await a.settle(members.forget(b.membership.dataId));
    expect(members.list().map(({ dataId }) => dataId)).not.toContain(b.membership.dataId);
    expect(members.get(again.membership.dataId)?.live).not.toBeNull();
    expect(() => members.losses('nobody')).toThrow('no node of this cluster has the name or the data id nobody');
  });

  it('that are forgotten while they are only cut off find out, and are not registered again', async () => {
    const { world, a, b, declare } = await threeNodes();
    await declare(2, b);
    b.client.path.cut = true;
    await world.advance(15_000);
    await a.settle(a.membership.members.forget('b'));
    b.client.path.cut = false;
    await world.advance(15_000);
    expect(b.membership.session).toBeNull();
    expect(b.refusals).toEqual(['the cluster was told to forget this node']);
  });
});
