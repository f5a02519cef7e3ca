import type { SharedQueue } from '@chapar/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';
import { FakeConnection } from './fake-connection.js';
import { FakeCluster } from './fake-membership.js';
import { fakeSession } from './fake-session.js';

const names = ['chapar@a', 'chapar@b', 'chapar@c'] as const;
let cluster: FakeCluster;
let a: Fixture;
let b: Fixture;
let c: Fixture;
beforeEach(async () => {
  cluster = new FakeCluster();
  [a, b, c] = (await Promise.all(names.map((name) => startFixture(name, cluster.join(name))))) as [
    Fixture,
    Fixture,
    Fixture,
  ];
});
afterEach(() => Promise.all([a, b, c].map((node) => node.close())));

const queueOf = (node: Fixture, name: string) => node.broker.topology.vhosts.get('/')!.localQueue(name)!;
const namesOf = (rows: { name: string }[]) => rows.map(({ name }) => name);

/** A queue of one node as another sees it: everything but what it does. */
function seeElsewhere(on: Fixture, queue: SharedQueue, home: string): void {
  const { name, properties, policy, rules } = queue;
  on.broker.topology.vhosts.get('/')!.queues.set(name, { name, properties, policy, rules, home } as SharedQueue);
}

async function declare(node: Fixture, name: string, messages = 0): Promise<void> {
  await node.put(`/api/queues/%2F/${name}`, {});
  for (const other of [a, b, c])
    if (other !== node) seeElsewhere(other, queueOf(node, name), node.broker.identity.node);
  const message = { properties: {}, routing_key: name, payload: 'x', payload_encoding: 'string' };
  for (let i = 0; i < messages; i++) await node.post('/api/exchanges/%2F/amq.default/publish', message);
}

describe('queues', () => {
  test('of other nodes have the numbers of their home, which is asked once', async () => {
    for (let i = 0; i < 3; i++) await declare(b, `b${i}`, i);
    await declare(a, 'own', 5);
    await declare(c, 'c0', 4);
    cluster.asked.length = 0;
    const { json, headers } = await a.get('/api/queues');
    expect(
      json.map((row: Record<string, unknown>) => [row['name'], row['node'], row['messages'], row['state']]),
    ).toEqual([
      ['b0', 'chapar@b', 0, 'running'],
      ['b1', 'chapar@b', 1, 'running'],
      ['b2', 'chapar@b', 2, 'running'],
      ['c0', 'chapar@c', 4, 'running'],
      ['own', 'chapar@a', 5, 'running'],
    ]);
    expect(cluster.asked).toEqual(['chapar@b queues', 'chapar@c queues']);
    expect(headers).not.toHaveProperty('x-chapar-silent-nodes');
  });

  test('on no page that is shown are not asked for', async () => {
    await declare(a, 'a');
    await declare(b, 'b', 1);
    await declare(c, 'c');
    cluster.asked.length = 0;
    const { json } = await a.get('/api/queues?page=2&page_size=1');
    expect(json).toMatchObject({ total_count: 3, filtered_count: 3, items: [{ name: 'b', messages: 1 }] });
    await a.get('/api/queues?columns=name,node,state&sort=name');
    await a.get('/api/queues?disable_stats=true');
    expect(cluster.asked).toEqual(['chapar@b queues']);
  });

  test('are sorted by what only their homes know', async () => {
    await declare(a, 'middle', 2);
    await declare(b, 'most', 3);
    await declare(b, 'least', 1);
    const { json } = await c.get('/api/queues?sort=messages&sort_reverse=true');
    expect(namesOf(json)).toEqual(['most', 'middle', 'least']);
    const totals = await c.get('/api/queues?disable_stats=true&enable_queue_totals=true');
    expect(totals.json.map((row: Record<string, unknown>) => row['messages'])).toEqual([1, 2, 3]);
  });

  test('of a node that does not answer are shown without numbers, and the answer says whose are missing', async () => {
    await declare(a, 'a', 1);
    await declare(b, 'b', 1);
    cluster.mute.add('chapar@b');
    const { json, headers } = await a.get('/api/queues');
    expect(json).toMatchObject([
      { name: 'a', messages: 1 },
      { name: 'b', state: 'running' },
    ]);
    expect(json[1]).not.toHaveProperty('messages');
    expect(headers['x-chapar-silent-nodes']).toBe('chapar@b');
  });

  test('of a node that is gone are down, and it is not asked', async () => {
    await declare(b, 'b', 1);
    cluster.gone.add('chapar@b');
    cluster.asked.length = 0;
    const { json } = await a.get('/api/queues/%2F/b');
    expect(json).toMatchObject({ name: 'b', node: 'chapar@b', state: 'down' });
    expect(json).not.toHaveProperty('messages');
    expect(cluster.asked.filter((asked) => asked.startsWith('chapar@b'))).toEqual([]);
  });

  test('one by one name the consumers on all nodes', async () => {
    await declare(b, 'q', 1);
    const queue = queueOf(b, 'q');
    new FakeConnection(b.broker, 'alice', '/', 1001).channel(queue);
    new FakeConnection(c.broker, 'bob', '/', 1002).channel(queue);
    const { json } = await a.get('/api/queues/%2F/q');
    expect(json).toMatchObject({ messages: 1, consumers: 2 });
    const nodes = json.consumer_details.map((row: { channel_details: { node: string } }) => row.channel_details.node);
    expect(nodes.sort()).toEqual(['chapar@b', 'chapar@c']);
  });
});

test('sessions are listed, shown and ended wherever they are', async () => {
  const ended: string[] = [];
  for (const [node, name] of [
    [a, 'one'],
    [b, 'two'],
    [c, 'three'],
  ] as const)
    node.broker.sessions = [fakeSession('/', name, 'alice', (reason) => ended.push(`${name} ${reason}`))];
  const { json } = await a.get('/api/mqtt/sessions');
  expect(json.map((row: Record<string, unknown>) => [row['client_id'], row['node']])).toEqual([
    ['one', 'chapar@a'],
    ['three', 'chapar@c'],
    ['two', 'chapar@b'],
  ]);
  const path = '/api/mqtt/sessions/%2F/two';
  expect((await a.get(path)).json).toMatchObject({ node: 'chapar@b', subscriptions: [{ filter: 'a/#', qos: 1 }] });
  expect((await a.delete(path)).status).toBe(204);
  expect(ended).toEqual(['two Closed via management plugin']);
});

describe('connections', () => {
  let ports = 1000;
  const connect = (node: Fixture, user: string) => new FakeConnection(node.broker, user, '/', ports++);
  beforeEach(() => {
    ports = 1000;
  });

  test('of all nodes are one list, filtered, sorted and cut as one', async () => {
    const all = Array.from({ length: 9 }, (_, i) => connect([a, b, c][i % 3]!, i < 6 ? 'alice' : 'bob').name);
    expect(namesOf((await a.get('/api/connections')).json)).toEqual(all);
    expect(namesOf((await b.get('/api/connections?sort=name&sort_reverse=true')).json)).toEqual([...all].reverse());
    const page = (await c.get('/api/connections?page=2&page_size=4')).json;
    expect([namesOf(page.items), page.total_count, page.page_count]).toEqual([all.slice(4, 8), 9, 3]);
    const bobs = (await a.get('/api/connections/username/bob')).json;
    expect(namesOf(bobs)).toEqual(all.slice(6));
    const filtered = (await a.get('/api/connections?page=1&name=1004')).json;
    expect([namesOf(filtered.items), filtered.filtered_count, filtered.total_count]).toEqual([[all[4]], 1, 9]);
    expect((await a.get('/api/connections?page=9&page_size=4')).status).toBe(400);
  });

  test('by column, some thousand over three nodes', async () => {
    for (let i = 0; i < 1800; i++) connect([a, b, c][i % 3]!, 'alice');
    const ordered = (await a.get('/api/connections?sort=peer_port&columns=peer_port')).json;
    expect(ordered.map((row: { peer_port: number }) => row.peer_port)).toEqual(
      Array.from({ length: 1800 }, (_, i) => 1000 + i),
    );
    const last = (await b.get('/api/connections?sort=peer_port&page=18&page_size=100')).json;
    expect(last.items[99].peer_port).toBe(2799);
  });

  test('everybody sees their own on every node, and nobody else’s', async () => {
    const hers = await Promise.all([a, b].map((node) => addUser(node, 'alice', ['management'], ['/'])));
    connect(a, 'bob');
    const alices = connect(b, 'alice');
    expect(namesOf((await a.get('/api/connections', hers[0])).json)).toEqual([alices.name]);
    const bobs = connect(b, 'bob');
    const path = (name: string) => `/api/connections/${encodeURIComponent(name)}`;
    expect((await a.get(path(bobs.name), hers[0])).status).toBe(401);
    expect((await a.get(path(alices.name), hers[0])).json).toMatchObject({ node: 'chapar@b', user: 'alice' });
    expect((await a.get(path('nobody'), hers[0])).status).toBe(404);
  });

  test('are closed wherever they are', async () => {
    const one = connect(b, 'bob');
    const others = [connect(a, 'bob'), connect(c, 'bob'), connect(c, 'alice')];
    expect((await a.delete(`/api/connections/${encodeURIComponent(one.name)}`)).status).toBe(204);
    expect(one.closedFor).toBe('Closed via management plugin');
    expect((await a.delete('/api/connections/username/bob')).status).toBe(204);
    expect(others.map(({ closedFor }) => closedFor !== null)).toEqual([true, true, false]);
    cluster.mute.add('chapar@c');
    const { status, json } = await a.delete('/api/connections/username/alice');
    expect([status, json.reason]).toEqual([503, 'chapar@c did not answer: no answer within 2 s']);
  });

  test('have their channels and consumers in the lists of every node', async () => {
    await declare(b, 'q');
    const connection = connect(b, 'bob').channel(queueOf(b, 'q')).channel();
    const channels = (await a.get('/api/channels')).json;
    expect(namesOf(channels)).toEqual([`${connection.name} (1)`, `${connection.name} (2)`]);
    const one = (await c.get(`/api/channels/${encodeURIComponent(channels[0].name)}`)).json;
    expect(one).toMatchObject({ node: 'chapar@b', consumer_details: [{ queue: { name: 'q' } }] });
    const its = await a.get(`/api/connections/${encodeURIComponent(connection.name)}/channels`);
    expect(its.json).toHaveLength(2);
    expect((await a.get('/api/consumers/%2F')).json).toMatchObject([{ consumer_tag: 'ctag-q' }]);
  });
});

describe('totals', () => {
  test('are of all nodes', async () => {
    await declare(a, 'a', 1);
    await declare(b, 'b', 2);
    new FakeConnection(c.broker, 'bob', '/', 1).channel();
    const overview = (await a.get('/api/overview')).json;
    expect(overview.object_totals).toMatchObject({ queues: 2, connections: 1, channels: 1 });
    expect(overview.queue_totals.messages).toBe(3);
    expect(overview.message_stats.publish).toBe(3);
    expect(overview.node).toBe('chapar@a');
    expect(new Set(overview.listeners.map(({ node }: { node: string }) => node))).toEqual(new Set(names));
    const vhost = (await c.get('/api/vhosts/%2F')).json;
    expect(vhost).toMatchObject({ messages: 3, recv_oct: 10 });
    cluster.mute.add('chapar@b');
    const partly = await a.get('/api/overview');
    expect([partly.json.queue_totals.messages, partly.headers['x-chapar-silent-nodes']]).toEqual([1, 'chapar@b']);
  });
});

describe('nodes', () => {
  test('are listed, those that are gone too', async () => {
    cluster.gone.add('chapar@c');
    const { json } = await a.get('/api/nodes');
    expect(json.map((row: Record<string, unknown>) => [row['name'], row['running'], 'mem_used' in row])).toEqual([
      ['chapar@a', true, true],
      ['chapar@b', true, true],
      ['chapar@c', false, false],
    ]);
    expect(json[1]).toMatchObject({ data_id: 'data-chapar@b', peer_address: 'b:25672' });
    expect((await a.get('/api/nodes/chapar@c')).json).toMatchObject({ running: false, data_id: 'data-chapar@c' });
    expect((await a.get('/api/nodes/chapar@b?memory=true')).json.memory.total.rss).toBeGreaterThan(0);
    expect((await a.get('/api/nodes/chapar@b/memory')).json.memory.strategy).toBe('rss');
    expect((await a.get('/api/nodes/chapar@x')).status).toBe(404);
  });

  test('are forgotten by name or data id, after a look at what is lost', async () => {
    const { membership } = { membership: cluster.members.get('chapar@a')! };
    membership.lost.push({ vhost: '/', name: 'orders' });
    const running = await a.delete('/api/nodes/chapar@c');
    expect([running.status, running.json.reason]).toEqual([409, 'chapar@c is running']);
    cluster.gone.add('chapar@c');
    const wanted = { name: 'chapar@c', data_id: 'data-chapar@c', queues_lost: [{ vhost: '/', name: 'orders' }] };
    expect((await a.delete('/api/nodes/chapar@c?dry-run=true')).json).toEqual(wanted);
    expect(membership.forgotten).toEqual([]);
    expect((await a.delete('/api/nodes/data-chapar@c')).json).toEqual(wanted);
    expect(membership.forgotten).toEqual(['chapar@c']);
    expect((await a.delete('/api/nodes/chapar@x')).status).toBe(404);
  });

  test('one alone has nobody to forget', async () => {
    const alone = await startFixture();
    expect((await alone.delete('/api/nodes/chapar@test')).status).toBe(400);
    expect((await alone.get('/api/nodes')).json).toMatchObject([{ name: 'chapar@test', running: true }]);
    expect((await alone.get('/api/cluster')).json).toMatchObject({ node: 'chapar@test', nodes: [{ running: true }] });
    await alone.close();
  });
});

describe('the cluster', () => {
  test('is told with what each node says of itself', async () => {
    await declare(b, 'b1');
    await declare(b, 'b2');
    await declare(c, 'c1');
    cluster.gone.add('chapar@c');
    b.broker.alarms.raise('memory', 'memory is short');
    const { json } = await a.get('/api/cluster');
    expect(json).toMatchObject({ id: 'cluster-1', prefix: '/chapar', node: 'chapar@a', revision: 42 });
    const [first, second, third] = json.nodes;
    expect(first).toMatchObject({
      name: 'chapar@a',
      here: true,
      running: true,
      answered: true,
      queues: 0,
      revision: 42,
    });
    expect(first.etcd).toEqual({
      endpoints: ['http://127.0.0.1:2379'],
      reachable: true,
      since: 1_700_000_000_000,
      trouble: null,
      alarms: [],
      version: '3.5.0',
      database_bytes: 20_480,
      registration: 'held',
    });
    expect(second).toMatchObject({
      queues: 2,
      alarms: [{ resource: 'memory' }],
      links: [{ to: 'chapar@a', up: true }],
    });
    expect(third).toMatchObject({ running: false, answered: false, queues: 1 });
    cluster.mute.add('chapar@b');
    expect((await a.get('/api/cluster')).json.nodes[1]).toMatchObject({ running: true, answered: false });
  });
});

describe('health', () => {
  const down = (forMs: number) => ({
    isUp: false,
    sinceMs: Date.now() - forMs,
    reason: 'connection refused',
    dropped: 0,
  });
  const ready = async (node: Fixture) => (await node.get('/health/ready', null)).status;

  test('a link that is down for long makes those two not ready that others reach', async () => {
    cluster.links.set('chapar@a>chapar@b', down(60_000));
    cluster.links.set('chapar@b>chapar@a', down(60_000));
    expect(await Promise.all([a, b, c].map(ready))).toEqual([503, 503, 200]);
    const { json } = await a.get('/health/ready', null);
    expect(json.reason).toBe('chapar@b is registered but has not been reached for 60 s: connection refused');
    const check = await a.get('/api/health/checks/cluster-links');
    expect([check.status, check.json.unreached]).toEqual([503, ['chapar@b']]);
  });

  test('a node that nobody reaches takes nobody with it', async () => {
    for (const link of ['a>b', 'c>b', 'b>a', 'b>c']) {
      const [from, to] = link.split('>');
      cluster.links.set(`chapar@${from}>chapar@${to}`, down(60_000));
    }
    expect(await Promise.all([a, b, c].map(ready))).toEqual([200, 503, 200]);
    expect((await a.get('/api/health/checks/cluster-links')).status).toBe(503);
  });

  test('a link that is down for a moment is nothing', async () => {
    cluster.links.set('chapar@a>chapar@b', down(1000));
    expect(await ready(a)).toBe(200);
    expect((await a.get('/api/health/checks/cluster-links')).status).toBe(200);
  });

  test('alarms of any node, and etcd', async () => {
    b.broker.alarms.raise('memory', 'memory is short');
    const alarms = await a.get('/api/health/checks/alarms');
    expect([alarms.status, alarms.json.alarms[0].node]).toEqual([503, 'chapar@b']);
    expect((await a.get('/api/health/checks/local-alarms')).status).toBe(200);
    expect((await a.get('/api/health/checks/etcd')).status).toBe(200);
    Object.assign(cluster.members.get('chapar@a')!.etcd, { isReachable: false, trouble: 'no answer' });
    const etcd = await a.get('/api/health/checks/etcd');
    expect([etcd.status, etcd.json.reason]).toEqual([503, 'no answer']);
    // Routing goes on without it.
    expect(await ready(a)).toBe(200);
    expect((await a.get('/api/health/checks/below-node-connection-limit')).json.limit).toBe('infinity');
  });
});
