import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BrokerProcess } from '../support/broker-process.js';
import { skipUnless } from '../support/skip.js';
import { SmallDisk, whyNoSmallDisk } from '../support/small-disk.js';

const MiB = 1024 * 1024;
const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));
const full = 'the disk is full; what is there is served';
const roomAgain = 'there is room on the disk again';

async function until(what: string, isThere: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isThere()) {
    if (Date.now() > deadline) throw new Error(`waited too long for: ${what}`);
    await sleep(20);
  }
}

/** Publishes numbered messages of 8 KiB with confirms, at most 500 unconfirmed. */
class Filler {
  sent = 0;
  readonly confirmed = new Set<number>();
  blocked = '';
  unblocked = 0;
  readonly connection: ChannelModel;
  private readonly channel: ConfirmChannel;

  private constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.connection = connection;
    this.channel = channel;
    connection.on('error', () => {});
    channel.on('error', () => {});
    connection.on('blocked', (why: string) => (this.blocked = why));
    connection.on('unblocked', () => this.unblocked++);
  }

  static async open(url: string): Promise<Filler> {
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', { durable: true });
    return new Filler(connection, channel);
  }

  publish(): void {
    const number = ++this.sent;
    const body = Buffer.alloc(8192, number % 256);
    body.writeUInt32BE(number);
    this.channel.publish('', 'q', body, { persistent: true }, (error) => {
      if (error === null) this.confirmed.add(number);
    });
  }

  async fill(): Promise<void> {
    while (this.blocked === '') {
      if (this.sent - this.confirmed.size < 500) this.publish();
      else await sleep(1);
      if (this.sent % 100 === 0) await sleep(0);
    }
    expect(this.blocked).toBe('the disk is full');
    expect(this.confirmed.size).toBeGreaterThan(1000);
  }
}

/** Consumes and acknowledges; throws out a body that nobody published. */
async function drain(url: string): Promise<{ received: Set<number>; connection: ChannelModel }> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.prefetch(100);
  const received = new Set<number>();
  await channel.consume('q', (message) => {
    const { content } = message!;
    const number = content.readUInt32BE();
    if (content.length === 8192 && content.subarray(4).every((byte) => byte === number % 256)) received.add(number);
    channel.ack(message!);
  });
  return { received, connection };
}

const reason = whyNoSmallDisk();

describe.skipIf(skipUnless(reason === null, `no file system can be mounted in a namespace here: ${reason}`))(
  'a disk that fills up',
  () => {
    let disk: SmallDisk;
    let broker: BrokerProcess;
    beforeEach(async () => {
      disk = await SmallDisk.mount(96);
      broker = await start();
    });
    afterEach(async () => {
      await broker.terminate();
      await disk.unmount();
    });

    function start(): Promise<BrokerProcess> {
      const environment = { CHAPAR_LIMITS__DISK_FREE_MIN: '0', CHAPAR_STORE__RESERVE: String(24 * MiB) };
      return BrokerProcess.start({ dataDir: disk.directory, wrapper: disk.wrapper, environment });
    }

    test('holds publishers, is drained, and takes messages again', async () => {
      const filler = await Filler.open(broker.url);
      await filler.fill();
      const { received, connection } = await drain(broker.url);
      await until('the publisher goes on', () => filler.unblocked === 1);
      for (let i = 0; i < 1000; i++) filler.publish();
      await until('everything is confirmed', () => filler.confirmed.size === filler.sent);
      await until('everything is received', () => received.size === filler.sent);
      expect(broker.isRunning).toBe(true);
      await broker.saw(full);
      await broker.saw(roomAgain);
      await filler.connection.close();
      await connection.close();
    });

    test('and a broker that is killed at that moment start again, hold every confirmed message, and can be drained', async () => {
      const first = await Filler.open(broker.url);
      await first.fill();
      await broker.kill9();

      broker = await start();
      const { received, connection } = await drain(broker.url);
      const missing = () => [...first.confirmed].filter((number) => !received.has(number));
      await until('every confirmed message is received', () => missing().length === 0);
      expect(Math.max(...received)).toBeLessThanOrEqual(first.sent);
      const second = await Filler.open(broker.url);
      for (let i = 0; i < 1000; i++) second.publish();
      await until('it takes messages again', () => second.confirmed.size === 1000);
      await second.connection.close();
      await connection.close();
      await broker.stop();

      const inspected = spawnSync(disk.wrapper[0]!, [
        ...disk.wrapper.slice(1),
        process.execPath,
        main,
        'inspect',
        disk.directory,
        '--format',
        'json',
      ]);
      const shown = String(inspected.stdout);
      expect(inspected.status, `${shown}${String(inspected.stderr)}`).toBe(0);
      expect(JSON.parse(shown)).toMatchObject({ damages: [] });
      broker = await start();
    });
  },
);
