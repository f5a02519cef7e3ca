import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { type Inspection, inspectDirectory } from './inspection.js';

const a = 'aaaaaaaa-0000-4000-8000-000000000001';
const b = 'bbbbbbbb-0000-4000-8000-000000000002';
let node: SimStore;

const inspect = (): Promise<Inspection> => node.settle(inspectDirectory(node.platform, '/data'));
const contents = async () => {
  const { disk } = node.platform;
  const names = [
    ...(await disk.list('/data/wal')).map((name) => `wal/${name}`),
    'metadata/metadata.log',
    'chapar.json',
  ];
  return Promise.all(names.map(async (name) => [name, (await disk.readFile(`/data/${name}`)).toString('base64')]));
};

beforeEach(async () => {
  node = new SimStore(1, { wal: { fileBytesMax: 10_000 } });
  const { logs, metadata } = await node.start();
  const queue = { incarnation: a, autoDelete: false, arguments: {} };
  await node.settle(metadata.change([], [{ key: 'vhosts/%2F', value: {} }]));
  await node.settle(metadata.change([], [{ key: 'queues/%2F/orders', value: queue }]));
  for (let i = 1; i <= 30; i++) {
    logs.log(a).publish(makeMessage({ body: 'x'.repeat(1000) }));
    if (i <= 2) logs.log(b).publish(makeMessage({ body: 'y' }));
    await node.settle(logs.sync());
  }
  logs.log(a).settle(1, 5);
  await node.settle(logs.sync());
  node.kill();
});

describe('inspection', () => {
  it('shows queues by name, live counts and bytes, files and metadata', async () => {
    const found = await inspect();
    expect(found.dataId).toBe(node.store.dataId);
    expect(found.metadata).toEqual({ revision: 2, entries: { queues: 1, vhosts: 1 } });
    expect(found.queues).toMatchObject([
      { vhost: '/', name: 'orders', incarnation: a, messages: 25, nextPosition: 31 },
      { vhost: null, name: null, incarnation: b, messages: 2, nextPosition: 3 },
    ]);
    expect(found.queues[0]!.bytes).toBeGreaterThan(25_000);
    expect(found.queues[0]!.bytes).toBeLessThan(28_000);
    expect(found.files.length).toBeGreaterThan(2);
    const sum = (pick: (file: Inspection['files'][number]) => number) =>
      found.files.reduce((total, file) => total + pick(file), 0);
    expect(sum((file) => file.entries['publish'] ?? 0)).toBe(32);
    expect(sum((file) => file.liveMessages)).toBe(27);
    expect(sum((file) => file.liveBytes)).toBe(found.queues[0]!.bytes + found.queues[1]!.bytes);
    expect(found.damages).toEqual([]);
  });

  it('changes nothing, and a start finds what it told', async () => {
    const before = await contents();
    const { writes, syncs } = { ...node.platform.disk.counts };
    const found = await inspect();
    expect(node.platform.disk.counts).toMatchObject({ writes, syncs });
    expect(await contents()).toEqual(before);
    const { recovered } = await node.start();
    expect(recovered.map(({ messages }) => messages.length)).toEqual(found.queues.map(({ messages }) => messages));
  });

  it('reports damage by file and offset, and leaves it where it is', async () => {
    const path = (await inspect()).files[0]!.path;
    node.platform.disk.corrupt(path, 3000);
    const before = await contents();
    const { damages, queues } = await inspect();
    expect(damages).toMatchObject([{ path, what: 'bytes that had been synced cannot be read back' }]);
    expect(damages[0]!.offset).toBeGreaterThan(1500);
    expect(damages[0]!.offset).toBeLessThanOrEqual(3000);
    expect(queues[0]!.messages).toBe(25);
    expect(await contents()).toEqual(before);
    expect(await node.platform.disk.list('/data/wal')).not.toContain('damaged');
  });

  it('shows the messages also when the metadata is damaged', async () => {
    node.platform.disk.corrupt('/data/metadata/metadata.log', 60);
    const { damages, metadata, queues } = await inspect();
    expect(metadata).toBeNull();
    expect(damages).toMatchObject([{ path: '/data/metadata/metadata.log' }]);
    expect(queues.map(({ messages }) => messages)).toEqual([25, 2]);
  });

  it('refuses what is no data directory', async () => {
    await node.platform.disk.makeDirectory('/elsewhere');
    await expect(node.settle(inspectDirectory(node.platform, '/elsewhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
