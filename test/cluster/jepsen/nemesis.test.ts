import { expect, test } from 'vitest';
import { SimRandom } from '../../../packages/platform/src/sim/random.js';
import type { BrokerNode } from '../broker-node.js';
import type { EtcdNode, RealCluster } from '../real-cluster.js';
import { Deck, kinds, usual } from './nemesis.js';
import { settingsFrom } from './settings.js';
import type { Stage } from './stage.js';
import { Timeline } from './timeline.js';

/** What is done to it can be drawn, and not be done. */
const stage = (() => {
  const place = (name: string) => ({
    name,
    host: name,
    wrapper: [],
    port: (wanted: number) => Promise.resolve(wanted),
  });
  const node = (name: string) => ({ name, place: place(name) }) as unknown as BrokerNode;
  const member = (name: string) => ({ place: place(name) }) as unknown as EtcdNode;
  const cluster = {
    nodes: ['a', 'b', 'c'].map(node),
    members: ['one', 'two', 'three'].map(member),
  } as unknown as RealCluster;
  return { leaseMs: 3000, cluster, machine: () => ({}) } as unknown as Stage;
})();

function drawn(seed: number): string[] {
  const random = new SimRandom(seed);
  return Object.values(kinds).map((kind) => {
    const { what, lastsMs, occupies } = kind({ stage, random, timeline: new Timeline() });
    return `${what}, ${lastsMs} ms, ${occupies.join(' ')}`;
  });
}

test('a seed draws the same again, and another one does not', () => {
  expect(drawn(1)).toEqual(drawn(1));
  expect(drawn(1)).not.toEqual(drawn(2));
});

test('every kind has its turn before any comes again', () => {
  const deck = new Deck(new SimRandom(3), usual);
  const rounds = [1, 2].map(() => usual.map(() => deck.draw()));
  for (const round of rounds) expect(round.toSorted()).toEqual(usual.toSorted());
  expect(rounds[0]).not.toEqual(rounds[1]);
});

test('what is meant to outlast the lease does, and what is not does not', () => {
  const lasts = (kind: string) => kinds[kind]!({ stage, random: new SimRandom(4), timeline: new Timeline() }).lastsMs;
  for (const kind of ['kill-long', 'pause', 'pause-two', 'isolate', 'etcd-majority', 'lose-disk']) {
    expect(lasts(kind), kind).toBeGreaterThan(4000);
  }
  for (const kind of ['kill', 'kill-all', 'pause-short']) expect(lasts(kind), kind).toBeLessThan(2500);
});

test('settings are checked, and a seed is given', () => {
  expect(settingsFrom({})).toMatchObject({ seconds: 60, rounds: 1, queueType: 'quorum', nemesis: usual });
  expect(settingsFrom({ CHAPAR_JEPSEN_NEMESIS: 'kill, lose-disk' }).nemesis).toEqual(['kill', 'lose-disk']);
  expect(() => settingsFrom({ CHAPAR_JEPSEN_NEMESIS: 'kill,boredom' })).toThrow('there is no nemesis boredom');
  expect(() => settingsFrom({ CHAPAR_JEPSEN_SEED: 'x' })).toThrow('CHAPAR_JEPSEN_SEED: expected a number');
  expect(() => settingsFrom({ CHAPAR_JEPSEN_QUEUE_TYPE: 'stream' })).toThrow('expected quorum or classic');
});
