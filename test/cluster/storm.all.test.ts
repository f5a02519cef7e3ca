import { expect, test } from 'vitest';
import { SimRandom } from '../../packages/platform/src/sim/random.js';
import { Guest } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { Storm } from './storm.js';
import { cannotWork } from './under-work.js';
import { languages, type Player, Workload } from './workload.js';

const cannot = await cannotWork();

/** Longer on demand: `CHAPAR_TEST_STORM_SECONDS=300`, and `CHAPAR_TEST_SEED` for one that was seen before. */
const seconds = Number(process.env['CHAPAR_TEST_STORM_SECONDS'] ?? 15);
const timeout = (seconds + 120) * 1000;

test.skipIf(cannot)('four publishers and four consumers in a storm of everything', { timeout }, async () => {
  const seed = Number(process.env['CHAPAR_TEST_SEED'] ?? Date.now() % 1_000_000);
  console.log(`storm of ${seconds} s, seed ${seed}`);
  const cluster = await RealCluster.start({ leaseSeconds: 3, etcdMembers: 3 });
  const storm = new Storm(cluster, new SimRandom(seed));
  let workload: Workload | null = null;
  try {
    const queues: string[] = [];
    for (const [i, node] of [...cluster.nodes, cluster.nodes[0]!].entries()) {
      queues.push(`storm-${i}`);
      const guest = await Guest.at(node);
      await guest.channel.assertQueue(queues[i]!, { durable: true });
      await guest.close();
    }
    const four = [...languages, 'go' as const];
    const players = four.flatMap((language, i): Player[] => [
      { role: 'publisher', language, queues, first: i, unroutableEvery: 20 },
      { role: 'consumer', language, queues: [queues[i]!], first: i + 1 },
    ]);
    workload = await Workload.start(cluster.nodes, players);
    await storm.rage(seconds);
    const { faults, counts } = await workload.finish({ drainSeconds: 60 });
    console.log(JSON.stringify(counts));
    expect(faults).toEqual([]);
    expect(counts.confirmed).toBeGreaterThan(seconds * 50);
  } catch (error) {
    console.log(`${storm.diary.join('\n')}\n${cluster.said()}`);
    throw error;
  } finally {
    workload?.dispose();
    await cluster.close();
  }
});
