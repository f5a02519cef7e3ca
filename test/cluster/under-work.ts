import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { clientCommands } from './client-program.js';
import { Guest, until } from './guest.js';
import type { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';
import { languages, type Player, Workload } from './workload.js';

/** Whether stories with clients in three languages have to be skipped; says why. */
export async function cannotWork(): Promise<boolean> {
  const commands = await clientCommands();
  const missing = languages.map((language) => commands[language].missing).find((reason) => reason !== null);
  return (
    skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)') ||
    skipUnless(missing === undefined, missing ?? '')
  );
}

/** After each story: all ways are open, all nodes run and find each other again, whatever the story left. */
export async function mend(cluster: RealCluster): Promise<void> {
  cluster.landscape.healAll();
  for (const node of cluster.nodes) {
    if (node.isRunning) node.resume();
    else node.start();
  }
  for (const node of cluster.nodes) await node.ready();
  await cluster.linked();
}

/** A durable queue at each node, and everybody's clients on all of them, each on another node than the queue it consumes from. */
export async function workUnder(cluster: RealCluster, upset: () => Promise<void>): Promise<void> {
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
    await sleep(300);
    await upset();
    await sleep(700);
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
export async function goesOn(from: BrokerNode | undefined, home: BrokerNode | undefined): Promise<void> {
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
