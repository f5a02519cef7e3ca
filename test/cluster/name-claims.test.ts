import { leaseKeysMax, type NameClaims } from '@chapar/cluster';
import { describe, expect, it } from 'vitest';
import { type SimMember, SimMembers } from './sim-members.js';

async function twoNodes() {
  const world = new SimMembers();
  const [a, b] = [world.machine('a'), world.machine('b')];
  await a.start();
  await b.start();
  const claim = (machine: SimMember, ...keys: string[]) =>
    machine.settle(Promise.all(keys.map((key) => machine.membership.claims.claim(key, `of ${machine.name}`))));
  const lost: string[] = [];
  for (const { name, membership } of [a, b]) {
    membership.claims.onLost = (key, value) => lost.push(`${key} ${value} on ${name}`);
  }
  return { world, a, b, claim, lost };
}

const claimed = ({ etcd }: SimMember) =>
  etcd.keys.under('/chapar/claims/').map(({ key }) => key.slice('/chapar/claims/'.length));
const holder = (claims: NameClaims, key: string) => claims.holder(key)?.value;

describe('claims of names', () => {
  it('give a name to one node, until it is released', async () => {
    const { world, a, b, claim } = await twoNodes();
    expect(await claim(a, '%2F/q')).toEqual([true]);
    expect(await claim(b, '%2F/q', '%2F/other')).toEqual([false, true]);
    expect(await claim(a, '%2F/q')).toEqual([true]);
    expect(holder(b.membership.claims, '%2F/q')).toBe('of a');
    await a.settle(a.membership.claims.release('%2F/q'));
    await world.advance(10);
    expect(holder(b.membership.claims, '%2F/q')).toBeUndefined();
    expect(await claim(b, '%2F/q')).toEqual([true]);
  });

  it('give it to one of many who want it at the same time', async () => {
    const { a, b } = await twoNodes();
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const outcomes = await a.settle(
      Promise.all(keys.flatMap((key) => [a, b].map(({ membership }) => membership.claims.claim(key, 0)))),
    );
    for (let i = 0; i < keys.length; i++) expect(outcomes[2 * i]).not.toBe(outcomes[2 * i + 1]);
  });

  it('share leases of a thousand names, which live as long as the node does', async () => {
    const { world, a, b, claim } = await twoNodes();
    const keys = Array.from({ length: 2 * leaseKeysMax + 1 }, (_, i) => `k${i}`);
    const revision = world.etcd.keys.revision;
    expect((await claim(a, ...keys)).every(Boolean)).toBe(true);
    expect(a.membership.claims.leaseCount).toBe(3);
    // Not a transaction each.
    expect(world.etcd.keys.revision - revision).toBeLessThan(30);
    await world.advance(60_000);
    expect(claimed(b)).toHaveLength(keys.length);
    a.kill();
    await world.advance(15_000);
    expect(claimed(b)).toEqual([]);
  });

  it('use the room that released names leave', async () => {
    const { a, claim } = await twoNodes();
    const keys = Array.from({ length: leaseKeysMax }, (_, i) => `k${i}`);
    await claim(a, ...keys);
    for (const key of keys.slice(0, 100)) await a.settle(a.membership.claims.release(key));
    await claim(a, ...keys.slice(0, 100).map((key) => `${key} again`));
    expect(a.membership.claims.leaseCount).toBe(1);
  });

  it('of a node that was cut off are put back, or lost to who took the name meanwhile', async () => {
    const { world, a, b, claim, lost } = await twoNodes();
    await claim(a, 'mine', 'theirs');
    a.client.path.cut = true;
    await world.advance(15_000);
    expect(claimed(b)).toEqual([]);
    expect(await claim(b, 'theirs')).toEqual([true]);
    a.client.path.cut = false;
    await world.advance(15_000);
    expect(claimed(b)).toEqual(['mine', 'theirs']);
    expect(holder(b.membership.claims, 'mine')).toBe('of a');
    expect(lost).toEqual(['theirs of a on a']);
    await world.advance(60_000);
    expect(claimed(b)).toEqual(['mine', 'theirs']);
  });

  it('stand while etcd is away, for however long', async () => {
    const { world, a, claim, lost } = await twoNodes();
    await claim(a, 'k');
    world.etcd.stop();
    await world.advance(120_000);
    await expect(claim(a, 'new')).rejects.toThrow('etcd');
    world.etcd.resume();
    await world.advance(30_000);
    expect(claimed(a)).toEqual(['k']);
    expect(lost).toEqual([]);
  });

  it('that were released while etcd was away are gone when it is back', async () => {
    const { world, a, claim } = await twoNodes();
    await claim(a, 'k', 'stays');
    world.etcd.stop();
    const released = a.membership.claims.release('k');
    await world.advance(30_000);
    world.etcd.resume();
    await a.settle(released);
    expect(claimed(a)).toEqual(['stays']);
  });

  it('of the life before are taken over at once', async () => {
    const { world, a, b, claim, lost } = await twoNodes();
    await claim(a, 'k');
    a.kill();
    await a.start();
    a.membership.claims.onLost = (key) => lost.push(key);
    expect(await claim(a, 'k')).toEqual([true]);
    // The lease of the life before ends and takes nothing with it.
    await world.advance(30_000);
    expect(claimed(b)).toEqual(['k']);
    expect(lost).toEqual([]);
  });

  it('are told truly, and none is left over, when answers are lost', async () => {
    const { world, a, b } = await twoNodes();
    a.client.path.answerLoss = 0.5;
    let held: string[] = [];
    for (let i = 0; i < 60; i++) {
      const key = `k${i % 20}`;
      const { claims } = a.membership;
      if (held.includes(key)) {
        await a.settle(claims.release(key));
        held = held.filter((each) => each !== key);
      } else if (await a.settle(claims.claim(key, i)).catch(() => false)) held.push(key);
    }
    a.client.path.answerLoss = 0;
    await world.advance(30_000);
    expect(claimed(b)).toEqual([...held].sort());
  });
});
