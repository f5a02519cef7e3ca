import { type KeyedCondition, letterOrigin } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { KeyedCluster, type KeyedNode } from './keyed-stage.js';

const names = ['a', 'b', 'c'];
const textsOf = (cluster: KeyedCluster) => cluster.nodes.map(({ reader }) => reader.texts);
const same = (texts: Record<string, string>, count = 3) => Array.from({ length: count }, () => texts);

/** Some for each shard. */
const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);

describe('a keyed log of a cluster', () => {
  it('tells all nodes what is put on any of them, and holds nothing else', async () => {
    const cluster = await KeyedCluster.of(names);
    expect(cluster.leaders()).toHaveLength(8);
    const told = keys.map((key, i) => cluster.put(i % 3, key, `1 of ${key}`));
    await cluster.advance(200);
    for (const [i, key] of keys.entries()) told.push(cluster.put((i + 1) % 3, key, `2 of ${key}`));
    await cluster.advance(200);
    for (const [i, key] of keys.slice(0, 20).entries()) told.push(cluster.remove((i + 2) % 3, key));
    await cluster.advance(1000);
    expect(told.map(({ verdict }) => verdict)).toEqual(told.map(() => 'committed'));
    const rest = Object.fromEntries(
      keys
        .slice(20)
        .map((key) => [key, `2 of ${key}`] as const)
        .sort(),
    );
    expect(textsOf(cluster)).toEqual(same(rest));
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([20, 20, 20]);
  });

  it('is there again after all nodes died', async () => {
    const cluster = await KeyedCluster.of(names);
    for (const key of keys) cluster.put(0, key, key);
    await cluster.advance(200);
    for (const key of keys.slice(0, 5)) cluster.remove(1, key);
    await cluster.advance(200);
    for (const index of [0, 1, 2]) cluster.kill(index);
    await cluster.advance(20_000);
    await Promise.all([0, 1, 2].map((index) => cluster.restart(index)));
    await cluster.advance(10_000);
    expect(textsOf(cluster)).toEqual(
      same(
        Object.fromEntries(
          keys
            .slice(5)
            .map((key) => [key, key] as const)
            .sort(),
        ),
      ),
    );
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([35, 35, 35]);
  });

  it('goes on when leaders die, and loses nothing that it promised', async () => {
    const cluster = await KeyedCluster.of(names);
    const told = keys.map((key) => cluster.put(1, key, 'before'));
    cluster.kill(0);
    for (const key of keys) told.push(cluster.put(2, key, 'after'));
    await cluster.advance(20_000);
    expect(told.every(({ verdict }) => verdict === 'committed')).toBe(true);
    const [, b, c] = cluster.nodes;
    expect(b!.reader.texts).toEqual(c!.reader.texts);
    expect(Object.values(b!.reader.texts)).toHaveLength(40);
  });

  it('forgets on a node that was away what others removed meanwhile', async () => {
    const cluster = await KeyedCluster.of(names);
    for (const key of keys) cluster.put(0, key, 'first');
    await cluster.advance(500);
    cluster.isolate(2, true);
    await cluster.advance(20_000);
    for (const key of keys.slice(0, 10)) cluster.remove(0, key);
    for (const key of keys.slice(10, 20)) cluster.put(0, key, 'second');
    await cluster.advance(2000);
    expect(Object.keys(cluster.nodes[2]!.reader.texts)).toHaveLength(40);
    cluster.isolate(2, false);
    await cluster.advance(20_000);
    const [a, , c] = cluster.nodes;
    expect(Object.keys(a!.reader.texts)).toHaveLength(30);
    expect(c!.reader.texts).toEqual(a!.reader.texts);
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([30, 30, 30]);
  });

  it('removes a key only where it was found, when that is said', async () => {
    const cluster = await KeyedCluster.of(names);
    cluster.put(0, 'k', 'old');
    await cluster.advance(100);
    const old = cluster.nodes[1]!.reader.positionOf('k');
    cluster.put(0, 'k', 'new');
    const told = cluster.remove(1, 'k', old);
    await cluster.advance(500);
    expect([told.verdict, ...textsOf(cluster)]).toEqual(['committed', ...same({ k: 'new' })]);
    cluster.remove(1, 'k', cluster.nodes[1]!.reader.positionOf('k'));
    await cluster.advance(500);
    expect([...textsOf(cluster), cluster.liveCount(0)]).toEqual([...same({}), 0]);
  });

  it('has on a node that asks all that was put on others before', async () => {
    const cluster = await KeyedCluster.of(names);
    const [a, b] = cluster.nodes;
    for (let round = 0; round < 20; round++) {
      for (const key of keys) a!.log.put(key, Buffer.from(`${round}`), null);
      await b!.at.settle(Promise.resolve(b!.log.settled()));
      expect(new Set(Object.values(b!.reader.texts))).toEqual(new Set([`${round}`]));
    }
  });

  it('takes what is said again under the same number once, also from another node, and whoever asks waits for such, too', async () => {
    const cluster = await KeyedCluster.of(names);
    const [a, b] = cluster.nodes;
    const { scheduler } = cluster.members.world;
    const put = (node: KeyedNode, text: string, round: number): void => {
      for (const [i, key] of keys.entries()) {
        const from = { origin: letterOrigin('somebody'), sequence: round * 100 + i, low: 0 };
        node.log.put(key, Buffer.from(text), null, null, from);
      }
    };
    for (let round = 1; round < 10; round++) {
      const sinceMs = scheduler.nowMs;
      put(a!, `${round}`, round);
      await b!.at.settle(Promise.resolve(b!.log.settled()));
      expect(new Set(Object.values(b!.reader.texts))).toEqual(new Set([`${round}`]));
      expect(scheduler.nowMs - sinceMs).toBeLessThan(500);
    }
    put(b!, 'again', 3);
    await cluster.advance(500);
    expect(textsOf(cluster)).toEqual(same(Object.fromEntries([...keys].sort().map((key) => [key, '9']))));
  });

  it('waits for nobody for long', async () => {
    const cluster = await KeyedCluster.of(names);
    cluster.isolate(1, true);
    let isOver = false;
    void Promise.resolve(cluster.nodes[1]!.log.settled()).then(() => {
      isOver = true;
    });
    await cluster.advance(900);
    expect(isOver).toBe(false);
    await cluster.advance(200);
    expect(isOver).toBe(true);
  });

  it('comes to a node that joins later, and takes along what one kept while it was alone', async () => {
    const cluster = await KeyedCluster.of(['a']);
    cluster.put(0, 'k', 'v');
    await cluster.advance(500);
    await cluster.add('b');
    await cluster.add('c');
    await cluster.advance(15_000);
    expect(textsOf(cluster)).toEqual(same({ k: 'v' }));
    cluster.kill(0);
    await cluster.advance(20_000);
    const told = cluster.put(2, 'k', 'w');
    await cluster.advance(5000);
    expect([told.verdict, cluster.nodes[1]!.reader.texts]).toEqual(['committed', { k: 'w' }]);
  });
});

/** Takes the key again and again, each time from where this node sees it; says who has it after each of its own. */
async function contend({ at, log, reader }: KeyedNode, key: string, times: number): Promise<string[]> {
  const wins: string[] = [];
  for (let i = 0; i < times; ) {
    const text = `${at.name}${i}`;
    const onlyIf: KeyedCondition = { of: 'key', at: reader.positionOf(key) };
    if (!(await log.change(key, Buffer.from(text), onlyIf))) continue;
    if (reader.values.get(key)?.text !== text) continue;
    wins.push(text);
    i++;
  }
  return wins;
}

describe('who puts something in a keyed log on a condition', () => {
  it('is told when its node has seen what came of it: of those that try one after the other has it', async () => {
    const cluster = await KeyedCluster.of(names);
    const told: [string, string][] = [];
    for (const { at, reader } of cluster.nodes) {
      const { changed } = reader;
      reader.changed = (key, value, position) => {
        told.push([at.name, value!.toString()]);
        return changed.call(reader, key, value, position);
      };
    }
    const all = Promise.all(cluster.nodes.map((node) => contend(node, 'k', 20)));
    await cluster.advance(10_000);
    const wins = (await all).flat();
    expect(wins).toHaveLength(60);
    // Nobody has taken it from somebody who did not have it: each node has seen all of them, in one order.
    const orders = names.map((name) => told.filter(([at]) => at === name).map(([, text]) => text));
    expect([...orders[0]!].sort()).toEqual([...wins].sort());
    expect(orders).toEqual([orders[0], orders[0], orders[0]]);
    expect(cluster.liveCount(0)).toBe(1);
  });

  it('has what it put also when all nodes have begun anew, and what the condition looked at is out of all logs', async () => {
    const cluster = await KeyedCluster.of(names);
    const [{ log, reader, at }] = cluster.nodes as [KeyedNode];
    const put = (key: string, text: string, of: 'key' | 'guard', position: number) =>
      at.settle(log.change(key, Buffer.from(text), { of, at: position }));
    await put('g', 'first', 'key', 0);
    const first = reader.positionOf('g');
    await put('g/x', 'stays', 'guard', first);
    await put('g', 'second', 'key', first);
    await put('g/x', 'too late', 'guard', first);
    await put('g/y', 'too late', 'guard', first);
    await cluster.advance(1000);
    expect(textsOf(cluster)).toEqual(same({ g: 'second', 'g/x': 'stays' }));
    for (const index of [0, 1, 2]) cluster.kill(index);
    await cluster.advance(20_000);
    await Promise.all([0, 1, 2].map((index) => cluster.restart(index)));
    await cluster.advance(10_000);
    expect(textsOf(cluster)).toEqual(same({ g: 'second', 'g/x': 'stays' }));
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([2, 2, 2]);
  });

  it('has it by what the leader knows, also when another leads and not all of that is committed', async () => {
    const cluster = await KeyedCluster.of(names);
    const [a, b, c] = cluster.nodes as [KeyedNode, KeyedNode, KeyedNode];
    const key = keys.find((each) => a.log.isOurs(each))!;
    const winners = Promise.all([contend(b, key, 30), contend(c, key, 30)]);
    await cluster.advance(10);
    cluster.kill(0);
    await cluster.advance(40_000);
    expect((await winners).flat()).toHaveLength(60);
    expect(b.reader.texts).toEqual(c.reader.texts);
    expect([...b.reader.wrongs, ...c.reader.wrongs]).toEqual([]);
  });

  it('is told within a few ways between nodes, also where its node does not lead the shard and nothing comes behind it', async () => {
    const cluster = await KeyedCluster.of(names);
    const { log, at } = cluster.nodes[1]!;
    const mine = keys.filter((key) => !log.isOurs(key));
    const { clock } = at.member.platform;
    const took: number[] = [];
    for (const key of mine) {
      const fromMs = clock.monotonicMs();
      await at.settle(log.change(key, Buffer.from('x'), null));
      took.push(clock.monotonicMs() - fromMs);
    }
    // Leaders that have nothing else to say look every 200 ms.
    expect(Math.max(...took)).toBeLessThan(100);
  });
});
