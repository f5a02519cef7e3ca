import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { KeyedModel } from './keyed-model.js';
import { KeyedCluster } from './keyed-stage.js';

const seeds = Number(process.env.CHAPAR_SEEDS ?? 6);
const first = Number(process.env.CHAPAR_SEED ?? 1);

/** Something that goes wrong, and how it is repaired; null: it is by itself. */
type Trouble = (cluster: KeyedCluster, index: number) => (() => Promise<void> | void) | null;

const troubles: readonly Trouble[] = [
  (cluster, index) => {
    cluster.kill(index);
    return () => cluster.restart(index);
  },
  (cluster, index) => {
    cluster.isolate(index, true);
    return () => cluster.isolate(index, false);
  },
  (cluster, index) => {
    const [from, to] = [cluster.nodes[index]!.at.name, cluster.nodes[(index + 1) % 3]!.at.name];
    cluster.peers.cut(from, to);
    return () => cluster.peers.mend(from, to);
  },
  (cluster, index) => {
    cluster.peers.reset(cluster.nodes[index]!.at.name, cluster.nodes[(index + 2) % 3]!.at.name);
    return null;
  },
];

async function play(seed: number): Promise<KeyedModel> {
  const random = new SimRandom(seed);
  const cluster = await KeyedCluster.of(['a', 'b', 'c'], seed);
  const model = new KeyedModel(cluster, random);
  for (let round = 0; round < 12; round++) {
    await model.run(random.integer(600));
    const index = random.integer(3);
    if (cluster.isUp(index) && random.unit() < 0.5) await model.ask(index);
    const repair = troubles[random.integer(troubles.length)]!(cluster, random.integer(3));
    // Shorter than a lease, or longer.
    await model.run(random.unit() < 0.5 ? random.integer(2000) : 8000 + random.integer(6000));
    await repair?.();
    await model.run(random.integer(1500));
  }
  await cluster.advance(60_000);
  await model.run(100);
  await cluster.advance(30_000);
  model.finish();
  return model;
}

describe('a keyed log, while nodes die and are cut off', () => {
  it.each(Array.from({ length: seeds }, (_, i) => first + i))(
    'loses nothing, and all agree: seed %i',
    async (seed) => {
      const model = await play(seed);
      expect(model.wrongs).toEqual([]);
      expect(model.confirmed).toBeGreaterThan(100);
    },
    120_000,
  );
});
