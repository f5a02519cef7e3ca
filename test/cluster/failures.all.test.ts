import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import type { BrokerNode } from './broker-node.js';
import { RealCluster } from './real-cluster.js';
import { cannotWork, goesOn, mend, workUnder } from './under-work.js';

const cannot = await cannotWork();

let cluster: RealCluster;
let [a, b, c]: BrokerNode[] = [];
const leaseSeconds = 3;
const timeout = 60_000;

beforeAll(async () => {
  if (cannot) return;
  cluster = await RealCluster.start({ leaseSeconds });
  [a, b, c] = cluster.nodes;
});
afterAll(() => cluster?.close());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  await mend(cluster);
});

describe.skipIf(cannot)('nothing that was confirmed is lost, nothing comes twice', { timeout }, () => {
  test('when a node is killed and is back within its lease', () =>
    workUnder(cluster, async () => {
      await c!.kill9();
      await goesOn(a, b);
      c!.start();
      await c!.ready();
    }));

  test('when a node is killed and comes back after its lease', () =>
    workUnder(cluster, async () => {
      await b!.kill9();
      await goesOn(c, a);
      await sleep((leaseSeconds + 1.5) * 1000);
      await goesOn(a, c);
      b!.start();
      await b!.ready();
    }));

  test('when a node stands still for a moment', () =>
    workUnder(cluster, async () => {
      a!.pause();
      await sleep(1500);
      a!.resume();
    }));

  test('when a node stands still beyond its lease', () =>
    workUnder(cluster, async () => {
      a!.pause();
      await goesOn(b, c);
      await sleep((leaseSeconds + 2) * 1000);
      await goesOn(c, b);
      a!.resume();
      await goesOn(a, b);
      await goesOn(b, a);
    }));

  test('when a node is stopped and started', () =>
    workUnder(cluster, async () => {
      await c!.restart();
    }));
});
