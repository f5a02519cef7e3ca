import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd } from '../cluster/real-etcd.js';
import { skipUnless } from '../support/skip.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server)');
const tool = fileURLToPath(new URL('../../tools/cluster.mjs', import.meta.url));
/** Away from whatever else runs here, and below the ports that the system gives to connections. */
const shift = 500 + (process.pid % 600) * 10;
const ports = [5672, 5673, 5674].map((port) => port + shift);

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'chapar-run-cluster-'));
});
afterAll(() => rmSync(parent, { recursive: true }));

class Run {
  output = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(...options: string[]) {
    const args = [tool, '--dir', path.join(parent, 'cluster'), '--shift', String(shift), ...options];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: parent });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve(code));
    });
  }

  async said(text: string): Promise<void> {
    const deadline = performance.now() + 90_000;
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null || performance.now() > deadline) throw new Error(this.output);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

describe.skipIf(noEtcd)('npm run cluster', () => {
  test('starts three brokers that are one, stops them cleanly, and finds everything again', async () => {
    const first = new Run();
    await first.said('Three brokers are ready as one cluster.');
    expect(first.output).not.toContain('\x1b');
    for (const [i, port] of ports.entries()) {
      expect(first.output).toMatch(new RegExp(`^  chapar-${i + 1} +amqp ${port} `, 'm'));
    }
    const from = await connect(`amqp://localhost:${ports[0]}`);
    const channel = await from.createConfirmChannel();
    await channel.assertQueue('tasks', { durable: true });
    await from.close();
    const over = await connect(`amqp://localhost:${ports[1]}`);
    const publishing = await over.createConfirmChannel();
    publishing.sendToQueue('tasks', Buffer.from('a first task'), { persistent: true });
    await publishing.waitForConfirms();
    await over.close();
    first.child.kill('SIGINT');
    expect(await first.ended, first.output).toBe(0);
    const last = first.output.trimEnd().split('\n').slice(-3).join('\n');
    expect(last).toMatch(/chapar-\d \| .*stopped$/m);
    expect(readdirSync(path.join(parent, 'cluster')).filter((name) => name.startsWith('chapar-'))).toHaveLength(3);

    const second = new Run('--nodes', '2');
    await second.said('Two brokers are ready as one cluster.');
    const again = await connect(`amqp://localhost:${ports[1]}`);
    const reading = await again.createChannel();
    const got = await reading.get('tasks', { noAck: true });
    expect(got === false ? null : got.content.toString()).toBe('a first task');
    await again.close();
    const taken = new Run();
    expect(await taken.ended).toBe(1);
    expect(taken.output).toMatch(/Port \d+ is in use/);
    second.child.kill('SIGTERM');
    expect(await second.ended, second.output).toBe(0);
  });

  test('--fresh forgets; a broker that ends by itself is told and the rest go on', async () => {
    const run = new Run('--fresh');
    await run.said('Three brokers are ready as one cluster.');
    const pid = Number(/chapar-3 .*process (\d+)/.exec(run.output)?.[1]);
    process.kill(pid, 'SIGKILL');
    await run.said('chapar-3 | ended with SIGKILL');
    const connection = await connect(`amqp://localhost:${ports[0]}`);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await expect(channel.checkQueue('tasks')).rejects.toThrow('404');
    await connection.close().catch(() => undefined);
    run.child.kill('SIGINT');
    expect(await run.ended, run.output).toBe(0);
  });
});
