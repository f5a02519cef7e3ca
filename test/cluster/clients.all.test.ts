import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { clientCommands } from './client-program.js';
import { RealCluster } from './real-cluster.js';
import { languages, type Player, Workload } from './workload.js';

const commands = await clientCommands();
const missing = languages.map((language) => commands[language].missing).find((reason) => reason !== null);
const cannot = skipUnless(missing === undefined, missing ?? '');

test.skipIf(cannot)(
  'clients in three languages go on when their broker is killed, and their ledgers tell what became of everything',
  { timeout: 90_000 },
  async () => {
    const alone = await RealCluster.start({ nodes: 1, etcdMembers: 0 });
    const [node] = alone.nodes;
    try {
      const connection = await connect(node!.url);
      const channel = await connection.createChannel();
      const queues = ['one', 'two', 'three'];
      for (const queue of queues) await channel.assertQueue(queue, { durable: true });
      await connection.close();
      const players = languages.flatMap((language, i): Player[] => [
        { role: 'publisher', language, queues, first: 0, unroutableEvery: 10 },
        { role: 'consumer', language, queues: [queues[i]!], first: 0 },
      ]);
      const workload = await Workload.start(alone.nodes, players);
      for (let round = 0; round < 2; round++) {
        await sleep(2000);
        await node!.kill9();
        await sleep(500);
        node!.start();
        await node!.ready();
      }
      await sleep(3000);
      const { faults, counts } = await workload.finish();
      console.log(JSON.stringify(counts));
      expect(faults).toEqual([]);
      // That it was worth the while: everybody came back, and did more than connect.
      for (const { work } of workload.programs) {
        const connections = workload.entriesOf(work.name).filter(({ e }) => e === 'connected');
        expect(connections.length, work.name).toBeGreaterThanOrEqual(2);
        expect(workload.entriesOf(work.name).length, work.name).toBeGreaterThan(300);
      }
      expect(counts.returned).toBeGreaterThan(50);
    } finally {
      await alone.close();
    }
  },
);
