import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiDouble } from '../support/api-double.js';

let api: ApiDouble;
beforeEach(async () => {
  api = await ApiDouble.start();
});
afterEach(() => api.close());

const quorum = '/api/queues/quorum/%2F/tasks';
const [a, b, c] = ['chapar@a', 'chapar@b', 'chapar@c'];

describe('queue', () => {
  const queue = {
    name: 'tasks',
    vhost: '/',
    type: 'quorum',
    state: 'running',
    node: a,
    messages: 7,
    leader: a,
    epoch: 4,
    min_in_sync: 2,
    wanted_members: 3,
    members: [a, b, c],
    online: [a, b, c],
    in_sync: [a, b],
    copies: {
      end: 812,
      committed: 810,
      short: false,
      members: [
        { node: a, lag: 0, lag_ms: 0, silent_ms: 0 },
        { node: b, lag: 2, lag_ms: 40, silent_ms: 300 },
        { node: c, lag: 812, lag_ms: 180_000, silent_ms: null },
      ],
    },
  };
  const status = (body: object) => {
    api.answers['GET /api/queues/%2F/tasks'] = { body };
    return api.chapar('queue', 'status', 'tasks');
  };

  test('status is a line a copy, then what is wrong', async () => {
    const { out, code } = await status(queue);
    expect(code).toBe(0);
    expect(out).toContain("quorum queue 'tasks' in virtual host '/', running, 7 messages, led by chapar@a in epoch 4");
    expect(out).toContain('committed 810 of 812, 2 copies must be in sync, 3 wanted');
    expect(out).toMatch(/^chapar@a +leader +yes +0 +0 s ago$/m);
    expect(out).toMatch(/^chapar@b +follower +yes +2 +0 s +0 s ago$/m);
    expect(out).toMatch(/^chapar@c +follower +no +812 +3 min +never$/m);
    expect(out).toContain('! not in sync yet: chapar@c\n');
    expect(JSON.parse((await api.chapar('queue', 'status', 'tasks', '--format', 'json')).out)).toEqual(queue);
  });

  test('status says what is wrong in words', async () => {
    const gone = await status({ ...queue, online: [b], copies: null });
    expect(gone.out).toContain('! its leader chapar@a is gone\n');
    expect(gone.out).toContain('! fewer copies answer than must be in sync (2): publishes are refused\n');
    expect(gone.out).toMatch(/^chapar@a +gone +yes/m);
    expect((await status({ ...queue, leader: null, copies: null })).out).toContain('! nobody leads it');
    expect((await status({ ...queue, copies: null })).out).toContain('! its leader chapar@a does not answer');
    const few = { ...queue, members: [a, b], online: [a, b], copies: { ...queue.copies, short: true } };
    expect((await status(few)).out).toContain('! it has 2 copies of 3: there is no other node for one\n');
    expect((await status(few)).out).toContain('publishes are refused');
  });

  test('status of one without copies says where it lives', async () => {
    const { out } = await status({
      name: 'tasks',
      vhost: '/',
      type: 'classic',
      state: 'running',
      node: b,
      messages: 1,
    });
    expect(out).toBe(
      "classic queue 'tasks' in virtual host '/', running, 1 message\nlives on chapar@b alone: it has no copies\n",
    );
  });

  const prospects = {
    ...{ vhost: '/', name: 'tasks', node: c, leader: a, epoch: 4, in_sync: [a, b], in_sync_and_running: [] },
    members: [a, b, c, 'chapar@d'],
    copies: [
      { node: 'chapar@d', epoch: 4, end: 810, committed: 800, messages: 9, silent_ms: 180_000 },
      { node: c, epoch: 3, end: 512, committed: 512, messages: 3, silent_ms: null },
    ],
  };

  test('promote tells what may be lost, and does nothing without a yes', async () => {
    api.answers[`POST ${quorum}/promote?dry-run=true`] = { body: prospects };
    const asked = await api.chapar('queue', 'promote', 'tasks', c);
    expect(asked.code).toBe(1);
    expect(asked.err).toContain(
      "queue 'tasks' in virtual host '/': led by chapar@a, which is gone, in epoch 4; in sync: chapar@a, chapar@b\n",
    );
    expect(asked.err).toMatch(/^chapar@d +4 +810 +9 +3 min ago$/m);
    expect(asked.err).toMatch(/^chapar@c +3 +512 +3 +not since it was started$/m);
    expect(asked.err).toContain('! what was confirmed behind entry 512 in epochs 3 to 4 is not in its copy');
    expect(asked.err).toContain('! chapar@d has more: up to entry 810 of epoch 4\n');
    expect(asked.err).toContain('nothing was changed.');
    expect(api.asked).toEqual([`POST ${quorum}/promote?dry-run=true`]);
    api.answers[`POST ${quorum}/promote`] = { body: prospects };
    const done = await api.chapar('queue', 'promote', 'tasks', c, '--yes');
    expect([done.code, done.out]).toEqual([
      0,
      "chapar@c leads 'tasks' with what it has; what was confirmed behind entry 512 in epochs 3 to 4 is not in its copy, and what was settled since it heard its leader comes again\n",
    ]);
  });

  test('promote is not needed while a copy in sync is there, and needs one that answers', async () => {
    api.answers[`POST ${quorum}/promote?dry-run=true`] = { body: { ...prospects, in_sync_and_running: [b] } };
    const { code, err } = await api.chapar('queue', 'promote', 'tasks', c, '--yes');
    expect([code, api.asked.length]).toEqual([1, 1]);
    expect(err).toContain("the copy of 'tasks' on chapar@b is in sync and running: nothing has to be lost.");
    expect(err).toContain('chapar queue transfer tasks');
    api.answers[`POST ${quorum}/promote?dry-run=true`] = { body: { ...prospects, node: 'chapar@x' } };
    const none = await api.chapar('queue', 'promote', 'tasks', 'chapar@x', '--yes');
    expect(none.err).toContain("chapar@x has no copy of 'tasks' that answers.");
    expect(none.err).toContain('These do: chapar@d, chapar@c');
  });

  test('add-member, remove-member and transfer', async () => {
    api.answers[`POST ${quorum}/leader`] = { body: { leader: c } };
    const said = [
      await api.chapar('queue', 'add-member', 'tasks', c),
      await api.chapar('queue', 'remove-member', 'tasks', b),
      await api.chapar('queue', 'transfer', 'tasks', c),
      await api.chapar('queue', 'transfer', 'tasks'),
    ].map(({ out }) => out);
    expect(said).toEqual([
      "chapar@c has a copy of 'tasks' from now on, and counts when that has caught up\n",
      "chapar@b has no copy of 'tasks' any more\n",
      "chapar@c leads 'tasks'\n",
      "chapar@c leads 'tasks'\n",
    ]);
    expect(api.asked).toEqual([
      `POST ${quorum}/replicas/add`,
      `DELETE ${quorum}/replicas/delete`,
      `POST ${quorum}/leader`,
      `POST ${quorum}/leader`,
    ]);
    expect(api.bodies).toEqual([{ node: c }, { node: b }, { node: c }, {}]);
  });

  test('what cannot be is told with its reason', async () => {
    const reason = 'only 2 copies are in sync and the queue needs 2: let others catch up or add one first';
    api.answers[`DELETE ${quorum}/replicas/delete`] = { status: 409, body: { error: 'conflict', reason } };
    const { err, code } = await api.chapar('queue', 'remove-member', 'tasks', b!);
    expect([code, err]).toEqual([1, `chapar: ${reason}\n`]);
  });
});

describe('drain', () => {
  const critical = 'GET /api/health/checks/node-is-quorum-critical';
  const answer = (fields: object) => ({
    body: {
      node: a,
      state: 'draining',
      moved: 0,
      left: [],
      only_here: 0,
      only_here_names: [],
      connections: 3,
      ...fields,
    },
  });
  beforeEach(() => {
    api.answers['GET /api/overview'] = { body: { node: a } };
    api.answers[critical] = { body: { status: 'ok' } };
    api.answers['POST /api/nodes/chapar%40a/drain'] = answer({});
  });

  test('waits until the node is not needed, then until it is drained', async () => {
    const queues = Array.from({ length: 7 }, (_, i) => ({ name: `q${i}` }));
    api.answers[critical] = [{ status: 503, body: { status: 'failed', queues } }, { body: { status: 'ok' } }];
    api.answers['GET /api/nodes/chapar%40a/maintenance'] = [
      answer({ moved: 4 }),
      answer({ state: 'drained', moved: 9 }),
    ];
    const { out, code } = await api.chapar('drain');
    expect(code).toBe(0);
    expect(out).toBe(
      'waiting: 7 mirrored queues would have too few copies without this node (q0, q1, q2, q3, q4, and 2 more)\n' +
        'chapar@a is drained: 9 queues got another leader. Stop it, or take it into use again: chapar revive chapar@a\n',
    );
    expect(api.asked.slice(-4)).toEqual([
      critical,
      'POST /api/nodes/chapar%40a/drain',
      'GET /api/nodes/chapar%40a/maintenance',
      'GET /api/nodes/chapar%40a/maintenance',
    ]);
  });

  test('says what could not be moved, and what is nowhere else', async () => {
    api.answers['POST /api/nodes/chapar%40a/drain'] = answer({
      state: 'drained',
      moved: 2,
      left: [{ vhost: '/', name: 'tasks', why: 'nobody else is in sync' }],
      only_here: 2,
      only_here_names: [
        { vhost: '/', name: 'x' },
        { vhost: '/', name: 'y' },
      ],
    });
    const { out, code } = await api.chapar('drain', '--now');
    expect(code).toBe(1);
    expect(out).toContain("! it still leads 'tasks' in virtual host '/': nobody else is in sync\n");
    expect(out).toContain('! 2 queues are on this node alone and gone while it is (x, y)\n');
    expect(api.asked).not.toContain(critical);
  });

  test('gives up when the node stays needed, and changes nothing', async () => {
    api.answers[critical] = { status: 503, body: { status: 'failed', queues: [{ name: 'q' }] } };
    const { err, code } = await api.chapar('drain', '--timeout', '0');
    expect(code).toBe(1);
    expect(err).toContain('this node is needed and was not drained');
    expect(api.asked).not.toContain('POST /api/nodes/chapar%40a/drain');
  });

  test('of another node, and revive', async () => {
    api.answers['POST /api/nodes/chapar%40b/drain'] = answer({ node: b, state: 'drained' });
    expect((await api.chapar('drain', b!)).out).toContain('chapar@b is drained');
    expect(api.asked).not.toContain(critical);
    api.answers['POST /api/nodes/chapar%40b/revive'] = answer({ node: b, state: 'serving' });
    expect((await api.chapar('revive', b!)).out).toBe('chapar@b is in use again; chapar rebalance gives it leads\n');
    api.answers['POST /api/nodes/chapar%40a/revive'] = answer({ state: 'serving' });
    expect((await api.chapar('revive')).out).toContain('chapar@a is in use again');
  });
});

describe('rebalance', () => {
  const [look, act] = ['POST /api/rebalance/queues?dry-run=true', 'POST /api/rebalance/queues'];
  const moves = [{ vhost: '/', name: 'tasks', from: a, to: b }];

  test('shows what would move, or has it moved', async () => {
    api.answers[look] = { body: moves };
    const dry = await api.chapar('rebalance', '--dry-run');
    expect(dry.out).toMatch(/^\/ +tasks +chapar@a +chapar@b$/m);
    expect(api.asked).toEqual([look]);
    expect((await api.chapar('rebalance')).out).toBe('1 queue gets another leader\n');
    expect(api.asked.at(-1)).toBe(act);
  });

  test('waits when it is told to, and has nothing to do when all is even', async () => {
    api.answers[look] = [{ body: moves }, { body: moves }, { body: [] }];
    expect((await api.chapar('rebalance', '--wait')).out).toBe('1 queue gets another leader\nthe leads are even\n');
    api.asked.length = 0;
    expect((await api.chapar('rebalance')).out).toBe('the leads are even already\n');
    expect(api.asked).toEqual([look]);
    api.answers[look] = { body: moves };
    const late = await api.chapar('rebalance', '--wait', '--timeout', '0');
    expect([late.code, late.err]).toEqual([
      1,
      'chapar: 1 queue has not moved within 0 s.\nLook at chapar list queues.\n',
    ]);
  });
});

describe('cluster status', () => {
  test('tells of maintenance, copies, and queues that lack some', async () => {
    const node = { name: a, data_id: 'd', running: true, answered: true, ready: false, queues: 3, copies: 9 };
    const mirrored = { queues: 9, without_leader: 1, below_min: 2, fewer_copies: 3 };
    const body = {
      name: 'test',
      id: 'c',
      prefix: '/chapar',
      node: a,
      mirrored,
      nodes: [{ ...node, maintenance: true }],
    };
    api.answers['GET /api/cluster'] = { body };
    const { out } = await api.chapar('cluster', 'status');
    expect(out).toMatch(/^chapar@a +maintenance +3 +9$/m);
    expect(out).toContain('! 1 mirrored queue has no leader\n');
    expect(out).toContain('! 2 mirrored queues have too few copies: publishes to them are refused\n');
    expect(out).toContain('! 3 mirrored queues have fewer copies in sync than they shall have\n');
  });
});
