import { beforeEach, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';

const q = 'aaaaaaaa-0000-4000-8000-000000000001';
let node: SimStore;
let committed: number;

async function open(): Promise<readonly string[]> {
  const { logs, recovered } = await node.start();
  committed = 0;
  logs.log(q).onCommitted = (upTo) => {
    committed = upTo;
  };
  return recovered.flatMap(({ messages }) => messages.map(({ message }) => message.body().toString()));
}

function publish(body: string): void {
  node.store.logs.log(q).publish(makeMessage({ body }));
  node.store.logs.flush();
}

beforeEach(async () => {
  node = new SimStore(1, { wal: { syncEveryMs: 200 } });
  await open();
});

it('commits once it is written, and syncs at most so much later', async () => {
  const { syncs } = node.platform.disk.counts;
  publish('one');
  await node.advance(100);
  expect(committed).toBe(1);
  publish('two');
  await node.advance(99);
  expect(committed).toBe(2);
  expect(node.platform.disk.counts.syncs).toBe(syncs);
  await node.advance(2);
  expect(node.platform.disk.counts.syncs).toBe(syncs + 1);
  await node.advance(1000);
  expect(node.platform.disk.counts.syncs).toBe(syncs + 1);
});

it('keeps what is confirmed when the process dies, and what is synced when the power fails', async () => {
  publish('synced');
  await node.advance(201);
  publish('written');
  await node.advance(10);
  expect(committed).toBe(2);
  node.kill();
  expect(await open()).toEqual(['synced', 'written']);
  publish('lost');
  await node.advance(10);
  node.platform.crash('nothing');
  expect(await open()).toEqual(['synced', 'written']);
});

it('syncs at once for those who ask, and at a stop', async () => {
  publish('one');
  const { syncs } = node.platform.disk.counts;
  await node.settle(node.store.logs.sync());
  expect(node.platform.disk.counts.syncs).toBe(syncs + 1);
  publish('two');
  await node.advance(10);
  await node.stop();
  node.platform.crash('nothing');
  expect(await open()).toEqual(['one', 'two']);
});

it('promises nothing after a sync that failed', async () => {
  let failed: Error | null = null;
  node.store.logs.log(q).onFailed = (error) => {
    failed = error;
  };
  publish('one');
  node.platform.disk.failNext('sync');
  await node.advance(250);
  expect(failed).toMatchObject({ code: 'EIO' });
  publish('two');
  await node.advance(250);
  expect(committed).toBe(1);
});
