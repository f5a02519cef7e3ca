// A rolling restart as docs/CLUSTER.md describes it, under MQTT clients with a list of nodes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { chapar } from './chapar-command.js';
import { until } from './guest.js';
import type { MqttEntry } from './ledger/mqtt-entry.js';
import { type MqttLibrary, MqttPrograms, mqttCommand } from './mqtt-programs.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';

const players: readonly { readonly library: MqttLibrary; readonly version: 4 | 5 }[] = [
  { library: 'mqtt.js', version: 4 },
  { library: 'mqtt.js', version: 5 },
  { library: 'paho-python', version: 5 },
];
const administrativeAction = 0x98;
const shuttingDown = 0x8b;

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const commands = await Promise.all(players.map(({ library }) => mqttCommand(library)));
const missing = commands.find((command) => command.missing !== null)?.missing;
const cannot = noEtcd || skipUnless(missing === undefined, missing ?? '');

let cluster: RealCluster;
beforeAll(async () => {
  if (!cannot) cluster = await RealCluster.start();
}, 60_000);
afterAll(() => cluster?.close());

/** `first`: the number of the node that a program begins with. */
const start = (story: string, first: (i: number) => number) =>
  MqttPrograms.start(
    cluster.nodes,
    players.map(({ library, version }, i) => ({
      ...{ command: commands[i]!.command!, version, name: `${story}-${library}-${version}`, first: first(i) },
    })),
  );

const reasons = (ledger: readonly MqttEntry[]) => ledger.flatMap((entry) => (entry.e === 'told' ? [entry.reason] : []));
const connections = (ledger: readonly MqttEntry[]) => ledger.filter(({ e }) => e === 'connected').length;

describe.skipIf(cannot)('MQTT clients of a cluster', { timeout: 300_000 }, () => {
  test('are told to go when their node is drained, and lose nothing while every node is restarted', async () => {
    const programs = await start('drained', (i) => i);
    try {
      for (const node of cluster.nodes) {
        const before = programs.ledgers();
        const drained = await chapar('drain', '--data-dir', node.dataDir);
        expect(drained).toMatchObject({ code: 0 });
        await node.stop();
        node.start();
        await node.ready();
        expect(await chapar('status', '--wait', '--data-dir', node.dataDir)).toMatchObject({ code: 0 });
        // Everybody whom it had is somewhere else, and publishes.
        await until('all publish', () =>
          [...programs.ledgers()].every(([name, ledger]) => {
            const of = (entries: readonly MqttEntry[]) => entries.filter(({ e }) => e === 'confirmed').length;
            return of(ledger) > of(before.get(name)!) + 5;
          }),
        );
      }
      expect(await chapar('rebalance', '--data-dir', cluster.nodes[0]!.dataDir)).toMatchObject({ code: 0 });
      const { faults, counts, ledgers } = await programs.finish();
      console.log(JSON.stringify(counts));
      expect(faults).toEqual([]);
      for (const { work } of programs.programs) {
        const ledger = ledgers.get(work.name)!;
        expect(connections(ledger), work.name).toBeGreaterThanOrEqual(4);
        // Before 5.0 there is no word for it.
        expect([...new Set(reasons(ledger))], work.name).toEqual(work.version === 5 ? [administrativeAction] : []);
      }
    } finally {
      programs.dispose();
    }
  });

  test('are told when their node is stopped without a drain, and lose nothing either', async () => {
    const programs = await start('stopped', () => 0);
    try {
      const [a] = cluster.nodes;
      await until('all publish', () =>
        [...programs.ledgers().values()].every((ledger) => ledger.some(({ e }) => e === 'confirmed')),
      );
      await a!.stop();
      await until('those whom it had are elsewhere', () =>
        [...programs.ledgers().values()].every((ledger) => connections(ledger) >= 4),
      );
      a!.start();
      await a!.ready();
      const { faults, ledgers } = await programs.finish();
      expect(faults).toEqual([]);
      for (const { work } of programs.programs)
        expect(reasons(ledgers.get(work.name)!), work.name).toEqual(
          work.version === 5 ? [shuttingDown, shuttingDown] : [],
        );
    } finally {
      programs.dispose();
    }
  });
});
