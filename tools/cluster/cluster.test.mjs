import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareDirectory } from './directory.mjs';
import { findEtcd, takenPort } from './etcd-program.mjs';
import { linesOf } from './log-line.mjs';
import { banner, planCluster, readOptions } from './plan.mjs';

let directory;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-cluster-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('options and plan', () => {
  test('three brokers on ports one apart, with directories of their own', () => {
    const { etcd, nodes } = planCluster(readOptions([], '/somewhere'));
    expect(nodes.map(({ name, ports }) => [name, ports.amqp, ports.mqtt, ports.management, ports.peer])).toEqual([
      ['chapar-1', 5672, 1883, 15672, 25672],
      ['chapar-2', 5673, 1884, 15673, 25673],
      ['chapar-3', 5674, 1885, 15674, 25674],
    ]);
    expect(nodes[1].dataDir).toBe('/somewhere/data/cluster/chapar-2');
    expect(nodes[1].flags.join(' ')).toContain('--etcd http://127.0.0.1:12379 --listen amqp=:5673');
    expect(etcd.args).toContain('/somewhere/data/cluster/etcd');
  });

  test('so many, elsewhere, on other ports', () => {
    const plan = planCluster(readOptions(['--nodes=2', '--dir', 'x', '--shift', '100', '--fresh'], '/somewhere'));
    expect(plan.nodes.map(({ ports }) => ports.amqp)).toEqual([5772, 5773]);
    expect(plan.etcd.ports).toEqual([12479, 12480]);
    expect(plan.nodes[0].dataDir).toBe('/somewhere/x/chapar-1');
    const text = banner(plan, { 'chapar-1': 11, 'chapar-2': 12, etcd: 13 }, '/somewhere');
    expect(text).toContain('Two brokers are ready as one cluster.');
    expect(text).toContain('amqp 5772  mqtt 1983  management 15772  peer 25772  process 11');
    expect(text).toContain('npx chapar status --data-dir x/chapar-1');
    expect(text).toContain('kill -9 12');
    expect(text).toContain('--data-dir x/chapar-2 --etcd http://127.0.0.1:12479');
  });

  test.each([
    [['--nodes', '0'], '--nodes takes a number from 1 to 9'],
    [['--nodes'], '--nodes needs a value'],
    [['--shift', 'a'], '--shift takes a number'],
    [['--node', '3'], '--node is not an option'],
  ])('%j is refused', (args, why) => {
    expect(() => readOptions(args, '/')).toThrow(why);
  });

  test('the command says what was wrong and ends with 1', () => {
    const command = fileURLToPath(new URL('../cluster.mjs', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [command, '--nodes', 'x'], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('--nodes takes a number');
  });
});

describe('the directory', () => {
  test('is made, kept, and emptied when asked', () => {
    const dir = path.join(directory, 'own');
    prepareDirectory(dir, false);
    writeFileSync(path.join(dir, 'kept'), '');
    prepareDirectory(dir, false);
    expect(existsSync(path.join(dir, 'kept'))).toBe(true);
    prepareDirectory(dir, true);
    expect(existsSync(path.join(dir, 'kept'))).toBe(false);
  });

  test('of somebody else is left alone, also with --fresh', () => {
    const dir = path.join(directory, 'other');
    prepareDirectory(path.join(dir, 'inner'), false);
    expect(() => prepareDirectory(dir, true)).toThrow('holds something else');
    expect(existsSync(path.join(dir, 'inner'))).toBe(true);
  });
});

describe('lines', () => {
  const plain = linesOf('chapar-1', { index: 0, width: 9, coloured: false });

  test('of the broker and of etcd are readable', () => {
    const said = { level: 'info', time: 0, package: 'store', msg: 'opened', queues: 3, node: 'a@b', pid: 1 };
    expect(plain(JSON.stringify(said))).toMatch(/^chapar-1 {2}\| \d\d:\d\d:\d\d store opened queues=3$/);
    const etcd = { level: 'warn', ts: '2026-01-01T00:00:00.000Z', caller: 'a.go:1', msg: 'slow', took: '2s' };
    expect(plain(JSON.stringify(etcd))).toMatch(/\| \d\d:\d\d:\d\d warn slow took=2s$/);
    const failed = { level: 'error', time: 0, msg: 'broken', error: { type: 'Error', message: 'no disk' } };
    expect(plain(JSON.stringify(failed))).toContain('error broken error=no disk');
  });

  test('that are no JSON are passed on', () => {
    for (const text of ['hello', '{"half": ', '{"no": "message"}']) expect(plain(text)).toBe(`chapar-1  | ${text}`);
  });

  test('have the colour of their program on a terminal, and none elsewhere', () => {
    const coloured = (index) => linesOf('x', { index, width: 1, coloured: true })('hello');
    expect(coloured(0)).toContain('\x1b[32mx\x1b[0m');
    expect(coloured(1)).toContain('\x1b[33mx\x1b[0m');
    expect(plain('hello')).not.toContain('\x1b');
  });
});

test('an etcd that is not there is said with the way to get one', () => {
  expect(findEtcd('no-such-program')).toContain('apt-get install etcd-server');
  // Something that runs and says another version.
  expect(findEtcd(process.execPath)).toContain('on the PATH is');
});

test('a port in use is found', async () => {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  expect(await takenPort([port])).toBe(port);
  await new Promise((resolve) => server.close(resolve));
  expect(await takenPort([port])).toBeNull();
});
