import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrokerNode } from './broker-node.js';
import { until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { cannotWork } from './under-work.js';

const cannot = await cannotWork();

let cluster: RealCluster;

beforeAll(async () => {
  if (!cannot) cluster = await RealCluster.start({ leaseSeconds: 3 });
}, 60_000);
afterAll(() => cluster?.close());

const lasting = { protocolVersion: 5, clean: false, reconnectPeriod: 0, properties: { sessionExpiryInterval: 1000 } };

/** Again while the log of sessions finds a leader. `heard`: what it is sent from the first moment on. */
async function join(node: BrokerNode, clientId: string, heard: string[] = [], more: object = {}): Promise<MqttClient> {
  for (let tries = 1; ; tries++) {
    const client = mqtt.connect(node.mqttUrl, { ...lasting, ...more, clientId } as mqtt.IClientOptions);
    client.on('message', (_topic, payload) => heard.push(payload.toString()));
    const error = await new Promise<Error | null>((resolve) => {
      client.once('connect', () => resolve(null));
      client.on('error', resolve);
      client.once('close', () => resolve(new Error('it was hung up on')));
    });
    if (error === null) return client;
    client.end(true);
    if (tries === 20) throw error;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const numbered = (count: number, text: string) => Array.from({ length: count }, (_, i) => `${text} ${i}`);

describe.skipIf(cannot)('MQTT sessions of a cluster', { timeout: 120_000 }, () => {
  test('go along with their clients, and the connection before is told', async () => {
    const [a, b, c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    const publisher = await join(c, 'publisher 1');
    const heard: string[] = [];
    const first = await join(a, 'wanderer', heard);
    await first.subscribeAsync('way/#', { qos: 1 });
    const told: (number | undefined)[] = [];
    first.on('disconnect', ({ reasonCode }) => told.push(reasonCode));
    await publisher.publishAsync('way/1', 'one', { qos: 1 });
    await until('one has come', () => heard.length === 1);
    const second = await join(b, 'wanderer', heard);
    await until('the first is told', () => told.length === 1);
    expect(told).toEqual([0x8e]);
    await second.endAsync(true);
    await publisher.publishAsync('way/2', 'two', { qos: 1 });
    const third = await join(c, 'wanderer', heard);
    await until('two has come', () => heard.length === 2);
    expect(heard).toEqual(['one', 'two']);
    await Promise.all([third, publisher].map((client) => client.endAsync()));
  });

  test('are there when their node was killed, with all messages, those of QoS 2 once; the will is sent', async () => {
    const [a, b, c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    const wills: string[] = [];
    const witness = await join(c, 'witness', wills);
    await witness.subscribeAsync('will', { qos: 1 });
    const publisher = await join(b, 'publisher 2');
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 };
    const heard: string[] = [];
    const first = await join(a, 'survivor', heard, { will });
    await first.subscribeAsync({ 'one/#': { qos: 1 }, 'two/#': { qos: 2 } });
    const texts = numbered(200, 'before');
    const said = texts.map((text, i) =>
      publisher.publishAsync(i % 2 === 0 ? 'one/x' : 'two/x', text, { qos: i % 2 === 0 ? 1 : 2 }),
    );
    await until('some have come', () => heard.length > 20);
    await a.kill9();
    await Promise.all(said);
    const second = await join(c, 'survivor', heard);
    await publisher.publishAsync('two/x', 'last', { qos: 2 });
    await until('the last has come', () => heard.includes('last'), 30);
    expect(new Set(heard)).toEqual(new Set([...texts, 'last']));
    await until('the will is sent', () => wills.length > 0, 30);
    expect(wills).toEqual(['gone']);
    a.start();
    await a.ready();
    await Promise.all([second, publisher, witness].map((client) => client.endAsync()));
  });

  test('are there when all nodes were killed', async () => {
    const [a, , c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    const first = await join(a, 'sleeper');
    await first.subscribeAsync('dream', { qos: 2 });
    await first.endAsync();
    const publisher = await join(a, 'publisher 3');
    await publisher.publishAsync('dream', 'of sheep', { qos: 2 });
    await publisher.endAsync();
    await Promise.all(cluster.nodes.map((node) => node.kill9()));
    for (const node of cluster.nodes) node.start();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    const heard: string[] = [];
    const second = await join(c, 'sleeper', heard);
    await until('it has come', () => heard.length > 0, 30);
    expect(heard).toEqual(['of sheep']);
    await second.endAsync();
  });
});
