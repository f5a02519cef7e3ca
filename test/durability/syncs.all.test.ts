import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ConfirmChannel, connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerProcess } from '../support/broker-process.js';
import { skipUnless } from '../support/skip.js';

const source = fileURLToPath(new URL('sync-shim.c', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'chapar-shim-'));
const shim = join(directory, 'sync-shim.so');
const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl']);
const reason = compiled.error?.message ?? (compiled.status === 0 ? null : String(compiled.stderr));

type Behaviour = 'through' | 'hold' | 'fail';

/** What became of the messages of one queue. */
interface Fates {
  readonly confirmed: Set<number>;
  readonly refused: Set<number>;
}

async function until(what: string, isThere: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isThere()) {
    if (Date.now() > deadline) throw new Error(`waited too long for: ${what}`);
    await sleep(10);
  }
}

describe.skipIf(skipUnless(reason === null, `the shim cannot be compiled: ${reason}`))(
  'the syncs of a real process',
  () => {
    let dataDir: string;
    let control: string;
    let broker: BrokerProcess;
    let channel: ConfirmChannel;
    const isShimmed = reason === null;

    beforeEach(async () => {
      dataDir = mkdtempSync(join(tmpdir(), 'chapar-syncs-'));
      control = join(dataDir, 'control');
      behave('through');
      broker = await start();
      channel = await open();
      await channel.assertQueue('kept', { durable: true });
      await channel.assertQueue('fleeting', { durable: false });
    });
    afterEach(async () => {
      behave('through');
      await broker.kill9();
      rmSync(dataDir, { recursive: true, force: true });
    });

    function behave(how: Behaviour): void {
      writeFileSync(control, how);
    }

    function start(): Promise<BrokerProcess> {
      const environment = {
        LD_PRELOAD: shim,
        SYNC_SHIM_CONTROL: control,
        SYNC_SHIM_PATH: join(dataDir, 'data', 'wal'),
      };
      return BrokerProcess.start({ dataDir: join(dataDir, 'data'), environment: isShimmed ? environment : {} });
    }

    async function open(onBlocked: (why: string) => void = () => {}): Promise<ConfirmChannel> {
      const connection = await connect(broker.url);
      connection.on('error', () => {});
      connection.on('blocked', onBlocked);
      const opened = await connection.createConfirmChannel();
      opened.on('error', () => {});
      return opened;
    }

    function publish(queue: string, first: number, count: number, fates: Fates, to = channel): void {
      for (let number = first; number < first + count; number++) {
        to.publish('', queue, Buffer.from(String(number)), { persistent: true }, (error) => {
          (error === null ? fates.confirmed : fates.refused).add(number);
        });
      }
    }

    /** The numbers in the queue, in its order. */
    async function waiting(queue: string): Promise<number[]> {
      const reader = await open();
      const numbers: number[] = [];
      for (;;) {
        const message = await reader.get(queue);
        if (message === false) return numbers;
        numbers.push(Number(message.content));
      }
    }

    const fates = (): Fates => ({ confirmed: new Set(), refused: new Set() });

    test('hang: confirms wait for them, and everything else goes on', async () => {
      const kept = fates();
      publish('kept', 1, 100, kept);
      await until('the first hundred are confirmed', () => kept.confirmed.size === 100);

      behave('hold');
      publish('kept', 101, 100, kept);
      const other = fates();
      const neighbour = await open();
      publish('fleeting', 1, 100, other, neighbour);
      await until('what needs no sync is confirmed', () => other.confirmed.size === 100);
      expect(await waiting('fleeting')).toHaveLength(100);
      await sleep(200);
      expect(kept.confirmed.size).toBe(100);

      behave('through');
      await until('the second hundred are confirmed', () => kept.confirmed.size === 200);
      expect(kept.refused.size).toBe(0);
    });

    test('hang, and the broker is killed meanwhile: what was confirmed before is there', async () => {
      const kept = fates();
      publish('kept', 1, 100, kept);
      await until('the first hundred are confirmed', () => kept.confirmed.size === 100);
      behave('hold');
      publish('kept', 101, 100, kept);
      await sleep(100);
      // A thread in a system call that never ends would keep the process from ending; the shim only sleeps.
      await broker.kill9();
      expect(kept.confirmed.size).toBe(100);
      behave('through');
      broker = await start();
      expect((await waiting('kept')).slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    });

    test('fail: confirms end, the log says so, and a restart has everything that was confirmed', async () => {
      const kept = fates();
      publish('kept', 1, 1000, kept);
      await until('half are confirmed', () => kept.confirmed.size >= 500);
      behave('fail');
      publish('kept', 1001, 1000, kept);
      // Those that come behind the failure are held back, and have no fate.
      await until('those under way are refused', () => kept.refused.size > 0);
      const line = await broker.saw('nothing is confirmed any more until the broker is restarted');
      expect(line.level).toBe('error');
      expect(line.msg).toMatch(/^a sync of the write-ahead log failed/);

      // A sync that works again makes nothing good: the kernel may have taken lost pages for clean.
      behave('through');
      const promised = [...kept.confirmed];
      const late = fates();
      let blocked = '';
      const latecomer = await open((why) => {
        blocked = why;
      });
      publish('kept', 2001, 10, late, latecomer);
      await until('whoever publishes now is told to wait', () => blocked !== '');
      expect(blocked).toMatch(/^the log of this node failed: EIO/);
      expect(late.confirmed.size).toBe(0);
      expect(kept.confirmed.size).toBe(promised.length);

      await broker.kill9();
      broker = await start();
      const there = await waiting('kept');
      expect(promised.filter((number) => !there.includes(number))).toEqual([]);
      expect(there).toEqual([...there].sort((a, b) => a - b));
      expect(new Set(there).size).toBe(there.length);
      const again = fates();
      channel = await open();
      publish('kept', 3001, 10, again);
      await until('the restarted one confirms', () => again.confirmed.size === 10);
    });
  },
);
