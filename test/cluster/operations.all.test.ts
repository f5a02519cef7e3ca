import { connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { chapar, NodeProcess } from './node-process.js';
import { hasEtcd, type RealEtcd, startEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

let etcd: RealEtcd;
let nodes: NodeProcess[] = [];
beforeEach(async () => {
  if (!noEtcd) etcd = await startEtcd();
});
afterEach(async () => {
  if (noEtcd) return;
  await Promise.all(nodes.map((node) => node.remove()));
  nodes = [];
  await etcd.stop();
});

async function make(name: string): Promise<NodeProcess> {
  const node = await NodeProcess.make(name, etcd.endpoint);
  nodes.push(node);
  return node;
}

async function three(): Promise<[NodeProcess, NodeProcess, NodeProcess]> {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => make(name)));
  await Promise.all([a!, b!, c!].map((node) => node.start()));
  return [a!, b!, c!];
}

async function until(what: () => boolean | Promise<boolean>, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A durable queue with confirmed messages, declared through a node. */
async function fill(node: NodeProcess, queue: string, count: number): Promise<void> {
  const connection = await connect(node.url);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  for (let i = 0; i < count; i++) channel.sendToQueue(queue, Buffer.from(`${i}`), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

async function drain(node: NodeProcess, queue: string): Promise<string[]> {
  const connection = await connect(node.url);
  const channel = await connection.createChannel();
  const got: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) break;
    got.push(message.content.toString());
  }
  await connection.close();
  return got;
}

interface Status {
  readonly nodes: { name: string; running: boolean; queues: number; data_id: string; etcd?: { reachable: boolean } }[];
}
function status(of: NodeProcess): Status {
  const { code, out, err } = chapar('cluster', 'status', '--data-dir', of.dataDir, '--format', 'json');
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}
const memberOf = (of: NodeProcess, name: string) => status(of).nodes.find((node) => node.name === `${name}@test`);

describe.skipIf(noEtcd)('a cluster of three processes', () => {
  test('is shown whole by each of them; one that is killed is gone, returns with its messages, or is forgotten', async () => {
    const [a, b, c] = await three();
    await fill(c, 'orders', 20);
    const seen = status(a).nodes.map(({ name, running, queues }) => [name, running, queues]);
    expect(seen).toEqual([
      ['a@test', true, 0],
      ['b@test', true, 0],
      ['c@test', true, 1],
    ]);
    const rows = (await b.get('/api/queues?page=1')).json as { items: { node: string; messages: number }[] };
    expect(rows.items).toMatchObject([{ name: 'orders', node: 'c@test', messages: 20, state: 'running' }]);

    await c.end('SIGKILL');
    await until(() => memberOf(a, 'c')?.running === false);
    expect((await b.get('/api/queues/%2F/orders')).json).toMatchObject({ state: 'down', node: 'c@test' });
    expect(chapar('cluster', 'status', '--data-dir', a.dataDir).out).toContain('1 queue comes back with it');
    await c.start();
    expect(await drain(b, 'orders')).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));

    await fill(c, 'orders', 1);
    const running = chapar('forget', 'c@test', '--yes', '--data-dir', a.dataDir);
    expect([running.code, running.err]).toEqual([1, expect.stringContaining('c@test is running')]);
    await c.end('SIGKILL');
    await until(() => memberOf(a, 'c')?.running === false);
    const asked = chapar('forget', 'c@test', '--data-dir', a.dataDir);
    expect([asked.code, asked.err]).toEqual([1, expect.stringContaining('orders in virtual host /')]);
    const { code, out } = chapar('forget', 'c@test', '--yes', '--data-dir', a.dataDir);
    expect([code, out]).toEqual([0, expect.stringContaining('one queue is lost')]);
    await until(async () => (await b.get('/api/queues/%2F/orders')).status === 404);
    expect(memberOf(b, 'c')).toBeUndefined();
    c.spawn();
    expect(await c.end(null)).toBe(1);
    expect(c.lines.join('\n')).toContain('was told to forget the data directory');
  });

  test('loses its etcd, and is made anew from what its nodes remember', async () => {
    const [a, b, c] = await three();
    await fill(a, 'of a', 3);
    await fill(b, 'of b', 4);
    // The copies are a second behind.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (const node of [a, b, c]) expect(await node.end('SIGTERM')).toBe(0);
    await etcd.stop();
    etcd = await startEtcd();
    for (const node of [a, b, c]) node.options = ['--etcd', etcd.endpoint];
    a.spawn();
    expect(await a.end(null)).toBe(1);
    expect(a.lines.join('\n')).toContain('chapar cluster adopt');

    const plan = chapar('cluster', 'adopt', '--data-dir', a.dataDir, '--etcd', etcd.endpoint, '--dry-run');
    expect([plan.code, plan.out]).toEqual([0, expect.stringContaining('would be made anew')]);
    for (const node of [a, b, c]) {
      const { code, err } = chapar('cluster', 'adopt', '--data-dir', node.dataDir, '--etcd', etcd.endpoint);
      expect([code, err]).toEqual([0, '']);
    }
    await Promise.all([a, b, c].map((node) => node.start()));
    expect([await drain(c, 'of a'), await drain(c, 'of b')]).toEqual([
      ['0', '1', '2'],
      ['0', '1', '2', '3'],
    ]);
    const again = chapar('cluster', 'adopt', '--data-dir', a.dataDir, '--etcd', etcd.endpoint);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('held by a broker')]);
  });
});

describe.skipIf(noEtcd)('a node that starts without etcd', () => {
  test('lives, is not ready, says what it waits for, and stops when it is told to', async () => {
    const node = await make('a');
    await node.start();
    expect(await node.end('SIGTERM')).toBe(0);
    await etcd.kill();
    node.spawn();
    await node.said('this node waits');
    expect((await fetch(`${node.api}/health/live`)).status).toBe(200);
    const ready = await node.get('/health/ready');
    expect([ready.status, ready.json]).toEqual([
      503,
      expect.objectContaining({ reason: expect.stringContaining('etcd') }),
    ]);
    const { code, err } = chapar('status', '--wait', '--timeout', '1', '--data-dir', node.dataDir);
    expect([code, err]).toEqual([1, expect.stringContaining('etcd cannot be used')]);
    expect(await node.end('SIGTERM')).toBe(0);

    node.spawn();
    await node.said('this node waits');
    etcd.start();
    await node.said('"msg":"ready"');
    expect((await node.get('/health/ready')).status).toBe(200);
  });
});

describe.skipIf(noEtcd)('a node that is refused', () => {
  test('says why: alone where it was in a cluster, and with a directory that belongs elsewhere', async () => {
    const node = await make('a');
    await node.start();
    await fill(node, 'q', 1);
    await node.end('SIGTERM');
    const alone = chapar('start', '--data-dir', node.dataDir, '--listen', 'amqp=127.0.0.1:0');
    expect([alone.code, alone.err]).toEqual([2, expect.stringContaining('belongs to a cluster')]);
    node.options.push('--etcd-prefix', '/other');
    node.spawn();
    expect(await node.end(null)).toBe(1);
    expect(node.lines.join('\n')).toContain('is --etcd-prefix right?');
  });

  test('waits while another directory has its name', async () => {
    const first = await make('a');
    await first.start();
    const second = await make('a');
    second.spawn();
    await second.said('another data directory is registered as a@test');
    const { status, json } = await second.get('/health/ready');
    expect([status, json]).toEqual([503, expect.objectContaining({ reason: expect.stringContaining('a@test') })]);
    await first.end('SIGTERM');
    await second.said('"msg":"ready"');
  });

  test('was a node alone, which a new cluster takes with all it has', async () => {
    const node = await make('a');
    const etcdOptions = node.options;
    node.options = ['--no-listen', 'peer'];
    const ports = node.ports;
    Object.assign(node, { ports: { amqp: ports.amqp, management: ports.management } });
    await node.start();
    await fill(node, 'kept', 2);
    await node.end('SIGTERM');
    Object.assign(node, { ports });
    node.options = etcdOptions;
    await node.start();
    const other = await make('b');
    await other.start();
    expect(await drain(other, 'kept')).toEqual(['0', '1']);
  });
});
