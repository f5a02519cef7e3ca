import { createSimPlatform } from '@chapar/platform';
import { expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { openStore } from './open.js';

it('says that the disk is behind, once, and when that is over', async () => {
  const platform = createSimPlatform(1);
  const store = await platform.settle(openStore({ platform, dataDir: '/data', wal: { behindBytes: 10_000 } }));
  await platform.settle(store.logs.recover());
  const said: boolean[] = [];
  store.logs.onBehind = (isBehind) => said.push(isBehind);
  const log = store.logs.log('11111111-1111-4111-8111-111111111111');
  for (let turn = 0; turn < 30; turn++) {
    log.publish(makeMessage({ body: 'x'.repeat(1000) }));
    store.logs.flush();
  }
  expect(said).toEqual([true]);
  platform.clock.advance(100);
  await platform.settle(store.logs.sync());
  expect(said).toEqual([true, false]);
  expect(store.logs.gatheredBytes).toBe(0);
  await platform.settle(store.close());
});
