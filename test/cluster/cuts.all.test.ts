import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { part } from './landscape/landscape.js';
import { whyNoNamespaces } from './landscape/namespaces.js';
import { RealCluster } from './real-cluster.js';
import { cannotWork, goesOn, mend, workUnder } from './under-work.js';

const cannot = (await cannotWork()) || skipUnless(whyNoNamespaces === null, whyNoNamespaces ?? '');

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
  test('when connections between nodes break again and again', () =>
    workUnder(cluster, async () => {
      for (let round = 0; round < 12; round++) {
        const [one, other] = [cluster.nodes[round % 3]!, cluster.nodes[(round + 1) % 3]!];
        await cluster.landscape.breakConnections(one.place, other.place);
        await sleep(250);
      }
    }));

  test('when two nodes do not hear each other', () =>
    workUnder(cluster, async () => {
      part(cluster.landscape, a!.place, b!.place);
      await goesOn(a, c);
      await goesOn(c, b);
      await sleep(2000);
      cluster.landscape.healAll();
      await goesOn(a, b);
    }));

  test('when a node hears the others and is not heard', () =>
    workUnder(cluster, async () => {
      for (const other of cluster.others(a!)) cluster.landscape.cut(a!.place, other.place);
      await goesOn(b, c);
      await sleep(2000);
      cluster.landscape.healAll();
      await goesOn(a, b);
      await goesOn(b, a);
    }));

  test('when a node is cut off from everybody, etcd included', () =>
    workUnder(cluster, async () => {
      const rest = [...cluster.others(c!), ...cluster.members];
      for (const { place } of rest) part(cluster.landscape, c!.place, place);
      await goesOn(a, b);
      await sleep((leaseSeconds + 1) * 1000);
      cluster.landscape.healAll();
      await goesOn(a, c);
      await goesOn(c, a);
    }));
});
