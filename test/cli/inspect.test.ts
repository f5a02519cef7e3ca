import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { startBroker } from '../../examples/demo/broker.mjs';

const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));

function chapar(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

test('chapar inspect, beside a running broker and after its end', async () => {
  const broker = await startBroker({ environment: { CHAPAR_STORE__DURABILITY: 'periodic:50ms' } });
  try {
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('orders', { durable: true });
    for (let i = 0; i < 3; i++) channel.sendToQueue('orders', Buffer.from('hello'), { persistent: true });
    await channel.waitForConfirms();

    const status = chapar('status', '--data-dir', broker.dataDir!);
    expect(status.stdout).toMatch(/durability +periodic: a power cut may take .* last 50 ms/);
    expect(status.stdout).toMatch(/alarms +none/);

    const beside = chapar('inspect', broker.dataDir!, '--format', 'json');
    expect(beside.stderr).toContain(`warning: a broker (process ${broker.pid}) holds this directory`);
    expect(JSON.parse(beside.stdout)).toMatchObject({
      heldBy: broker.pid,
      queues: [{ vhost: '/', name: 'orders', messages: 3 }],
      metadata: { entries: { vhosts: 1, users: 1, queues: 1 } },
      damages: [],
    });

    await connection.close();
    await broker.kill9();
    const after = chapar('inspect', broker.dataDir!);
    expect(after.stderr).toBe('');
    expect(after.status).toBe(0);
    expect(after.stdout).toMatch(/messages +3 in 1 queues/);
    expect(after.stdout).toMatch(/^\/ +orders +queue +3 /m);
    expect(after.stdout).toMatch(/damage +none/);
  } finally {
    await broker.stop();
  }
}, 60_000);

test('a directory that is none of ours, and one that is not there', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chapar-none-'));
  for (const dir of [directory, join(directory, 'absent')]) {
    const { status, stderr } = chapar('inspect', dir);
    expect(status).toBe(1);
    expect(stderr).toContain('is not a data directory of Chapar');
  }
  rmSync(directory, { recursive: true });
});
