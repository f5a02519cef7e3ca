import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The real process around a broker that only listens: what is tested are signals, exit codes and what is printed.
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const double = `
import { createServer } from 'node:net';
import { main } from ${JSON.stringify(main)};
const listen = (address) => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject).listen(address.port, address.host ?? undefined, () => resolve(server));
});
const compose = async (options) => {
  const server = await listen(options.listeners.amqp);
  return {
    listeners: { amqp: '127.0.0.1:' + server.address().port },
    dataDir: options.node.dataDir,
    durability: 'none, this is a double',
    version: '0.0.1',
    async stop() {
      if (process.env.HANG) await new Promise(() => setInterval(() => {}, 1000));
      server.close();
      if (process.env.BREAK) throw new Error('the disk is gone');
    },
  };
};
process.on('SIGUSR2', () => { throw new Error('a bug'); });
await main(process.argv.slice(2), compose);
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-run-'));
  writeFileSync(path.join(directory, 'double.mjs'), double);
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});
const children: ChildProcess[] = [];

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  printed(text: string): Promise<void>;
  ended(): Promise<number | null>;
}

function run(args: readonly string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [path.join(directory, 'double.mjs'), ...args], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const printed = async (text: string) => {
    while (!output.includes(text)) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before '${text}':\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { child, output: () => output, printed, ended: () => closed };
}

const start = ['start', '--listen', 'amqp=127.0.0.1:0'];

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops it; off a terminal the ready line is JSON', async (signal) => {
  const { child, output, printed, ended } = run([...start, '--data-dir', 'd', '--node-name', 'a@b']);
  await printed('"ready"');
  const line = JSON.parse(
    output()
      .split('\n')
      .find((text) => text.includes('"ready"')) ?? '{}',
  );
  expect(line).toMatchObject({ level: 'info', msg: 'ready', dataDir: `${directory}/d`, version: '0.0.1', node: 'a@b' });
  expect(line.listeners.amqp).toMatch(/^127\.0\.0\.1:\d+$/);
  child.kill(signal);
  expect(await ended()).toBe(0);
  expect(output()).toContain('"stopped"');
});

test('the banner for people names what they need', async () => {
  const { child, output, printed, ended } = run(start, { CHAPAR_LOG__FORMAT: 'pretty' });
  await printed('stop  ');
  const { pid } = child;
  child.kill('SIGTERM');
  expect(await ended()).toBe(0);
  for (const part of [
    'Chapar 0.0.1 is ready.',
    'amqp        127.0.0.1:',
    `data        ${directory}/data`,
    'durability  none',
    'guest / guest',
    `kill ${pid}`,
  ]) {
    expect(output()).toContain(part);
  }
});

test('a stop that takes too long ends at its bound, with 0', async () => {
  const { child, output, printed, ended } = run(start, { HANG: '1', CHAPAR_SHUTDOWN_SECONDS: '1' });
  await printed('"ready"');
  child.kill('SIGTERM');
  expect(await ended()).toBe(0);
  expect(output()).toContain('the stop took longer than shutdownSeconds');
});

test('the same key press twice is one; a second signal later ends at once with 1', async () => {
  const { child, printed, ended, output } = run(start, { HANG: '1' });
  await printed('"ready"');
  child.kill('SIGINT');
  await printed('"stopping');
  child.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await ended()).toBe(1);
  expect(output()).toContain('a second signal');
});

test('a stop that fails ends with 1', async () => {
  const { child, printed, ended, output } = run(start, { BREAK: '1' });
  await printed('"ready"');
  child.kill('SIGTERM');
  expect(await ended()).toBe(1);
  expect(output()).toContain('the disk is gone');
});

test('a bug is logged and ends it with 1', async () => {
  const { child, printed, ended, output } = run(start);
  await printed('"ready"');
  child.kill('SIGUSR2');
  expect(await ended()).toBe(1);
  expect(output()).toContain('an error that nobody expected');
  expect(output()).toContain('a bug');
});

test('a port in use ends it with 1 and the way out', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const { ended, output } = run(['start', '--listen', `amqp=127.0.0.1:${port}`]);
  expect(await ended()).toBe(1);
  expect(output()).toContain(`port ${port} for amqp is in use by process ${process.pid}`);
  taken.close();
});

test.each([
  [['start', '--listen', 'stomp=:61613'], 'not built yet: the protocol stomp'],
  [['start', '--etcd', '127.0.0.1:2379'], 'flag --etcd: cluster.etcd: ["127.0.0.1:2379"] is not allowed'],
  [['start', '--lisen', 'amqp'], 'Did you mean --listen?'],
  [['start', '--config', 'absent.yaml'], 'there is no such file'],
  [['strat'], 'Did you mean start?'],
  [['start', 'surplus'], 'too many arguments'],
])('%j is refused with 2', async (args, part) => {
  const { ended, output } = run(args);
  expect(await ended()).toBe(2);
  expect(output()).toContain(part);
});

test('--help and --version end with 0', async () => {
  const help = run(['start', '--help']);
  expect(await help.ended()).toBe(0);
  expect(help.output()).toContain('--no-listen <protocol>');
  const version = run(['--version']);
  expect(await version.ended()).toBe(0);
  expect(version.output()).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('config show prints what start would take, and it can be read back', async () => {
  const shown = run(['config', 'show', '--effective', '--origin', '--no-listen', 'management'], {
    CHAPAR_LOG__LEVEL: 'warn',
  });
  expect(await shown.ended()).toBe(0);
  expect(shown.output()).toMatch(/^ {2}level: warn +# environment CHAPAR_LOG__LEVEL$/m);
  expect(shown.output()).toMatch(/^ {2}management: off +# flag --no-listen$/m);
  expect(shown.output()).toMatch(/^ {2}channelMax: 2047 +# default$/m);
  writeFileSync(path.join(directory, 'shown.yaml'), shown.output());
  const again = run(['config', 'show', '--config', 'shown.yaml', '--format', 'json']);
  expect(await again.ended()).toBe(0);
  expect(JSON.parse(again.output())).toMatchObject({
    'log.level': 'warn',
    'listeners.management': 'off',
    'limits.connectionMax': null,
  });
});
