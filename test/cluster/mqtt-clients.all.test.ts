// What MQTT clients see of a cluster: mqtt.js and Mosquitto's tools on real nodes, some of which are killed.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Program } from '../../examples/demo/program.mjs';
import { runWell } from '../interop/command.js';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { Guest, until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';
import { mend } from './under-work.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const noMosquitto = skipUnless(existsSync('/usr/bin/mosquitto_sub'), 'mosquitto-clients is not installed');

let cluster: RealCluster;
const nodes = () => cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];

beforeAll(async () => {
  if (!noEtcd) cluster = await RealCluster.start({ leaseSeconds: 3 });
}, 60_000);
afterEach(async () => {
  if (!noEtcd) await mend(cluster);
}, 60_000);
afterAll(() => cluster?.close());

interface Joined {
  readonly client: MqttClient;
  readonly isPresent: boolean;
  readonly heard: string[];
  /** Reason codes of the broker's DISCONNECT. */
  readonly told: (number | undefined)[];
  isClosed: boolean;
}

/** Of 5.0, and kept for a while, unless `more` says otherwise; again while the log of sessions finds a leader. */
async function join(node: BrokerNode, clientId: string, more: IClientOptions = {}): Promise<Joined> {
  const lasting = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 600 } } as const;
  for (let tries = 1; ; tries++) {
    const client = mqtt.connect(node.mqttUrl, { ...lasting, reconnectPeriod: 0, ...more, clientId });
    const joined: Joined = { client, isPresent: false, heard: [], told: [], isClosed: false };
    client.on('message', (topic, payload, { retain }) =>
      joined.heard.push(`${topic} ${payload}${retain ? ' retained' : ''}`),
    );
    client.on('disconnect', ({ reasonCode }) => joined.told.push(reasonCode));
    client.on('close', () => {
      joined.isClosed = true;
    });
    const present = await new Promise<boolean | Error>((resolve) => {
      client.once('connect', ({ sessionPresent }) => resolve(sessionPresent));
      client.on('error', resolve);
      client.once('close', () => resolve(new Error('it was hung up on')));
    });
    if (typeof present === 'boolean') return Object.assign(joined, { isPresent: present });
    client.end(true);
    if (tries === 30) throw present;
    await sleep(500);
  }
}

const leave = (...all: readonly Joined[]) => Promise.all(all.map(({ client }) => client.endAsync()));

/** Mosquitto's, on a node. */
function mosquitto(name: 'pub' | 'sub', node: BrokerNode, ...args: string[]): Promise<string> {
  const { hostname, port } = new URL(node.mqttUrl);
  const at = ['-h', hostname, '-p', port, '-u', 'guest', '-P', 'guest'];
  return runWell([`mosquitto_${name}`, ...at, ...args], { seconds: 40 });
}

describe.skipIf(noEtcd || noMosquitto)('a client that comes to another node', { timeout: 60_000 }, () => {
  test.each([4, 5] as const)(
    'level %i: the connection that it had is told, and mosquitto_sub goes on',
    async (level) => {
      const [a, b, c] = nodes();
      const id = `taken-${level}`;
      const version = level === 5 ? 'mqttv5' : 'mqttv311';
      const first = await join(a, id, { protocolVersion: level });
      await first.client.subscribeAsync(`${id}/#`, { qos: 1 });
      const second = mosquitto('sub', b, '-V', version, '-i', id, '-c', '-q', '1', '-t', `${id}/#`, '-C', '2', '-v');
      await until('the first is hung up on', () => first.isClosed);
      expect(first.told).toEqual(level === 5 ? [0x8e] : []);
      for (const text of ['one', 'two'])
        await mosquitto('pub', c, '-V', version, '-q', '1', '-t', `${id}/x`, '-m', text);
      expect((await second).trim().split('\n')).toEqual([`${id}/x one`, `${id}/x two`]);
      expect(first.heard).toEqual([]);
    },
  );

  test('finds what was published on every node while it was away', async () => {
    const [a, b, c] = nodes();
    const sub = (node: BrokerNode, ...more: string[]) =>
      mosquitto('sub', node, '-i', 'traveller', '-c', '-q', '2', '-t', 'away/#', ...more);
    await sub(a, '-E');
    const topics = [a, b, c].flatMap((node, i) => [1, 2].map((qos) => ({ node, qos, topic: `away/${i}/${qos}` })));
    for (const { node, qos, topic } of topics) await mosquitto('pub', node, '-q', `${qos}`, '-t', topic, '-m', 'x');
    const heard = await sub(b, '-C', '6', '-F', '%t %q');
    // One of QoS 2 is heard with its PUBREL only.
    expect(heard.trim().split('\n').toSorted()).toEqual(topics.map(({ topic, qos }) => `${topic} ${qos}`));
    // And when the node where it was is dead, with what came before and after that.
    await mosquitto('pub', b, '-q', '2', '-t', 'away/before', '-m', 'x');
    await b.kill9();
    for (const node of [a, c]) await mosquitto('pub', node, '-q', '2', '-t', `away/${node.name.at(-1)}`, '-m', 'x');
    const back = await join(c, 'traveller', { protocolVersion: 4 });
    expect(back.isPresent).toBe(true);
    await until('all has come', () => back.heard.length === 3, 30);
    expect(back.heard).toEqual(['away/before x', 'away/a x', 'away/c x']);
    await leave(back);
  });

  test('finds no session that is over, also when its node is dead', async () => {
    const [a, b, c] = nodes();
    const expiring = (node: BrokerNode, id: string, sessionExpiryInterval: number) =>
      join(node, id, { properties: { sessionExpiryInterval } });
    const short = await expiring(a, 'short', 1);
    const long = await expiring(a, 'long', 600);
    const orphan = await expiring(c, 'orphan', 5);
    for (const { client } of [short, long, orphan]) await client.subscribeAsync('time', { qos: 1 });
    await leave(short, long);
    await c.kill9();
    await sleep(2500);
    const [shortAgain, longAgain] = [await expiring(b, 'short', 1), await expiring(b, 'long', 600)];
    expect([shortAgain.isPresent, longAgain.isPresent]).toEqual([false, true]);
    await leave(shortAgain, longAgain);
    const left = async () => {
      const queues = await b.api<{ readonly name: string }[]>('GET', 'queues');
      return queues.map(({ name }) => name).filter((name) => /-(short|long|orphan)qos1$/.test(name));
    };
    // Its lease of three seconds, its own five, and whoever sees to it.
    await until('the queues of those that are over are gone', async () => (await left()).length === 1, 30);
    expect(await left()).toEqual(['mqtt-subscription-longqos1']);
    const orphanAgain = await expiring(a, 'orphan', 5);
    expect(orphanAgain.isPresent).toBe(false);
    await leave(orphanAgain);
  });
});

describe.skipIf(noEtcd)('wills of clients whose node is killed', { timeout: 60_000 }, () => {
  test('are sent once, at their time, retained ones stay; not that of a client that is back in time', async () => {
    const [a, b, c] = nodes();
    const witness = await join(b, 'witness');
    await witness.client.subscribeAsync('will/#', { qos: 1 });
    const dying = (id: string, willDelayInterval: number, retain = false) => {
      const payload = Buffer.from('gone');
      return join(a, id, { will: { topic: `will/${id}`, payload, qos: 1, retain, properties: { willDelayInterval } } });
    };
    const doomed = [
      await dying('now', 0),
      await dying('retained', 0, true),
      await dying('late', 6),
      await dying('saved', 12),
    ];
    const killedMs = Date.now();
    await a.kill9();
    const saved = await join(c, 'saved');
    expect(saved.isPresent).toBe(true);
    await until('those without delay are sent', () => witness.heard.length >= 2, 30);
    expect(witness.heard.toSorted()).toEqual(['will/now gone', 'will/retained gone']);
    await until('that with delay is sent', () => witness.heard.length >= 3, 30);
    expect(Date.now() - killedMs).toBeGreaterThan(6000);
    const late = await join(c, 'late reader');
    await late.client.subscribeAsync('will/#', { qos: 1 });
    await until('the retained one has come', () => late.heard.length > 0);
    await mend(cluster);
    await sleep(Math.max(1000, killedMs + 13_500 - Date.now()));
    expect(witness.heard).toEqual([...witness.heard.slice(0, 2), 'will/late gone']);
    expect(late.heard).toEqual(['will/retained gone retained']);
    for (const { client } of doomed) client.end(true);
    await leave(witness, saved, late);
  });

  test('stand before what the client says when it is back, also with a clean session', async () => {
    const [a, b, c] = nodes();
    const witness = await join(b, 'witness 2');
    await witness.client.subscribeAsync('status', { qos: 1 });
    const clean = { clean: true, properties: {} };
    const will = { topic: 'status', payload: Buffer.from('offline'), qos: 1, retain: true } as const;
    const first = await join(a, 'sensor with a will', { ...clean, will });
    await first.client.publishAsync('status', 'online', { qos: 1, retain: true });
    // That it is there, and its will, is told to the others behind its CONNACK.
    await sleep(1000);
    await a.kill9();
    const second = await join(c, 'sensor with a will', { ...clean, will });
    await second.client.publishAsync('status', 'online again', { qos: 1, retain: true });
    await until('it is online', () => witness.heard.length >= 3, 30);
    await mend(cluster);
    expect(witness.heard).toEqual(['status online', 'status offline', 'status online again']);
    const late = await join(a, 'late reader 2');
    await late.client.subscribeAsync('status', { qos: 1 });
    await until('the retained one has come', () => late.heard.length > 0);
    expect(late.heard).toEqual(['status online again retained']);
    first.client.end(true);
    await leave(witness, second, late);
  });
});

describe.skipIf(noEtcd)('subscribers on all nodes', { timeout: 60_000 }, () => {
  const everywhere = (name: string, more: IClientOptions = {}) =>
    Promise.all(nodes().map((node, i) => join(node, `${name}-${i}`, more)));

  test('of QoS 0 hear each message once, in the order of its publisher, whoever published it where', async () => {
    const clean = { clean: true, properties: {} };
    const listeners = [...(await everywhere('zero', clean)), ...(await everywhere('zero again', clean))];
    for (const { client } of listeners) await client.subscribeAsync('zero/#', { qos: 0 });
    const talkers = await everywhere('talker', clean);
    const guest = await Guest.at(nodes()[1]);
    for (let i = 0; i < 100; i++) {
      for (const [t, { client }] of talkers.entries()) client.publish(`zero/${t}`, `${i}`, { qos: 0 });
      await guest.publish('zero.amqp', `${i}`, { exchange: 'amq.topic' });
    }
    await until('everybody has everything', () => listeners.every(({ heard }) => heard.length >= 400), 30);
    await sleep(300);
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    for (const { heard } of listeners) {
      for (const who of ['0', '1', '2', 'amqp']) {
        const of = heard.filter((text) => text.startsWith(`zero/${who} `));
        expect(of).toEqual(numbers.map((i) => `zero/${who} ${i}`));
      }
    }
    await guest.close();
    await leave(...listeners, ...talkers);
  });

  test('share what is published, also when one of their nodes is killed', async () => {
    const [a, b] = nodes();
    const members = await everywhere('member');
    for (const { client } of members) await client.subscribeAsync('$share/group/job/#', { qos: 1 });
    const talker = await join(b, 'foreman');
    const publish = (from: number, count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, i) => talker.client.publishAsync('job/x', `${from + i}`, { qos: 1 })),
      );
    const heard = () => members.flatMap(({ heard: own }) => own.map((text) => Number(text.split(' ')[1])));
    await publish(0, 90);
    await until('all is done', () => heard().length >= 90);
    expect(heard().toSorted((x, y) => x - y)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    for (const { heard: own } of members) expect(own.length).toBeGreaterThan(10);
    const under = publish(90, 90);
    await a.kill9();
    await under;
    await until('all is done', () => new Set(heard()).size >= 180, 30);
    members[0]!.client.end(true);
    await leave(talker, ...members.slice(1));
  });

  test('of one protocol on one node hear the other on another', async () => {
    const [a, b, c] = nodes();
    const guest = await Guest.at(a);
    await guest.channel.assertQueue('readings', { durable: true });
    await guest.channel.bindQueue('readings', 'amq.topic', 'plant.*.temperature');
    const inbox = await guest.consume('readings');
    const sensor = await join(b, 'sensor');
    const listener = await join(c, 'listener');
    await listener.client.subscribeAsync('plant/+/command', { qos: 2 });
    for (const qos of [0, 1, 2] as const) await sensor.client.publishAsync('plant/7/temperature', `${qos}`, { qos });
    expect(await inbox.take(3)).toEqual(['0', '1', '2']);
    expect(inbox.messages.map(({ fields }) => fields.routingKey)).toEqual(Array(3).fill('plant.7.temperature'));
    await guest.publish('plant.7.command', 'off', { exchange: 'amq.topic', persistent: true });
    await until('the command has come', () => listener.heard.length > 0);
    expect(listener.heard).toEqual(['plant/7/command off']);
    await guest.channel.deleteQueue('readings');
    await guest.close();
    await leave(sensor, listener);
  });
});

describe.skipIf(noEtcd)('the example', { timeout: 60_000 }, () => {
  test('a sensor and a dashboard go on when the node of each is killed', async () => {
    const [a, b, c] = nodes();
    const cwd = fileURLToPath(new URL('../../examples/node', import.meta.url));
    const run = (name: string, list: readonly BrokerNode[], ...args: string[]) => {
      const environment = { MQTT_URL: list.map(({ mqttUrl }) => mqttUrl).join(',') };
      return new Program(name, [process.execPath, `${name}.mjs`, ...args], { cwd, environment });
    };
    const dashboard = run('dashboard', [c, a, b]);
    const again = (text: string) => dashboard.saw(text, { times: dashboard.output.split(text).length, seconds: 30 });
    const sensors = [run('sensor', [a, b, c], 'attic', '1000'), run('sensor', [b, c, a], 'cellar', '1000')];
    try {
      await dashboard.saw('attic: 20.0 C');
      await dashboard.saw('cellar: 20.0 C');
      for (const [victim, said] of [
        [a, 'attic is online'],
        [c, 'watching'],
      ] as const) {
        await victim.kill9();
        await again(said);
        for (const sensor of ['attic', 'cellar']) await again(`${sensor}: `);
        await mend(cluster);
      }
      await sensors[0]!.kill9();
      await dashboard.saw('attic is offline');
    } finally {
      for (const program of [dashboard, ...sensors]) await program.kill9();
    }
  });
});
