import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { useBroker } from '../../examples/demo/broker.mjs';
import type { Broker } from '../interop/broker.js';
import { runWell, versionOf } from '../interop/command.js';
import { amqplibPromise } from '../interop/node/amqplib-promise.js';
import { rabbitmqClient } from '../interop/node/rabbitmq-client.js';
import { nodeScenarios } from '../interop/node/scenarios.js';
import { play } from '../interop/node/stage.js';
import { clients } from '../interop/python-environment.js';
import { needs, scenarios } from '../interop/scenarios.js';
import { skipUnless } from '../support/skip.js';
import { declaredElsewhere } from './declared-elsewhere.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';
import { Turnstile } from './turnstile.js';

// The scenarios of test/interop, here with every connection on another node than the one before.

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const noGo = noEtcd || skipUnless(versionOf('go', 'version'), 'Go is not installed');
const { python, missing } = await clients();
const noPython = noEtcd || skipUnless(missing === null, missing ?? '');

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const goProgram = here('../../node_modules/.cache/chapar-cluster-interop');

let cluster: RealCluster;
let turnstile: Turnstile;
let broker: Broker;

beforeAll(async () => {
  if (noEtcd) return;
  cluster = await RealCluster.start();
  turnstile = await Turnstile.before(cluster.nodes);
  broker = await useBroker({ url: turnstile.url, managementUrl: cluster.nodes[0]!.managementUrl });
});
afterAll(async () => {
  await turnstile?.close();
  await cluster?.close();
});

async function prepare(name: (typeof scenarios)[number]): Promise<void> {
  if (needs[name]?.needsUsers) for (const user of ['alice', 'bob']) await broker.addUser(user, 'secret');
}

describe.skipIf(noEtcd)('each connection on the next node', { timeout: 60_000 }, () => {
  describe.each([amqplibPromise, rabbitmqClient])('$name', (library) => {
    test.each(scenarios)('%s', async (name) => {
      await prepare(name);
      await play(nodeScenarios[name], library, broker);
    });
  });

  describe.skipIf(noPython)('pika', () => {
    const program = here('../interop/python/scenarios.py');
    test.each(scenarios)('%s', async (name) => {
      await prepare(name);
      await runWell([python ?? '', program, 'pika-blocking', name], { environment: { AMQP_URL: broker.url } });
    });
  });

  describe.skipIf(noGo)('amqp091-go', () => {
    beforeAll(() => runWell(['go', 'build', '-o', goProgram, '.'], { cwd: here('../interop/go'), seconds: 300 }));
    test.each(scenarios)('%s', async (name) => {
      await prepare(name);
      await runWell([goProgram, name], { environment: { AMQP_URL: broker.url } });
    });
  });
});

describe.skipIf(noEtcd)('queues that are declared on another node', { timeout: 60_000 }, () => {
  test.each(scenarios)('%s', async (name) => {
    await prepare(name);
    await play(nodeScenarios[name], declaredElsewhere(amqplibPromise, cluster.nodes), broker);
  });
});
