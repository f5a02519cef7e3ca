import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { chapar, NodeProcess } from './node-process.js';
import { hasEtcd, onLoopback, type RealEtcd, startEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const makeAuthority = fileURLToPath(new URL('../../tools/dev-ca.mjs', import.meta.url));

let directory: string;
let etcd: RealEtcd | null = null;
let nodes: NodeProcess[] = [];
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-trust-'));
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.remove()));
  nodes = [];
  await etcd?.stop();
});
afterAll(() => rmSync(directory, { recursive: true }));

function authority(name: string): string {
  const folder = path.join(directory, name);
  const { status, stderr } = spawnSync(process.execPath, [makeAuthority, folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return folder;
}

const certificates = (side: 'PEER' | 'ETCD', folder: string): Record<string, string> => ({
  [`CHAPAR_CLUSTER__${side}_CA_FILE`]: path.join(folder, 'ca.pem'),
  [`CHAPAR_CLUSTER__${side}_CERT_FILE`]: path.join(folder, 'server.pem'),
  [`CHAPAR_CLUSTER__${side}_KEY_FILE`]: path.join(folder, 'server.key.pem'),
});

async function start(name: string, endpoint: string, environment: Record<string, string>): Promise<NodeProcess> {
  const node = await NodeProcess.make(name, endpoint);
  node.environment = environment;
  nodes.push(node);
  await node.start();
  return node;
}

/** Whether what is published at one is there at the other. */
async function areOne(a: NodeProcess, b: NodeProcess): Promise<boolean> {
  const [from, to] = [await connect(a.url), await connect(b.url)];
  const [declaring, publishing] = [await from.createChannel(), await to.createConfirmChannel()];
  await declaring.assertQueue('q', { durable: true });
  publishing.sendToQueue('q', Buffer.from('x'), { persistent: true });
  await publishing.waitForConfirms();
  const got = await declaring.get('q', { noAck: true });
  await Promise.all([from.close(), to.close()]);
  return got !== false;
}

async function isLinked(node: NodeProcess): Promise<{ up: boolean; reason?: string }> {
  const { json } = await node.get('/api/cluster');
  const { nodes: all } = json as { nodes: { here: boolean; links: { up: boolean; reason?: string }[] }[] };
  return all.find(({ here }) => here)!.links[0]!;
}

describe.skipIf(noEtcd)('nodes', () => {
  test('that know the secret are one; one with another secret is kept out, and both sides say so', async () => {
    etcd = await startEtcd();
    const file = path.join(directory, 'secret');
    writeFileSync(file, 'between us\n');
    const a = await start('a', etcd.endpoint, { CHAPAR_CLUSTER__SECRET: 'between us' });
    const b = await start('b', etcd.endpoint, { CHAPAR_CLUSTER__SECRET_FILE: file });
    expect(await areOne(a, b)).toBe(true);
    await b.end('SIGTERM');
    b.environment = { CHAPAR_CLUSTER__SECRET: 'another' };
    await b.start();
    expect(await isLinked(a)).toMatchObject({ up: false, reason: expect.stringMatching(/secret/) });
    expect(chapar('cluster', 'status', '--data-dir', a.dataDir).out).toContain('a@test has not reached b@test for');
    // There is nobody else who could say whose fault it is.
    for (const node of [a, b]) {
      let ready = await node.get('/health/ready');
      for (let i = 0; i < 100 && ready.status === 200; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        ready = await node.get('/health/ready');
      }
      expect(ready).toMatchObject({
        status: 503,
        json: { reason: expect.stringContaining('has not been reached for') },
      });
    }
  });

  test('with certificates of one authority are one; one with another authority is kept out', async () => {
    etcd = await startEtcd();
    const [ours, theirs] = [authority('ours'), authority('theirs')];
    const a = await start('a', etcd.endpoint, certificates('PEER', ours));
    const b = await start('b', etcd.endpoint, certificates('PEER', ours));
    expect(await areOne(a, b)).toBe(true);
    await b.end('SIGTERM');
    b.environment = certificates('PEER', theirs);
    await b.start();
    expect(await isLinked(a)).toMatchObject({ up: false });
  });

  test('speak TLS and log in to an etcd that wants both', async () => {
    const folder = authority('etcd');
    const at = (name: string) => path.join(folder, name);
    const files = { ca: at('ca.pem'), cert: at('server.pem'), key: at('server.key.pem') };
    const place = { ...onLoopback, tls: files };
    etcd = await startEtcd([], place);
    etcd.ctl('user', 'add', 'root:root');
    etcd.ctl('role', 'add', 'broker');
    etcd.ctl('role', 'grant-permission', 'broker', '--prefix=true', 'readwrite', '/chapar/');
    etcd.ctl('user', 'add', 'broker:pass');
    etcd.ctl('user', 'grant-role', 'broker', 'broker');
    etcd.ctl('auth', 'enable');
    const password = path.join(directory, 'password');
    writeFileSync(password, 'pass');
    const environment = {
      ...certificates('ETCD', folder),
      CHAPAR_CLUSTER__ETCD_USER: 'broker',
      CHAPAR_CLUSTER__ETCD_PASSWORD_FILE: password,
    };
    const a = await start('a', etcd.endpoint, environment);
    const b = await start('b', etcd.endpoint, environment);
    expect(await areOne(a, b)).toBe(true);
    writeFileSync(password, 'wrong');
    const c = await NodeProcess.make('c', etcd.endpoint);
    c.environment = environment;
    nodes.push(c);
    c.spawn();
    expect(await c.end(null)).toBe(1);
    expect(c.lines.join('\n')).toContain('etcd does not let this node in');
  });
});
