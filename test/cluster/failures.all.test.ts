import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { clientCommands } from './client-program.js';
import { Guest, until } from './guest.js';
import { part } from './landscape/landscape.js';
import { whyNoNamespaces } from './landscape/namespaces.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';
import { languages, type Player, Workload } from './workload.js';

const commands = await clientCommands();
const missing = languages.map((language) => commands[language].missing).find((reason) => reason !== null);
const cannot =
  skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)') ||
  skipUnless(missing === undefined, missing ?? '');
const noCuts = skipUnless(whyNoNamespaces === null, whyNoNamespaces ?? '');

let cluster: RealCluster;
let [a, b, c]: BrokerNode[] = [];
const leaseSeconds = 3;

beforeAll(async () => {
  if (cannot) return;
  cluster = await RealCluster.start({ leaseSeconds });
  [a, b, c] = cluster.nodes;
});
afterAll(() => cluster?.close());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  cluster.landscape.healAll();
  for (const node of cluster.nodes) {
    if (node.isRunning) node.resume();
    else node.start();
  }
  for (const node of cluster.nodes) await node.ready();
});

/** A durable queue at each node, and everybody's clients on all of them, each on another node than the queue it consumes from. */
async function workUnder(upset: () => Promise<void>): Promise<void> {
  const queues: string[] = [];
  for (const node of cluster.nodes) {
    const queue = `work-${node.name.at(-1)}`;
    queues.push(queue);
    const guest = await Guest.at(node);
    await guest.channel.assertQueue(queue, { durable: true });
    await guest.close();
  }
  const players = languages.flatMap((language, i): Player[] => [
    { role: 'publisher', language, queues, first: i, unroutableEvery: 20 },
    { role: 'consumer', language, queues: [queues[i]!], first: i + 1 },
  ]);
  const workload = await Workload.start(cluster.nodes, players);
  try {
    await sleep(500);
    await upset();
    await sleep(1000);
    const { faults, counts } = await workload.finish();
    console.log(JSON.stringify(counts));
    expect(faults).toEqual([]);
    // That it was worth the while.
    expect(counts.confirmed).toBeGreaterThan(500);
  } finally {
    workload.dispose();
  }
}

/** Clients of one node use a queue of another meanwhile. */
async function goesOn(from: BrokerNode | undefined, home: BrokerNode | undefined): Promise<void> {
  const queue = `goes-on-${home!.name.at(-1)}`;
  await until(`${from!.name} reaches ${home!.name}`, async () => {
    const guest = await Guest.at(from!);
    try {
      const declaring = await Guest.at(home!);
      await declaring.channel.assertQueue(queue, { durable: false, autoDelete: true });
      await declaring.close();
      const inbox = await guest.consume(queue);
      await guest.publish(queue, 'hello', { mandatory: true });
      expect(await inbox.take(1)).toEqual(['hello']);
      return true;
    } finally {
      await guest.close();
    }
  });
}

const timeout = 60_000;

describe.skipIf(cannot)('nothing that was confirmed is lost, nothing comes twice', { timeout }, () => {
  test('when a node is killed and is back within its lease', () =>
    workUnder(async () => {
      await c!.kill9();
      await goesOn(a, b);
      c!.start();
      await c!.ready();
    }));

  test('when a node is killed and comes back after its lease', () =>
    workUnder(async () => {
      await b!.kill9();
      await goesOn(c, a);
      await sleep((leaseSeconds + 1.5) * 1000);
      await goesOn(a, c);
      b!.start();
      await b!.ready();
    }));

  test('when a node stands still for a moment', () =>
    workUnder(async () => {
      a!.pause();
      await sleep(1500);
      a!.resume();
    }));

  test('when a node stands still beyond its lease', () =>
    workUnder(async () => {
      a!.pause();
      await goesOn(b, c);
      await sleep((leaseSeconds + 2) * 1000);
      await goesOn(c, b);
      a!.resume();
      await goesOn(a, b);
      await goesOn(b, a);
    }));

  test('when a node is stopped and started', () =>
    workUnder(async () => {
      await c!.restart();
    }));
});

describe.skipIf(cannot || noCuts)('nothing that was confirmed is lost, nothing comes twice', { timeout }, () => {
  test('when two nodes do not hear each other', () =>
    workUnder(async () => {
      part(cluster.landscape, a!.place, b!.place);
      await goesOn(a, c);
      await goesOn(c, b);
      await sleep((leaseSeconds + 1) * 1000);
      cluster.landscape.healAll();
      await goesOn(a, b);
    }));

  test('when a node hears the others and is not heard', () =>
    workUnder(async () => {
      for (const other of cluster.others(a!)) cluster.landscape.cut(a!.place, other.place);
      await goesOn(b, c);
      await sleep((leaseSeconds + 1) * 1000);
      cluster.landscape.healAll();
      await goesOn(a, b);
      await goesOn(b, a);
    }));

  test('when a node is cut off from everybody, etcd included', () =>
    workUnder(async () => {
      const rest = [...cluster.others(c!), ...cluster.members];
      for (const { place } of rest) part(cluster.landscape, c!.place, place);
      await goesOn(a, b);
      await sleep((leaseSeconds + 2) * 1000);
      cluster.landscape.healAll();
      await goesOn(a, c);
      await goesOn(c, a);
    }));
});
