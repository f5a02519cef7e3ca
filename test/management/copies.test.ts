import type { SharedQueue } from '@chapar/core';
import type { CopiesView } from '@chapar/management';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';
import { FakeConnection } from './fake-connection.js';
import { FakeCluster } from './fake-membership.js';

const [nodeA, nodeB, nodeC] = ['chapar@a', 'chapar@b', 'chapar@c'] as const;
let cluster: FakeCluster;
let a: Fixture;
let b: Fixture;
let c: Fixture;
beforeEach(async () => {
  cluster = new FakeCluster();
  [a, b, c] = (await Promise.all([nodeA, nodeB, nodeC].map((name) => startFixture(name, cluster.join(name))))) as [
    Fixture,
    Fixture,
    Fixture,
  ];
});
afterEach(() => Promise.all([a, b, c].map((node) => node.close())));

/** A queue with copies on all nodes, led by the one on which it stands; the others have its face. */
async function mirrored(node: Fixture, name: string, type = 'classic', fields: Partial<CopiesView> = {}) {
  const args: Record<string, string> = type === 'classic' ? {} : { 'x-queue-type': type };
  await node.put(`/api/queues/%2F/${name}`, { durable: true, arguments: args });
  const queue = node.broker.topology.vhosts.get('/')!.localQueue(name)!;
  const { policy, rules, incarnation, properties } = queue;
  const home = node.broker.identity.node;
  for (const other of [a, b, c]) {
    const vhost = other.broker.topology.vhosts.get('/')!;
    if (other === node) vhost.led.set(name, queue);
    const face = { name, incarnation, properties, policy, rules, home: fields.leader === null ? '' : home };
    vhost.queues.set(name, face as unknown as SharedQueue);
  }
  const members = [nodeA, nodeB, nodeC];
  cluster.copies.set(incarnation, {
    vhost: '/',
    name,
    incarnation,
    leader: home,
    epoch: 4,
    min: 2,
    members,
    inSync: members,
    online: members,
    wanted: 3,
    ...fields,
  });
  return incarnation;
}

describe('queues with copies', () => {
  test('are listed with their leader and members, and the numbers of their leader', async () => {
    await mirrored(b, 'q', 'quorum', { inSync: [nodeA, nodeB] });
    await mirrored(a, 'm');
    const queue = b.broker.topology.vhosts.get('/')!.localQueue('q')!;
    new FakeConnection(b.broker, 'alice', '/', 1001).channel(queue);
    const { json } = await a.get('/api/queues');
    expect(json[1]).toMatchObject({
      name: 'q',
      node: nodeB,
      type: 'quorum',
      state: 'running',
      leader: nodeB,
      members: [nodeA, nodeB, nodeC],
      online: [nodeA, nodeB, nodeC],
      in_sync: [nodeA, nodeB],
      epoch: 4,
      min_in_sync: 2,
      wanted_members: 3,
      mirroring: 'under way',
      consumers: 1,
    });
    expect(json[1]).not.toHaveProperty('slave_nodes');
    expect(json[0]).toMatchObject({
      name: 'm',
      node: nodeA,
      type: 'classic',
      slave_nodes: [nodeB, nodeC],
      synchronised_slave_nodes: [nodeB, nodeC],
      mirroring: 'done',
      messages: 0,
      effective_policy_definition: {},
    });
    expect((await b.get('/api/queues/%2F/q')).json).toMatchObject({ node: nodeB, consumers: 1, leader: nodeB });
    expect((await c.get('/api/queues?disable_stats=true&enable_queue_totals=true')).json).toMatchObject([
      { name: 'm', messages: 0, leader: nodeA },
      { name: 'q', messages: 0, leader: nodeB },
    ]);
  });

  test('that are still to come are waited for', async () => {
    await a.put('/api/queues/%2F/late', { durable: true });
    expect((await a.get('/api/queues/%2F/late')).json).not.toHaveProperty('mirroring');
    await a.put('/api/policies/%2F/ha', { pattern: 'late', definition: { 'ha-mode': 'all' } });
    expect((await a.get('/api/queues?columns=name,policy,mirroring')).json).toEqual([
      { name: 'late', policy: 'ha', mirroring: 'waiting' },
    ]);
  });

  test('whose leader is gone are down, and those with too few copies a minority', async () => {
    await mirrored(b, 'q');
    await mirrored(a, 'm', 'quorum', { inSync: [nodeA, nodeB] });
    await mirrored(a, 'none', 'quorum', { leader: null });
    cluster.gone.add(nodeB);
    const { json } = await a.get('/api/queues?columns=name,state,online,node,leader');
    expect(json).toEqual([
      { name: 'm', state: 'minority', online: [nodeA, nodeC], node: nodeA, leader: nodeA },
      { name: 'none', state: 'down', online: [nodeA, nodeC], node: '', leader: null },
      { name: 'q', state: 'down', online: [nodeA, nodeC], node: nodeB, leader: nodeB },
    ]);
    expect((await a.get('/api/queues/%2F/q')).json.copies).toBeNull();
  });

  test('are online by the word of their leader, who hears them', async () => {
    await mirrored(b, 'q', 'quorum');
    await a.put('/api/queues/%2F/plain', { durable: true });
    cluster.mutedFor.set(nodeB, new Set([nodeC]));
    const list = async () => (await a.get('/api/queues?columns=name,state,online')).json;
    expect(await list()).toEqual([
      { name: 'plain', state: 'running' },
      { name: 'q', state: 'running', online: [nodeA, nodeB] },
    ]);
    cluster.mutedFor.set(nodeB, new Set([nodeA, nodeC]));
    expect((await list())[1]).toEqual({ name: 'q', state: 'minority', online: [nodeB] });
    expect((await a.get('/api/queues')).json[1]).toMatchObject({ state: 'minority', online: [nodeB], leader: nodeB });
    expect((await a.get('/api/queues/%2F/q')).json).toMatchObject({ state: 'minority', online: [nodeB] });
    // Nobody else knows better.
    cluster.mute.add(nodeB);
    expect((await list())[1]).toEqual({ name: 'q', state: 'running', online: [nodeA, nodeB, nodeC] });
  });

  test('one by one have what the leader knows of each copy', async () => {
    await mirrored(b, 'q', 'quorum', { inSync: [nodeA, nodeB] });
    const { json } = await c.get('/api/queues/%2F/q');
    expect(json.copies).toEqual({
      leader: nodeB,
      epoch: 4,
      end: 10,
      committed: 9,
      short: false,
      members: [
        { node: nodeA, in_sync: true, synced: 10, lag: 0, lag_ms: 0, silent_ms: 0 },
        { node: nodeB, in_sync: true, synced: 9, lag: 1, lag_ms: 100, silent_ms: 1 },
        { node: nodeC, in_sync: false, synced: 8, lag: 2, lag_ms: 201, silent_ms: null },
      ],
    });
    const { json: rows } = await c.get('/api/queues/quorum/%2F/q/status');
    expect(rows).toMatchObject([
      {
        'Node Name': nodeA,
        'Raft State': 'follower',
        Membership: 'voter',
        'Last Written': 10,
        'Commit Index': 9,
        Term: 4,
      },
      { 'Node Name': nodeB, 'Raft State': 'leader', Membership: 'voter' },
      { 'Node Name': nodeC, 'Raft State': 'follower', Membership: 'promotable', 'Last Applied': 8 },
    ]);
    cluster.gone.add(nodeC);
    expect((await a.get('/api/queues/quorum/%2F/q/status')).json[2]['Raft State']).toBe('noproc');
  });

  test('that have none say so', async () => {
    await a.put('/api/queues/%2F/plain', { durable: true });
    expect((await a.get('/api/queues/%2F/plain')).json).not.toHaveProperty('copies');
    const { status, json } = await a.get('/api/queues/quorum/%2F/plain/status');
    expect([status, json.reason]).toEqual([404, "queue 'plain' is not mirrored: it has no copies"]);
    expect((await a.get('/api/queues/quorum/%2F/nothing/status')).status).toBe(404);
  });
});

describe('copies', () => {
  const path = (name: string, what: string) => `/api/queues/quorum/%2F/${name}/${what}`;

  test('are added and removed, and the lead is handed over', async () => {
    const q = await mirrored(b, 'q');
    expect((await a.post(path('q', 'replicas/add'), { node: nodeC })).status).toBe(204);
    expect((await a.request('DELETE', path('q', 'replicas/delete'), { node: nodeC })).status).toBe(204);
    expect((await c.post(path('q', 'leader'), { node: nodeA })).json).toEqual({ leader: nodeA });
    expect((await c.post(path('q', 'leader'))).json).toEqual({ leader: nodeC });
    expect(cluster.done).toEqual([
      `${nodeA}: add ${q} ${nodeC}`,
      `${nodeA}: remove ${q} ${nodeC}`,
      `${nodeC}: hand over ${q} ${nodeA}`,
      `${nodeC}: hand over ${q} null`,
    ]);
  });

  test('stay as they are when it cannot be, with the reason', async () => {
    await mirrored(b, 'q');
    cluster.members.get(nodeA)!.mirrored.refusal = 'it has the only copy';
    const refused = await a.request('DELETE', path('q', 'replicas/delete'), { node: nodeB });
    expect([refused.status, refused.json]).toEqual([409, { error: 'conflict', reason: 'it has the only copy' }]);
    expect((await a.post(path('q', 'replicas/add'), {})).status).toBe(400);
    expect(cluster.done).toEqual([]);
  });

  test('that are not in sync lead when an administrator says so, who is told first what may be lost', async () => {
    const q = await mirrored(b, 'q', 'quorum', { inSync: [nodeB] });
    cluster.gone.add(nodeB);
    const told = {
      ...{ vhost: '/', name: 'q', node: nodeC, leader: nodeB, epoch: 4, in_sync: [nodeB], in_sync_and_running: [] },
      members: [nodeA, nodeB, nodeC],
      copies: [
        { node: nodeA, epoch: 3, end: 10, committed: 9, messages: 2, silent_ms: 1500 },
        { node: nodeC, epoch: 3, end: 9, committed: 8, messages: 2, silent_ms: null },
      ],
    };
    expect((await a.post(`${path('q', 'promote')}?dry-run=true`, { node: nodeC })).json).toEqual(told);
    expect(cluster.done).toEqual([]);
    expect((await a.post(path('q', 'promote'), { node: nodeC })).json).toEqual(told);
    expect(cluster.done).toEqual([`${nodeA}: promote ${q} ${nodeC}`]);
    cluster.members.get(nodeA)!.mirrored.refusal = 'chapar@b is in sync and running';
    expect((await a.post(path('q', 'promote'), { node: nodeC })).status).toBe(409);
    expect((await a.post(path('q', 'promote'), {})).status).toBe(400);
  });

  test('are for administrators', async () => {
    await mirrored(a, 'q');
    const alice = await addUser(a, 'alice', ['management'], ['/']);
    expect((await a.post(path('q', 'leader'), {}, alice)).status).toBe(401);
    expect((await a.post(path('q', 'promote'), { node: nodeC }, alice)).status).toBe(401);
    expect((await a.post('/api/rebalance/queues', {}, alice)).status).toBe(401);
    expect((await a.post(`/api/nodes/${nodeA}/drain`, {}, alice)).status).toBe(401);
    expect((await a.get(path('q', 'status'), alice)).status).toBe(200);
  });

  test('of many queues grow on a node, and leave it', async () => {
    const [q, m] = [await mirrored(b, 'q', 'quorum', { members: [nodeA, nodeB] }), await mirrored(b, 'm')];
    const r = await mirrored(b, 'r', 'quorum', { members: [nodeA] });
    const on = (what: string) => `/api/queues/quorum/replicas/on/${nodeC}/${what}`;
    expect((await a.post(on('grow'), { vhost_pattern: '.*', queue_pattern: '^[qm]', strategy: 'all' })).status).toBe(
      202,
    );
    await expect.poll(() => cluster.done).toEqual([`${nodeA}: add ${q} ${nodeC}`]);
    await a.post(on('grow'), { vhost_pattern: '^/$', queue_pattern: '.*', strategy: 'even' });
    await expect.poll(() => cluster.done.length).toBe(2);
    await a.post(on('grow'), { strategy: 'all' });
    await expect
      .poll(() => cluster.done.slice(2))
      .toEqual([`${nodeA}: add ${q} ${nodeC}`, `${nodeA}: add ${r} ${nodeC}`]);
    expect((await a.request('DELETE', on('shrink'))).status).toBe(202);
    await expect.poll(() => cluster.done.at(-1)).toBe(`${nodeA}: remove ${m} ${nodeC}`);
    expect((await a.post(on('grow'), { strategy: 'odd' })).status).toBe(400);
    expect((await a.post(on('grow'), { queue_pattern: '(' })).status).toBe(400);
    expect((await a.post('/api/queues/quorum/replicas/on/nobody/grow', {})).status).toBe(404);
    expect((await a.request('DELETE', '/api/queues/quorum/replicas/on/nobody/shrink')).status).toBe(404);
  });

  test('are rebalanced, or it is told what would move', async () => {
    await mirrored(b, 'q');
    await mirrored(b, 'm');
    const path = '/api/rebalance/queues';
    expect((await a.post(`${path}?dry-run=true`, { queue_pattern: 'q' })).json).toEqual([
      { vhost: '/', name: 'q', from: nodeB, to: nodeC },
    ]);
    expect(cluster.done).toEqual([]);
    expect((await a.post(path)).status).toBe(204);
    expect(cluster.done).toEqual([`${nodeA}: rebalance q,m`]);
  });
});

describe('a node in maintenance', () => {
  test('is drained and revived from any other', async () => {
    await b.put('/api/queues/%2F/only', { durable: true });
    await b.put('/api/queues/%2F/passing', { durable: false });
    await mirrored(b, 'q');
    const path = `/api/nodes/${nodeB}`;
    const serving = { node: nodeB, state: 'serving', moved: 0, left: [], connections: 0 };
    const only = { only_here: 1, only_here_names: [{ vhost: '/', name: 'only' }] };
    expect((await a.get(`${path}/maintenance`)).json).toEqual({ ...serving, ...only });
    expect((await a.post(`${path}/drain`)).json).toMatchObject({
      state: 'draining',
      moved: 2,
      left: [{ vhost: '/', name: 'q', why: 'nobody else is in sync' }],
    });
    expect((await b.get(`${path}/maintenance`)).json.state).toBe('draining');
    expect((await c.get('/api/nodes')).json.map((row: { being_drained: boolean }) => row.being_drained)).toEqual([
      false,
      true,
      false,
    ]);
    expect((await c.get('/api/cluster')).json.nodes[1]).toMatchObject({ maintenance: true });
    expect((await c.post(`${path}/revive`)).json.state).toBe('serving');
    expect(cluster.done).toEqual([`${nodeB}: drain`, `${nodeB}: revive`]);
  });

  test('says why it cannot be, also from afar', async () => {
    cluster.members.get(nodeB)!.mirrored.refusal = 'etcd did not take it';
    for (const node of [a, b]) {
      const { status, json } = await node.post(`/api/nodes/${nodeB}/drain`);
      expect([status, json.reason]).toEqual([409, 'etcd did not take it']);
    }
    cluster.mute.add(nodeB);
    expect((await a.post(`/api/nodes/${nodeB}/drain`)).status).toBe(503);
    expect((await a.post('/api/nodes/nobody/drain')).status).toBe(404);
    const alone = await startFixture();
    expect((await alone.post('/api/nodes/chapar@test/drain')).status).toBe(400);
    expect((await alone.post('/api/rebalance/queues')).status).toBe(204);
    await alone.close();
  });
});

describe('health', () => {
  const critical = '/api/health/checks/node-is-quorum-critical';

  test('a node that a queue needs is critical', async () => {
    await mirrored(a, 'm');
    await mirrored(b, 'q', 'quorum', { inSync: [nodeA, nodeB] });
    expect((await c.get(critical)).json).toEqual({ status: 'ok' });
    const { status, json } = await a.get(critical);
    expect([status, json.queues]).toEqual([
      503,
      [{ readable_name: "queue 'q' in vhost '/'", name: 'q', virtual_host: '/', type: 'quorum' }],
    ]);
    cluster.gone.add(nodeB);
    expect((await c.get(critical)).json.queues.map(({ name }: { name: string }) => name)).toEqual(['m']);
    const alone = await startFixture();
    expect((await alone.get(critical)).json).toEqual({ status: 'ok', reason: 'single node cluster' });
    await alone.close();
  });

  test('queues that nobody leads are told', async () => {
    await mirrored(a, 'm');
    await mirrored(b, 'q', 'quorum');
    await mirrored(c, 'none', 'quorum', { leader: null });
    const check = (where: string) => a.get(`/api/health/checks/quorum-queues-without-elected-leaders/${where}`);
    const names = async (where: string) =>
      ((await check(where)).json.queues ?? []).map(({ name }: { name: string }) => name);
    expect(await names('all-vhosts/')).toEqual(['none']);
    cluster.gone.add(nodeB);
    expect(await names('all-vhosts')).toEqual(['none', 'q']);
    expect(await names('vhost/%2F/pattern/%5Eq')).toEqual(['q']);
    expect(await names('vhost/%2F/')).toEqual(['none', 'q']);
    expect((await check('all-vhosts/pattern/%5Em')).json).toEqual({ status: 'ok' });
    expect((await check('vhost/nothing')).status).toBe(404);
  });
});
