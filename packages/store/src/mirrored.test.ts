import type { LogStore, Position, StoredReplica } from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { BoundaryDisk } from '../../../test/contract/boundary-disk.js';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { openStore } from './open.js';

const id = 'aaaaaaaa-0000-4000-8000-000000000001';

let node: SimStore;
let logs: LogStore;

beforeEach(async () => {
  node = new SimStore(1);
  ({ logs } = await node.start());
});

const crash = async () => {
  node.crash();
  ({ logs } = await node.start());
};

/** What lives in a copy: positions and bodies. */
async function livesIn(replica: StoredReplica): Promise<[Position, string][]> {
  const read = await node.settle(
    new Promise<[Position, string][]>((done) =>
      replica.read(1, replica.end, 1_000_000, ({ messages }) =>
        done(messages.map(({ position, message }) => [position, message.body().toString()])),
      ),
    ),
  );
  return read;
}

describe('the log of a queue that is mirrored', () => {
  it('becomes the first copy: what lives in it keeps its position, and what is said of it', async () => {
    const log = logs.log(id);
    for (const body of ['one', 'two', 'three', 'four']) log.publish(makeMessage({ body }));
    const transient = log.skip();
    log.publish(makeMessage({ body: 'six', expirationMs: 5000 }));
    log.publishAt(transient, makeMessage({ body: 'five', persistent: false }));
    log.settle(2, 2);
    log.pend(3, 'rejected');
    log.returned(4, 2);
    let committed = 0;
    log.onCommitted = (upTo) => {
      committed = upTo;
    };
    logs.flush();
    log.settle(1, 1);
    const replica = logs.replica(id);
    expect(logs.replica(id)).toBe(replica);
    const facts = () => {
      const { end, committed: known, starts } = logs.replica(id);
      const { count, mayExpire, pending, returns } = logs.replica(id).state();
      return { end, known, starts, count, mayExpire, pending: pending.map(({ position }) => position), returns };
    };
    const expected = {
      end: 6,
      known: 6,
      starts: [],
      count: 4,
      mayExpire: true,
      pending: [3],
      returns: [{ position: 4, count: 2 }],
    };
    expect(facts()).toEqual(expected);
    logs.flush();
    await node.settle(logs.sync());
    // Confirms that waited for the queue's own log are given by it.
    expect(committed).toBe(6);
    await crash();
    expect(logs.replicas).toEqual([id]);
    expect(facts()).toEqual(expected);
    expect(await livesIn(logs.replica(id))).toEqual([
      [3, 'three'],
      [4, 'four'],
      [5, 'five'],
      [6, 'six'],
    ]);
  });

  it('goes on as a copy with epochs of its own, also from a checkpoint and when old files have gone', async () => {
    node = new SimStore(1, { wal: { fileBytesMax: 600, bytesMin: 1200, liveFactor: 1.2, checkpointBytes: 1500 } });
    ({ logs } = await node.start());
    const log = logs.log(id);
    for (let i = 1; i <= 20; i++) log.publish(makeMessage({ body: `m${i}` }));
    log.settle(1, 15);
    logs.flush();
    await node.settle(logs.sync());
    const replica = logs.replica(id);
    replica.begin(2, replica.end + 1);
    const own = [21];
    for (let i = 0; i < 100; i++) {
      own.push(replica.publish(makeMessage({ body: `n${i}` }), { origin: 'o', sequence: i + 1, low: 0 }));
      if (i > 1) replica.change({ kind: 'settle', first: own.at(-2)!, last: own.at(-2)! });
      logs.flush();
      await node.settle(logs.sync());
      replica.commit(replica.end);
    }
    const expected = await livesIn(replica);
    expect(expected.slice(0, 5).map(([, body]) => body)).toEqual(['m16', 'm17', 'm18', 'm19', 'm20']);
    await crash();
    expect(logs.replica(id).starts).toEqual([{ epoch: 2, first: 21 }]);
    expect(await livesIn(logs.replica(id))).toEqual(expected);
  });

  it('is one or the other after a power cut at any change of the disk, and has all that was committed', async () => {
    for (let stopAt = 1; ; stopAt++) {
      const platform = createSimPlatform(stopAt);
      const { clock, log: nodeLog, random } = platform;
      const disk = new BoundaryDisk(platform.disk, stopAt, () => platform.crash('some'));
      let isOpen = true;
      let confirmed = 0;
      const begin = openStore({ platform: { clock, log: nodeLog, random, disk }, dataDir: '/data' }).then(
        async (store) => {
          await store.logs.recover();
          const log = store.logs.log(id);
          log.onCommitted = (upTo) => {
            confirmed = Math.max(confirmed, upTo);
          };
          for (let i = 1; i <= 10; i++) log.publish(makeMessage({ body: `m${i}` }));
          store.logs.flush();
          if (stopAt % 2 === 0) await store.logs.sync();
          log.publish(makeMessage({ body: 'm11' }));
          const replica = store.logs.replica(id);
          replica.begin(2, 12);
          replica.publish(makeMessage({ body: 'm13' }), null);
          const last = replica.operations;
          replica.onSynced = (operation) => {
            if (operation >= last) confirmed = 13;
          };
          store.logs.flush();
          await store.logs.sync();
          isOpen = false;
        },
      );
      begin.catch(() => undefined);
      while (isOpen && !disk.isStopped) await clock.advance(1);
      if (!disk.isStopped) {
        expect([confirmed, stopAt > 5]).toEqual([13, true]);
        return;
      }
      const again = openStore({ platform, dataDir: '/data' }).then(async ({ logs: found }) => {
        await found.recover();
        return found.replica(id);
      });
      let replica: StoredReplica | null = null;
      void again.then((found) => {
        replica = found;
      });
      while (replica === null) await clock.advance(1);
      const { end, state } = replica as StoredReplica;
      expect([stopAt, end >= confirmed]).toEqual([stopAt, true]);
      let lives = 0;
      state.call(replica).visit((position) => {
        if (position <= confirmed) lives++;
      });
      // The twelfth begins the epoch.
      expect([stopAt, lives]).toEqual([stopAt, confirmed > 12 ? confirmed - 1 : confirmed]);
    }
  });
});
