import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodePlatform, createSimPlatform, DirectoryLockedError } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { readRecovered } from '../../../test/contract/recovered.js';
import { openStore } from './open.js';

describe('a data directory', () => {
  it('is made with an identity of its own, which it keeps', async () => {
    const platform = createSimPlatform(1);
    const open = () => platform.settle(openStore({ platform, dataDir: '/var/lib/chapar/data' }));
    const store = await open();
    expect(store.dataId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await platform.settle(store.close());
    platform.crash('nothing');
    const again = await open();
    expect(again.dataId).toBe(store.dataId);
    const other = createSimPlatform(2);
    const elsewhere = await other.settle(openStore({ platform: other, dataDir: '/data' }));
    expect(elsewhere.dataId).not.toBe(store.dataId);
  });

  it('belongs to one broker at a time', async () => {
    const platform = createSimPlatform(1);
    const store = await platform.settle(openStore({ platform, dataDir: '/data' }));
    await expect(platform.settle(openStore({ platform, dataDir: '/data' }))).rejects.toThrow(DirectoryLockedError);
    await platform.settle(store.close());
    await platform.settle(openStore({ platform, dataDir: '/data' }));
  });

  it('of a newer broker, or with an identity that cannot be read, is refused and let go', async () => {
    const platform = createSimPlatform(1);
    const open = () => platform.settle(openStore({ platform, dataDir: '/data' }));
    await platform.settle((await open()).close());
    const write = (text: string) => platform.disk.replaceFile('/data/chapar.json', Buffer.from(text));
    const whole = (await platform.disk.readFile('/data/chapar.json')).toString();
    await write(whole.replace('"format": 1', '"format": 2'));
    await expect(open()).rejects.toThrow(/chapar\.json has format version 2; this broker reads versions up to 1/);
    for (const text of ['', '{', 'null', '{"format":1}', '{"format":1,"dataId":"x"}', '[]']) {
      await write(text);
      await expect(open()).rejects.toThrow(/chapar\.json is damaged.*Restore it/);
    }
    await write(whole);
    await open();
  });

  it('can be closed before its log was read', async () => {
    const platform = createSimPlatform(1);
    const store = await platform.settle(openStore({ platform, dataDir: '/data' }));
    await platform.settle(store.close());
    await platform.settle(store.close());
  });

  it('works on the disk of this machine', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'chapar-store-'));
    const platform = createNodePlatform({ log: { level: 'silent' } });
    try {
      const store = await openStore({ platform, dataDir, wal: { fileBytesMax: 100_000, bytesMin: 200_000 } });
      await store.logs.recover();
      const log = store.logs.log('a queue');
      for (let i = 1; i <= 1_000; i++) {
        log.publish(makeMessage({ body: `message ${i}`.padEnd(i % 50 === 0 ? 40_000 : 1_000) }));
        if (i % 100 === 0) await store.logs.sync();
        if (i % 10 !== 0) log.settle(i, i);
      }
      await store.metadata.change([], [{ key: 'k', value: 'v' }]);
      await store.close();
      const again = await openStore({ platform, dataDir });
      const [queue] = await readRecovered(again.logs, await again.logs.recover(), 100_000);
      expect(queue?.messages.map(({ position }) => position)).toEqual(
        Array.from({ length: 100 }, (_, i) => 10 * i + 10),
      );
      for (const { position, message } of queue!.messages) {
        expect(message.body().toString().trimEnd()).toBe(`message ${position}`);
      }
      expect((await again.metadata.load('')).entries).toMatchObject([{ key: 'k', value: 'v' }]);
      expect(JSON.parse(await readFile(join(dataDir, 'chapar.json'), 'utf8'))).toEqual({
        format: 1,
        dataId: again.dataId,
      });
      await again.close();
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});
