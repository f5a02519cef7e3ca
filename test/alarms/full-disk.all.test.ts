import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';

const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));
const MiB = 1024 * 1024;

/** Why a file system of its own cannot be mounted here; null when it can. */
function whyNot(): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'chapar-mount-'));
  const tried = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
  rmSync(directory, { recursive: true });
  if (tried.error !== undefined) return tried.error.message;
  return tried.status === 0 ? null : String(tried.stderr).trim();
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly lines: readonly string[];
}

/** A broker whose data directory is a file system of its own, in a mount namespace that vanishes with it. */
async function start(directory: string, mebibytes: number): Promise<Running> {
  const script = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && exec "$@"`;
  const broker = [process.execPath, main, 'start', '--data-dir', directory, '--listen', 'amqp=127.0.0.1:0'];
  const environment = {
    ...process.env,
    CHAPAR_LIMITS__DISK_FREE_MIN: '0',
    CHAPAR_STORE__RESERVE: String(24 * MiB),
    CHAPAR_LOG__FORMAT: 'json',
  };
  const child = spawn('unshare', ['-m', 'sh', '-c', script, directory, ...broker], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      const address = /"amqp":"([^"]+)"/.exec(line)?.[1];
      if (line.includes('"ready"') && address !== undefined) resolve(`amqp://guest:guest@${address}`);
    });
    child.once('exit', (code) => reject(new Error(`the broker ended with ${code}: ${lines.join('\n')}`)));
  });
  return { child, url, lines };
}

async function until(what: string, isThere: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isThere()) {
    if (Date.now() > deadline) throw new Error(`waited too long for: ${what}`);
    await sleep(20);
  }
}

const reason = whyNot();

test.skipIf(skipUnless(reason === null, `no file system can be mounted in a namespace here: ${reason}`))(
  'a disk that fills up holds publishers, is drained, and takes messages again',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'chapar-full-'));
    const { child, url, lines } = await start(directory, 96);
    try {
      const publisher = await connect(url);
      const channel = await publisher.createConfirmChannel();
      await channel.assertQueue('q', { durable: true });
      let blocked = '';
      let unblocked = 0;
      publisher.on('blocked', (why: string) => (blocked = why));
      publisher.on('unblocked', () => unblocked++);
      let sent = 0;
      let confirmed = 0;
      const publish = (): void => {
        sent++;
        channel.publish('', 'q', Buffer.alloc(8192, sent % 256), { persistent: true }, (error) => {
          if (error === null) confirmed++;
        });
      };
      while (blocked === '') {
        if (sent - confirmed < 500) publish();
        else await sleep(1);
        if (sent % 100 === 0) await sleep(0);
      }
      expect(blocked).toBe('the disk is full');
      expect(confirmed).toBeGreaterThan(1000);

      const consumer = await connect(url);
      const out = await consumer.createChannel();
      await out.prefetch(100);
      let received = 0;
      await out.consume('q', (message) => {
        received++;
        out.ack(message!);
      });
      await until('the publisher goes on', () => unblocked === 1);
      for (let i = 0; i < 1000; i++) publish();
      await until('everything is confirmed', () => confirmed === sent);
      await until('everything is received', () => received === sent);
      expect(child.exitCode).toBeNull();
      expect(lines.some((line) => line.includes('the disk is full; what is there is served'))).toBe(true);
      expect(lines.some((line) => line.includes('there is room on the disk again'))).toBe(true);
      await publisher.close();
      await consumer.close();
    } finally {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true });
    }
  },
  120_000,
);
