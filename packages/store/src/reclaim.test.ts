import type { LogStore, Position } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { WAL_DEFAULTS, type Wal } from './wal.js';

const fileBytesMax = 8_000;
const queues = ['drained', 'half', 'few stay', 'one stays', 'purged'];

class Load {
  readonly waiting = new Map<string, Position[]>(queues.map((queue) => [queue, []]));
  private readonly logs: LogStore;
  private readonly random: SimRandom;

  constructor(logs: LogStore, random: SimRandom) {
    this.logs = logs;
    this.random = random;
  }

  publish(): void {
    for (const queue of queues) {
      for (let i = this.random.integer(6); i > 0; i--) {
        const body = 'x'.repeat(this.random.integer(400));
        this.waiting.get(queue)!.push(this.logs.log(queue).publish(makeMessage({ body })));
      }
    }
  }

  settle(): void {
    this.settleWhere('drained', () => this.random.chance(0.9));
    this.settleWhere('half', () => this.random.chance(0.2));
    this.settleWhere('few stay', (position) => position % 20 !== 0);
    this.settleWhere('one stays', (position) => position !== 1);
    if (this.random.chance(0.05)) this.settleWhere('purged', () => true);
  }

  private settleWhere(queue: string, isSettled: (position: Position) => boolean): void {
    const kept: Position[] = [];
    for (const position of this.waiting.get(queue)!) {
      if (isSettled(position)) this.logs.log(queue).settle(position, position);
      else kept.push(position);
    }
    this.waiting.set(queue, kept);
  }
}

describe('space of the write-ahead log', () => {
  it('stays within twice what lives and two files, whatever is settled in which order', {
    timeout: 60_000,
  }, async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const node = new SimStore(seed, { wal: { fileBytesMax, bytesMin: fileBytesMax, checkpointBytes: 20_000 } });
      const { logs } = await node.start();
      const load = new Load(logs, new SimRandom(seed));
      let emptied = 0;
      for (let turn = 0; turn < 150; turn++) {
        load.publish();
        load.settle();
        await node.settle(logs.sync());
        await node.idle();
        const { generations } = (logs as Wal).files;
        const { bytes, liveBytes } = generations.measure();
        expect(bytes).toBeLessThanOrEqual(2 * liveBytes + 2 * fileBytesMax);
        emptied = generations.oldest!.number - 1;
        let onDisk = 0;
        for (const name of await node.platform.disk.list('/data/wal')) {
          if (name.startsWith('wal-')) onDisk += (await node.written(`/data/wal/${name}`)).length;
        }
        // And the header of the file that is prepared.
        expect(onDisk).toBeLessThanOrEqual(2 * liveBytes + 2 * fileBytesMax + 36);
      }
      expect(emptied).toBeGreaterThan(10);
      const counts = await restart(node);
      expect(counts).toEqual([...load.waiting].map(([queue, positions]) => [queue, positions.length]));
    }
  });

  it('is given back without reading anything while messages stay for a short time only', async () => {
    const scale = 4096;
    const { fileBytesMax, bytesMin } = WAL_DEFAULTS;
    const node = new SimStore(1, { wal: { fileBytesMax: fileBytesMax / scale, bytesMin: bytesMin / scale } });
    const { logs } = await node.start();
    const log = logs.log('short');
    const { counts } = node.platform.disk;
    const readBefore = counts.bytesRead;
    for (let turn = 0; turn < 2_000; turn++) {
      const last = log.publish(makeMessage({ body: 'x'.repeat(100) }));
      // Ten are in flight at any time, also when a file begins.
      if (last > 10) log.settle(last - 10, last - 10);
      await node.settle(logs.sync());
      await node.idle();
    }
    expect((logs as Wal).files.generations.oldest!.number).toBeGreaterThan(10);
    expect(counts.bytesRead).toBe(readBefore);
  });
});

async function restart(node: SimStore): Promise<[string, number][]> {
  node.crash();
  const { recovered } = await node.start();
  return queues.map((queue) => [queue, recovered.find(({ incarnation }) => incarnation === queue)?.count ?? 0]);
}
