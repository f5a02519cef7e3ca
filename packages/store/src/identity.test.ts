import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { readIdentity, renewIdentity } from './identity.js';
import { openStore } from './open.js';

const dataDir = '/data';

describe('a data directory that becomes somebody else', () => {
  it('is new, keeps what it had aside, and can be opened', async () => {
    const platform = createSimPlatform(1);
    const { disk, random } = platform;
    const store = await platform.settle(openStore({ platform, dataDir }));
    await platform.settle(store.metadata.change([], [{ key: 'k', value: 1 }]));
    await platform.settle(store.close());
    const renewed = await platform.settle(renewIdentity(disk, random, dataDir));
    expect(renewed.dataId).not.toBe(store.dataId);
    const again = await platform.settle(openStore({ platform, dataDir }));
    expect(again.dataId).toBe(renewed.dataId);
    expect((await again.metadata.load('')).entries).toEqual([]);
    expect(await platform.settle(disk.list(`/data/aside/${store.dataId}/metadata`))).toEqual(['metadata.log']);
    expect(await platform.settle(disk.readFile('/data/chapar.json')).then(String)).not.toContain('setAside');
  });

  it('is that after a power cut anywhere in between, once it has begun', async () => {
    let cuts = 0;
    for (let ms = 0; ; ms += 0.2) {
      const platform = createSimPlatform(2);
      const { disk, random } = platform;
      const store = await platform.settle(openStore({ platform, dataDir }));
      await platform.settle(store.metadata.change([], [{ key: 'k', value: 1 }]));
      await platform.settle(store.close());
      Object.assign(disk.delayMs, { write: 0.3, sync: 0.5, read: 0.1 });
      let isDone = false;
      renewIdentity(disk, random, dataDir).then(
        () => (isDone = true),
        () => undefined,
      );
      await platform.clock.advance(ms);
      if (isDone) break;
      cuts++;
      platform.crash();
      const again = await platform.settle(openStore({ platform, dataDir }));
      const { entries } = await again.metadata.load('');
      expect(entries).toHaveLength(again.dataId === store.dataId ? 1 : 0);
      expect(await platform.settle(readIdentity(disk, dataDir))).toEqual({ format: 1, dataId: again.dataId });
    }
    expect(cuts).toBeGreaterThan(5);
  });
});
