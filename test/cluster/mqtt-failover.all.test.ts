// The field's MQTT clients with a list of nodes, while the node that they are on is killed, one node after the other.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { type MqttLibrary, MqttPrograms, mqttCommand } from './mqtt-programs.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';

const players: readonly { readonly library: MqttLibrary; readonly version: 4 | 5 }[] = [
  { library: 'mqtt.js', version: 4 },
  { library: 'mqtt.js', version: 5 },
  { library: 'paho-python', version: 4 },
  { library: 'paho-python', version: 5 },
  { library: 'paho-java', version: 4 },
  { library: 'paho-java', version: 5 },
  { library: 'autopaho', version: 5 },
  { library: 'rumqttc', version: 4 },
];

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const commands = new Map(
  await Promise.all(players.map(async ({ library }) => [library, await mqttCommand(library)] as const)),
);
const present = players.flatMap(({ library, version }, i) => {
  const { command, missing } = commands.get(library)!;
  if (skipUnless(missing === null, missing ?? '')) return [];
  return [{ command: command!, version, name: `${library}-${version}`, first: i % 3 }];
});

/**
 * The program says why the one in Rust does. paho for Java keeps messages of QoS 2 of 5.0 when it has given them to its program
 * (CommsCallback.handleMessage of 1.2.5), and gives them again when PUBREL comes again, as it does on a new connection.
 */
const atLeastOnce = ['rumqttc-4', 'paho-java-5'];

/** paho for Java sends again with a topic alias of the connection before, which means nothing on a new one, and is hung up on for ever. */
const withoutAliases = { CHAPAR_MQTT__TOPIC_ALIAS_MAXIMUM: '0' };

let cluster: RealCluster;
beforeAll(async () => {
  if (!noEtcd) cluster = await RealCluster.start({ environment: withoutAliases });
}, 60_000);
afterAll(() => cluster?.close());

describe.skipIf(noEtcd)('MQTT clients with a list of nodes', { timeout: 300_000 }, () => {
  test('go on when their node is killed: QoS 2 once, QoS 1 never lost, in order, with their sessions', async () => {
    const programs = await MqttPrograms.start(cluster.nodes, present, atLeastOnce);
    try {
      for (const [round, victim] of cluster.nodes.entries()) {
        await sleep(1500);
        await victim.kill9();
        // Within the lease, and after it.
        await sleep(round === 1 ? 7000 : 500);
        victim.start();
        await victim.ready();
      }
      await sleep(1000);
      const { faults, counts, ledgers } = await programs.finish();
      console.log(JSON.stringify(counts));
      expect(faults).toEqual([]);
      for (const [name, ledger] of ledgers) {
        const connections = ledger.filter(({ e }) => e === 'connected');
        // Two clients a program, and each was on a node that was killed, at least once.
        expect(connections.length, name).toBeGreaterThanOrEqual(4);
        expect(ledger.filter(({ e }) => e === 'confirmed').length, name).toBeGreaterThan(10);
      }
    } finally {
      programs.dispose();
    }
  });
});
