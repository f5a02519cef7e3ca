import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { chapar } from './chapar-command.js';
import { NodeProcess } from './node-process.js';
import { hasEtcd, type RealEtcd, startEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

let etcd: RealEtcd;
let nodes: NodeProcess[] = [];
let connections: ChannelModel[] = [];
beforeEach(async () => {
  if (!noEtcd) etcd = await startEtcd();
});
afterEach(async () => {
  if (noEtcd) return;
  await Promise.all(connections.map((each) => each.close().catch(() => undefined)));
  connections = [];
  await Promise.all(nodes.map((node) => node.remove()));
  nodes = [];
  await etcd.stop();
});

async function cluster(names: string): Promise<NodeProcess[]> {
  nodes = await Promise.all([...names].map((name) => NodeProcess.make(name, etcd.endpoint)));
  await Promise.all(nodes.map((node) => node.start()));
  return nodes;
}

/** A client of a node; it goes with the test. */
async function client(of: NodeProcess): Promise<ChannelModel> {
  const connection = await connect(of.url);
  connection.on('error', () => undefined);
  connections.push(connection);
  return connection;
}

interface QueueRow {
  readonly name: string;
  readonly leader: string;
  readonly members: readonly string[];
  readonly in_sync: readonly string[];
  readonly messages: number;
}

const rows = async (of: NodeProcess): Promise<QueueRow[]> => (await of.get('/api/queues')).json as QueueRow[];
const row = async (of: NodeProcess, name: string) => (await rows(of)).find((each) => each.name === name)!;

async function leads(of: NodeProcess): Promise<number[]> {
  const all = await rows(of);
  return nodes.map((node) => all.filter(({ leader }) => leader === `${node.name}@test`).length);
}

async function until(what: () => boolean | Promise<boolean>, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

/** Publishes one message after the other, each when the one before was confirmed. */
class Publisher {
  readonly confirmed: number[] = [];
  /** The longest time for which a confirm was waited. Milliseconds. */
  longestMs = 0;
  private isStopped = false;
  private readonly done: Promise<void>;

  constructor(channel: ConfirmChannel, queue: string) {
    this.done = this.run(channel, queue);
  }

  private async run(channel: ConfirmChannel, queue: string): Promise<void> {
    for (let i = 0; !this.isStopped; i++) {
      const fromMs = performance.now();
      await new Promise<void>((resolve, reject) => {
        const options = { persistent: true };
        channel.sendToQueue(queue, Buffer.from(`${i}`), options, (error) =>
          error === null ? resolve() : reject(error),
        );
      });
      this.confirmed.push(i);
      this.longestMs = Math.max(this.longestMs, performance.now() - fromMs);
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.done;
  }
}

/** Machines differ; what is asserted of pauses is asserted on the simulated clock. */
function note({ confirmed, longestMs }: Publisher): void {
  process.stdout.write(
    `${confirmed.length} confirmed one after the other, the slowest in ${longestMs.toFixed(0)} ms\n`,
  );
}

describe.skipIf(noEtcd)('mirrored queues of real nodes', () => {
  test('get and lose copies and change leaders under work, and nothing is lost', async () => {
    const [a, b, c] = (await cluster('abc')) as [NodeProcess, NodeProcess, NodeProcess];
    const connection = await client(b);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', quorum);
    await until(async () => (await row(a, 'q')).in_sync.length === 3);
    const publisher = new Publisher(channel, 'q');
    const got: number[] = [];
    const consuming = await (await client(c)).createChannel();
    await consuming.consume('q', (message) => {
      got.push(Number(message!.content));
      consuming.ack(message!);
    });
    await until(() => publisher.confirmed.length > 100);
    for (const to of ['a', 'c', 'b', 'c', 'a']) {
      const { code, output } = await chapar('queue', 'transfer', 'q', `${to}@test`, '--data-dir', b.dataDir);
      expect([code, output]).toEqual([0, `${to}@test leads 'q'\n`]);
      const { length } = publisher.confirmed;
      await until(() => publisher.confirmed.length > length + 50);
    }
    const removed = await chapar('queue', 'remove-member', 'q', 'a@test', '--data-dir', b.dataDir);
    expect(removed).toMatchObject({ code: 0 });
    expect((await row(c, 'q')).members).not.toContain('a@test');
    const added = await chapar('queue', 'add-member', 'q', 'a@test', '--data-dir', c.dataDir);
    expect(added).toMatchObject({ code: 0 });
    await until(async () => (await row(c, 'q')).in_sync.includes('a@test'));
    await publisher.stop();
    note(publisher);
    await until(() => got.length >= publisher.confirmed.length);
    expect([...new Set(got)].sort((x, y) => x - y)).toEqual(publisher.confirmed);
    const status = await chapar('queue', 'status', 'q', '--data-dir', a.dataDir);
    expect(status.output).toMatch(/^a@test +follower +yes +0 /m);
    await connection.close();
  });

  test('leave a node that is drained, which its clients leave too, and come back', async () => {
    const [a, b] = (await cluster('abc')) as [NodeProcess, NodeProcess];
    const connection = await client(a);
    const gone = new Promise<string>((resolve) => connection.on('close', (error: Error) => resolve(error.message)));
    const channel = await connection.createConfirmChannel();
    for (let i = 0; i < 12; i++) {
      await channel.assertQueue(`q${i}`, quorum);
      channel.sendToQueue(`q${i}`, Buffer.from('x'), { persistent: true });
    }
    await channel.assertQueue('alone', { durable: true });
    await channel.waitForConfirms();
    expect(await leads(b)).toEqual([12, 0, 0]);
    const elsewhere = await (await client(b)).createConfirmChannel();
    const publisher = new Publisher(elsewhere, 'q0');
    await until(() => publisher.confirmed.length > 50);

    const drained = await chapar('drain', '--data-dir', a.dataDir);
    expect(drained).toMatchObject({ code: 0 });
    expect(drained.output).toContain('a@test is drained: 12 queues got another leader');
    expect(drained.output).toContain('! 1 queue is on this node alone and gone while it is (alone)');
    expect(await gone).toContain('320');
    await expect(connect(a.url)).rejects.toThrow();
    expect((await leads(b))[0]).toBe(0);
    expect((await a.get('/health/ready')).status).toBe(503);
    expect((await chapar('cluster', 'status', '--data-dir', b.dataDir)).output).toMatch(/^a@test +maintenance/m);

    const revived = await chapar('revive', '--data-dir', a.dataDir);
    expect(revived).toMatchObject({ code: 0 });
    await (await client(a)).close();
    const rebalanced = await chapar('rebalance', '--wait', '--data-dir', b.dataDir);
    expect(rebalanced).toMatchObject({ code: 0 });
    expect(await leads(b)).toEqual([4, 4, 4]);
    await publisher.stop();
    note(publisher);
    const messages = (await rows(b)).filter(({ name }) => name.startsWith('q')).map((each) => each.messages);
    expect(messages.reduce((x, y) => x + y)).toBe(12 + publisher.confirmed.length);
  });

  test('serve on while every node is drained and started again, one after the other', async () => {
    await cluster('abc');
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const connection = await client(a);
    const channel = await connection.createConfirmChannel();
    for (let i = 0; i < 6; i++) await channel.assertQueue(`q${i}`, quorum);
    await connection.close();
    const confirmed: string[] = [];
    for (const node of nodes) {
      const drained = await chapar('drain', '--data-dir', node.dataDir);
      expect(drained).toMatchObject({ code: 0 });
      expect(await node.end('SIGTERM')).toBe(0);
      const other = nodes.find((each) => each !== node)!;
      const publishing = await client(other);
      const confirms = await publishing.createConfirmChannel();
      for (let i = 0; i < 6; i++) {
        confirms.sendToQueue(`q${i}`, Buffer.from(`${node.name}${i}`), { persistent: true });
        confirmed.push(`${node.name}${i}`);
      }
      await confirms.waitForConfirms();
      await publishing.close();
      await node.start();
      await until(async () => (await rows(node)).every(({ in_sync: inSync }) => inSync.length === 3));
    }
    const reading = await (await client(b)).createChannel();
    const got: string[] = [];
    for (let i = 0; i < 6; i++) {
      for (let message = await reading.get(`q${i}`); message !== false; message = await reading.get(`q${i}`))
        got.push(message.content.toString());
    }
    expect(got.sort()).toEqual(confirmed.sort());
  });
});
