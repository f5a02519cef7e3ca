import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiDouble } from '../support/api-double.js';

let api: ApiDouble;
beforeEach(async () => {
  api = await ApiDouble.start();
  vi.spyOn(Date, 'now').mockReturnValue(1_700_000_600_000);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await api.close();
});

const etcd = {
  endpoints: ['http://etcd:2379'],
  reachable: true,
  since: 1_700_000_000_000,
  trouble: null,
  alarms: [] as string[],
  registration: 'held',
};
const since = 1_700_000_000_000;
const healthy = {
  name: 'test',
  id: 'c-1',
  prefix: '/chapar',
  node: 'chapar@a',
  revision: 42,
  nodes: [
    {
      name: 'chapar@a',
      data_id: 'd-a',
      here: true,
      running: true,
      since,
      address: 'a:25672',
      version: '0.1.0',
      queues: 3,
      answered: true,
      ready: true,
      revision: 42,
      alarms: [],
      links: [{ to: 'chapar@b', up: true, since }],
      etcd,
    },
    {
      name: 'chapar@b',
      data_id: 'd-b',
      here: false,
      running: true,
      since,
      address: 'b:25672',
      version: '0.1.0',
      queues: 1,
      answered: true,
      ready: true,
      revision: 41,
      alarms: [],
      links: [{ to: 'chapar@a', up: true, since }],
      etcd,
    },
  ],
};
const [nodeA, nodeB] = healthy.nodes;

describe('cluster status', () => {
  test('is a line a node when all is well', async () => {
    api.answers['GET /api/cluster'] = { body: healthy };
    const { out, code } = await api.chapar('cluster', 'status');
    expect(code).toBe(0);
    expect(out).toContain('cluster test, id c-1, under /chapar in etcd, as chapar@a sees it');
    expect(out).toMatch(/^chapar@a +running +10 min +3 +42 +1\/1 +held +0\.1\.0 +a:25672$/m);
    expect(out).toMatch(/^chapar@b +running +10 min +1 +41 +1\/1 +held +0\.1\.0 +b:25672$/m);
    expect(out).not.toContain('!');
  });

  test('says in words what is not', async () => {
    const alarm = { resource: 'memory', reason: 'memory is short', age: 65 };
    const links = [{ to: 'chapar@b', up: false, since: since + 590_000, reason: 'connection refused' }];
    const away = { ...etcd, reachable: false, since: since + 593_000, trouble: 'no answer' };
    const gone = { name: 'chapar@c', data_id: 'd-c', running: false, since: since + 300_000, queues: 2 };
    const nodes = [{ ...nodeA, alarms: [alarm], links, etcd: away }, { ...nodeB, answered: false }, gone];
    api.answers['GET /api/cluster'] = { body: { ...healthy, nodes } };
    const { out } = await api.chapar('cluster', 'status');
    for (const part of [
      '! chapar@a has not reached chapar@b for 10 s: connection refused',
      '! chapar@a has not reached etcd for 7 s (http://etcd:2379): no answer',
      '! chapar@a: memory for 65 s: memory is short; publishers wait',
      '! chapar@b is registered in etcd but does not answer the node that was asked',
      '! chapar@c is gone (data id d-c): 2 queues come back with it; if it never returns: chapar forget d-c',
    ]) {
      expect(out).toContain(part);
    }
    expect(out).toMatch(/^chapar@b +silent/m);
    expect(out).toMatch(/^chapar@c +gone +5 min +2$/m);
  });

  test('is what the API says with --format json', async () => {
    api.answers['GET /api/cluster'] = { body: healthy };
    const { out } = await api.chapar('cluster', 'status', '--format', 'json');
    expect(JSON.parse(out)).toEqual(healthy);
  });
});

describe('status', () => {
  const overview = { product_name: 'Chapar', chapar_version: '0.1.0', node: 'chapar@a' };

  test('shows the cluster below, and nothing of it for a node that is alone or may not be watched', async () => {
    api.answers['GET /api/overview'] = { body: overview };
    api.answers['GET /api/cluster'] = { body: healthy };
    const both = await api.chapar('status');
    expect(both.out).toMatch(/product +Chapar 0\.1\.0/);
    expect(both.out).toMatch(/^chapar@b +running/m);
    expect(JSON.parse((await api.chapar('status', '--format', 'json')).out)).toEqual({ ...overview, cluster: healthy });
    api.answers['GET /api/cluster'] = {
      body: { name: 'a', node: 'chapar@a', nodes: [{ name: 'chapar@a', queues: 0 }] },
    };
    const alone = await api.chapar('status');
    api.answers['GET /api/cluster'] = { status: 401, body: { error: 'not_authorised', reason: 'Not monitor user' } };
    const unseen = await api.chapar('status');
    for (const { out, code } of [alone, unseen]) {
      expect(out).not.toContain('sees it');
      expect(code).toBe(0);
    }
  });
});

describe('forget', () => {
  const queues = Array.from({ length: 22 }, (_, i) => ({ vhost: '/', name: `q${i}` }));
  const losses = { name: 'chapar@c', data_id: 'd-c', queues_lost: queues };
  const look = 'DELETE /api/nodes/d-c?dry-run=true';
  const act = 'DELETE /api/nodes/d-c';

  test('names what is lost and does nothing without a yes', async () => {
    api.answers[look] = { body: losses };
    const { err, code } = await api.chapar('forget', 'd-c');
    expect(code).toBe(1);
    expect(err).toContain('chapar@c (data id d-c): 22 queues are lost, with their messages');
    expect(err).toContain('  q19 in virtual host /\n  and 2 more\n');
    expect(err).toContain('nothing was changed');
    expect(api.asked).toEqual([look]);
  });

  test('goes ahead with --yes', async () => {
    api.answers[look] = { body: losses };
    api.answers[act] = { body: { ...losses, queues_lost: [queues[0]] } };
    const { out, code } = await api.chapar('forget', 'd-c', '--yes');
    expect(code).toBe(0);
    expect(out).toBe('chapar@c is no node of this cluster any more; one queue is lost, with its messages\n');
    expect(api.asked).toEqual([look, act]);
  });

  test('of a node that runs is refused with the reason', async () => {
    api.answers['DELETE /api/nodes/a?dry-run=true'] = { body: { ...losses, queues_lost: [] } };
    api.answers['DELETE /api/nodes/a'] = { status: 409, body: { error: 'conflict', reason: 'chapar@a is running' } };
    const { err, code } = await api.chapar('forget', 'a', '--yes');
    expect([code, err]).toEqual([1, 'chapar: chapar@a is running\n']);
  });
});
