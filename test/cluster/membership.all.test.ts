import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { chapar } from './chapar-command.js';
import { Guest, until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

let guests: Guest[] = [];
let cluster: RealCluster;

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  for (const guest of guests) await guest.close();
  guests = [];
});

async function at(node: BrokerNode): Promise<Guest> {
  const guest = await Guest.at(node);
  guests.push(guest);
  return guest;
}

const down = (queue: string, node: BrokerNode) =>
  `NOT_FOUND - home node '${node.name}' of durable queue '${queue}' in vhost '/' is down or inaccessible`;

/** A durable queue at `home` with these messages. */
async function leave(home: BrokerNode, queue: string, ...texts: string[]): Promise<void> {
  const guest = await at(home);
  await guest.channel.assertQueue(queue, { durable: true });
  for (const text of texts) await guest.publish(queue, text, { persistent: true });
}

async function isDown(from: BrokerNode, queue: string, home: BrokerNode): Promise<void> {
  const guest = await at(from);
  await until(`${queue} is answered with its node`, async () => {
    return (await guest.refusal((channel) => channel.checkQueue(queue))).includes(down(queue, home));
  });
}

async function take(from: BrokerNode, queue: string, count: number): Promise<string[]> {
  const guest = await at(from);
  let texts: string[] = [];
  await until(`${queue} can be consumed from`, async () => {
    const refused = await guest.refusal(async (channel) => channel.checkQueue(queue));
    return refused === 'it was allowed';
  });
  const inbox = await guest.consume(queue);
  texts = await inbox.take(count);
  await guest.channel.cancel(inbox.tag);
  return texts;
}

/** In how many of the revisions of etcd between two a key was absent. */
function absences(key: string, from: number, to: number): number {
  const { etcd } = cluster.members[0]!;
  let absent = 0;
  for (let revision = from; revision <= to; revision++) {
    if (etcd.ctl('get', '--keys-only', '--rev', String(revision), key).trim() === '') absent++;
  }
  return absent;
}

function revision(): number {
  const { etcd } = cluster.members[0]!;
  const { header } = JSON.parse(etcd.ctl('get', 'any', '-w', 'json')) as { header: { revision: number } };
  return header.revision;
}

describe.skipIf(noEtcd)('with a lease of a minute', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    cluster = await RealCluster.start({ leaseSeconds: 60 });
  });
  afterAll(() => cluster?.close());

  test('a node that was killed takes its place at once with the same data directory', async () => {
    const [a, b, c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    await leave(c, 'line', '1', '2');
    const before = revision();
    await c.kill9();
    c.start();
    // Far less than a minute, or this ends with an error.
    await c.ready();
    expect(absences(`/chapar/nodes/${encodeURIComponent(c.name)}`, before, revision())).toBe(0);
    expect(await take(a, 'line', 2)).toEqual(['1', '2']);
    await (await at(b)).publish('line', '3');
    expect(await take(c, 'line', 1)).toEqual(['3']);
  });

  test('a node that was stopped gives its name back at once', async () => {
    const [a, , c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    await leave(c, 'left', '1');
    await c.stop();
    await isDown(a, 'left', c);
    const other = await cluster.makeNode(c.name);
    other.start();
    await other.ready();
    await other.stop();
    c.start();
    await c.ready();
    expect(await take(a, 'left', 1)).toEqual(['1']);
  });
});

describe.skipIf(noEtcd)('with a short lease', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    cluster = await RealCluster.start({ leaseSeconds: 3 });
  });
  afterAll(() => cluster?.close());

  test('another data directory waits while the name is live, then has it and none of its messages', async () => {
    const [a, , c] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    await leave(c, 'line', '1');
    const other = await cluster.makeNode(c.name);
    other.start();
    await sleep(5000);
    expect(other.lines.some(({ msg }) => msg === 'ready')).toBe(false);
    expect(await (await at(a)).count('line')).toMatchObject({ messages: 1 });
    await c.kill9();
    await other.ready();
    await isDown(a, 'line', c);
    await isDown(other, 'line', c);
    await leave(other, 'new', 'x');
    expect(await take(a, 'new', 1)).toEqual(['x']);
    await other.stop();
    c.start();
    await c.ready();
    expect(await take(a, 'line', 1)).toEqual(['1']);
    await isDown(a, 'new', c);
  });

  test('a wiped disk joins as a new node; the old one brings its messages back', async () => {
    const [a, b] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    await leave(b, 'kept', '1', '2');
    await b.kill9();
    const before = b.dataDir;
    b.takeEmptyDirectory();
    b.start();
    await b.ready();
    await isDown(a, 'kept', b);
    await b.stop();
    b.dataDir = before;
    b.start();
    await b.ready();
    expect(await take(a, 'kept', 2)).toEqual(['1', '2']);
  });

  test('a node is forgotten for good, with the queues that only it had', async () => {
    const [a] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    const fourth = await cluster.makeNode('chapar@z');
    fourth.start();
    await fourth.ready();
    await leave(fourth, 'doomed', '1');
    const forget = () => chapar('forget', fourth.name, '--yes', '--data-dir', a.dataDir);
    const early = await forget();
    expect(early.code, early.output).not.toBe(0);
    await fourth.kill9();
    await isDown(a, 'doomed', fourth);
    const losses = await a.api('DELETE', `nodes/${fourth.name}?dry-run=true`);
    expect(losses).toMatchObject({ name: fourth.name, queues_lost: [{ vhost: '/', name: 'doomed' }] });
    const { code, output } = await forget();
    expect(code, output).toBe(0);
    expect(output).toContain('one queue is lost');
    const guest = await at(a);
    expect(await guest.refusal((channel) => channel.checkQueue('doomed'))).toContain(
      `NOT_FOUND - no queue 'doomed' in vhost '/'`,
    );
    await guest.channel.assertQueue('doomed', { durable: true });
    await guest.channel.deleteQueue('doomed');
    // Its directory does not come back by itself.
    fourth.start();
    await expect(fourth.ready()).rejects.toThrow(/forget|forgotten/);
  });

  test('two clusters share an etcd', async () => {
    const [a] = cluster.nodes as [BrokerNode, BrokerNode, BrokerNode];
    const other = await cluster.makeNode('chapar@a', { prefix: '/other' });
    other.start();
    await other.ready();
    await leave(a, 'ours', '1');
    const guest = await at(other);
    expect(await guest.refusal((channel) => channel.checkQueue('ours'))).toContain('NOT_FOUND - no queue');
    await leave(other, 'ours', 'theirs');
    expect(await take(a, 'ours', 1)).toEqual(['1']);
    expect(await take(other, 'ours', 1)).toEqual(['theirs']);
    await other.stop();
  });
});
