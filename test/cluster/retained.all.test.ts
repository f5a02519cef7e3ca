import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrokerNode } from './broker-node.js';
import { until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { cannotWork } from './under-work.js';

const cannot = await cannotWork();
const run = promisify(execFile);
const hasMosquitto = await run('mosquitto_sub', ['--help']).then(
  () => true,
  ({ code }) => code !== 'ENOENT',
);

let cluster: RealCluster;
const nodes = (): readonly BrokerNode[] => cluster.nodes;

beforeAll(async () => {
  if (!cannot) cluster = await RealCluster.start({ leaseSeconds: 3 });
}, 60_000);
afterAll(() => cluster?.close());

async function publish(node: BrokerNode, messages: Readonly<Record<string, string>>): Promise<void> {
  const client = await mqtt.connectAsync(node.mqttUrl, { protocolVersion: 5, reconnectPeriod: 0 });
  await Promise.all(
    Object.entries(messages).map(([topic, text]) => client.publishAsync(topic, text, { qos: 1, retain: true })),
  );
  await client.endAsync();
}

/** What a new subscriber gets that was retained, when nothing more comes for a while. */
async function retained(node: BrokerNode, filter: string): Promise<Record<string, string>> {
  const client = await mqtt.connectAsync(node.mqttUrl, { protocolVersion: 5, reconnectPeriod: 0 });
  const got: Record<string, string> = {};
  let lastMs = Date.now();
  client.on('message', (topic, payload, { retain }) => {
    if (retain) got[topic] = payload.toString();
    lastMs = Date.now();
  });
  await client.subscribeAsync(filter, { qos: 1 });
  await until('all has come', () => Date.now() - lastMs > 700);
  await client.endAsync();
  return got;
}

const numbered = (count: number, text: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`plant/${i}`, `${text} ${i}`] as const));

describe.skipIf(cannot)('retained messages in a cluster', { timeout: 120_000 }, () => {
  test('are the same on all nodes, whichever they came to', async () => {
    const [a, b, c] = nodes() as [BrokerNode, BrokerNode, BrokerNode];
    await publish(b, numbered(100, 'first'));
    for (const node of [a, b, c]) expect(await retained(node, 'plant/#')).toEqual(numbered(100, 'first'));
    await publish(c, { 'plant/0': '', 'plant/1': 'second' });
    const { 'plant/0': _, ...rest } = numbered(100, 'first');
    for (const node of [a, b, c]) expect(await retained(node, 'plant/#')).toEqual({ ...rest, 'plant/1': 'second' });
  });

  test.skipIf(!hasMosquitto)('are there for another client on another node at once', async () => {
    const [a, , c] = nodes() as [BrokerNode, BrokerNode, BrokerNode];
    for (let round = 0; round < 10; round++) {
      await run('mosquitto_pub', ['-L', `${a.mqttUrl}/shown`, '-m', `${round}`, '-q', '1', '-r']);
      const { stdout } = await run('mosquitto_sub', ['-L', `${c.mqttUrl}/shown`, '-C', '1', '-W', '5']);
      expect(stdout.trim()).toBe(`${round}`);
    }
  });

  test('survive each node that dies, and are taken meanwhile', async () => {
    for (const [index, victim] of nodes().entries()) {
      const other = nodes()[(index + 1) % 3]!;
      await publish(victim, numbered(50, `before ${index}`));
      await victim.kill9();
      await publish(other, { [`during/${index}`]: 'yes' });
      expect(await retained(other, 'plant/+')).toMatchObject(numbered(50, `before ${index}`));
      victim.start();
      await victim.ready();
      expect(await retained(victim, 'during/#')).toMatchObject({ [`during/${index}`]: 'yes' });
    }
  });

  test('are there when all nodes were stopped, or killed', async () => {
    await publish(nodes()[0]!, numbered(50, 'last'));
    for (const end of ['stop', 'kill9'] as const) {
      await Promise.all(nodes().map((node) => node[end]()));
      for (const node of nodes()) node.start();
      await Promise.all(nodes().map((node) => node.ready()));
      for (const node of nodes()) expect(await retained(node, 'plant/#')).toMatchObject(numbered(50, 'last'));
    }
  });
});
