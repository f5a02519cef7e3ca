// The keyed log on the real store and a simulated disk: the last value of each key, over stops and crashes.
import { Broker, type KeyedLog, type KeyedReader } from '@chapar/core';
import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import { expect, test } from 'vitest';
import { SimNode } from '../protocol/sim-node.js';

interface Kept {
  readonly log: KeyedLog;
  readonly values: Map<string, { text: string; position: number }>;
}

async function open(node: SimNode): Promise<Kept> {
  const values: Kept['values'] = new Map();
  const opening = node.broker.keyedLog('test', ({ key, value, position }) =>
    values.set(key, { text: value.toString(), position }),
  );
  return { log: await node.settle(opening), values };
}

const texts = ({ values }: Kept) => Object.fromEntries([...values].map(([key, { text }]) => [key, text]).sort());

async function put({ log, values }: Kept, node: SimNode, key: string, text: string): Promise<void> {
  const committed = new Promise<void>((resolve, reject) => {
    const slot = { committed: resolve, refused: reject };
    values.set(key, { text, position: log.put(key, Buffer.from(text), values.get(key)?.position ?? 0, slot) });
  });
  await node.settle(committed);
}

async function remove({ log, values }: Kept, node: SimNode, key: string): Promise<void> {
  const committed = new Promise<void>((resolve, reject) => {
    log.remove(key, values.get(key)!.position, { committed: resolve, refused: reject });
  });
  values.delete(key);
  await node.settle(committed);
}

async function again(platform: SimPlatform): Promise<{ node: SimNode; kept: Kept }> {
  const node = await SimNode.start({ platform });
  return { node, kept: await open(node) };
}

test.each(['stop', 'nothing', 'some', 'everything'] as const)(
  'what was promised is there, what was deleted is not: %s',
  async (end) => {
    const platform = createSimPlatform(7);
    let { node, kept } = await again(platform);
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 30; i++) await put(kept, node, `key ${i % 10}`, `${round} ${i}`);
      for (let i = 0; i < 5; i++) await remove(kept, node, `key ${i + round}`);
      await put(kept, node, `large ${round}`, 'x'.repeat(50_000));
      const before = texts(kept);
      if (end === 'stop') await node.stop();
      else platform.crash(end);
      ({ node, kept } = await again(platform));
      expect(texts(kept)).toEqual(before);
    }
    await node.stop();
  },
);

/** Read in the order of the log by who keeps the values, as retained messages are. */
async function openShared(node: SimNode) {
  const values = new Map<string, { text: string; position: number }>();
  const told: string[] = [];
  const reader: KeyedReader = {
    changed(key, value, position) {
      told.push(`${key} ${value?.toString() ?? '-'}`);
      const before = values.get(key)?.position ?? 0;
      if (value === null) values.delete(key);
      else values.set(key, { text: value.toString(), position });
      return before;
    },
    positionOf: (key) => values.get(key)?.position ?? 0,
    entries: () => [],
  };
  return { log: await node.settle(node.broker.sharedKeyedLog('test', reader)), values, told };
}

test.each(['stop', 'nothing', 'some', 'everything'] as const)(
  'and so for who is told in the order of the log, and nothing is told again that was settled: %s',
  async (end) => {
    const platform = createSimPlatform(7);
    let node = await SimNode.start({ platform });
    let kept = await openShared(node);
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 30; i++)
        await node.settle(kept.log.change(`key ${i % 10}`, Buffer.from(`${round} ${i}`), null));
      for (let i = 0; i < 5; i++) await node.settle(kept.log.change(`key ${i + round}`, null, null));
      const before = [...kept.values].map(([key, { text }]) => `${key} ${text}`).sort();
      if (end === 'stop') await node.stop();
      else platform.crash(end);
      node = await SimNode.start({ platform });
      // Whatever the first start settled is gone at the second.
      kept = await openShared(node);
      expect([...kept.values].map(([key, { text }]) => `${key} ${text}`).sort()).toEqual(before);
      await node.stop();
      node = await SimNode.start({ platform });
      kept = await openShared(node);
      expect(kept.told.sort()).toEqual(before);
    }
    await node.stop();
  },
);

test('is no queue, and nobody takes it for one that was deleted', async () => {
  const platform = createSimPlatform(8);
  const { node, kept } = await again(platform);
  await put(kept, node, 'a', '1');
  await node.stop();
  const after = await SimNode.start({ platform });
  expect(after.logged('messages of a deleted queue were dropped')).toBe(false);
  expect(after.broker).toBeInstanceOf(Broker);
  expect(texts(await open(after))).toEqual({ a: '1' });
  await after.stop();
});
