import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from '../interop/broker.js';

// A real process with little memory, filled until it says stop.
const memoryTotal = 400_000_000;
const body = Buffer.alloc(4096, 'x');

interface Row {
  readonly [name: string]: unknown;
}

let broker: Broker;
const connections: ChannelModel[] = [];

beforeAll(async () => {
  const environment = {
    CHAPAR_LIMITS__MEMORY_TOTAL: String(memoryTotal),
    CHAPAR_LIMITS__MEMORY_WATERMARK: '0.6',
    // More than there is: else backlogs would go to disk.
    CHAPAR_STORE__WINDOW_BYTES: String(2 ** 30),
    CHAPAR_STORE__MEMORY_BYTES: String(2 ** 30),
  };
  broker = await startBroker({ environment });
});
afterAll(async () => {
  for (const connection of connections) await connection.close().catch(() => {});
  await broker.stop();
});

async function open(): Promise<{ connection: ChannelModel; channel: Channel }> {
  const connection = await connect(broker.url);
  connections.push(connection);
  return { connection, channel: await connection.createChannel() };
}

/** All that is asked for here are lists, and checks of which the status matters. */
async function api(path: string): Promise<{ status: number; json: Row[] }> {
  const url = new URL(`/api/${path}`, broker.managementUrl ?? '');
  const credentials = Buffer.from(`${url.username}:${url.password}`).toString('base64');
  url.username = url.password = '';
  const response = await fetch(url, { headers: { authorization: `Basic ${credentials}` } });
  return { status: response.status, json: (await response.json()) as Row[] };
}

async function until(what: string, isThere: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isThere())) {
    if (Date.now() > deadline) throw new Error(`waited too long for: ${what}`);
    await sleep(50);
  }
}

test('publishers that fill the memory wait, the broker lives, and a drain lets them go on', async () => {
  const consumer = await open();
  await consumer.channel.assertQueue('fill', { durable: false });
  const publishers = await Promise.all([1, 2].map(() => open()));
  const told: string[] = [];
  let unblocked = 0;
  let sent = 0;
  let isOver = false;
  const work = publishers.map(async ({ connection, channel }) => {
    let isBlocked = false;
    connection.on('blocked', (reason: string) => {
      isBlocked = true;
      told.push(reason);
    });
    connection.on('unblocked', () => {
      isBlocked = false;
      unblocked++;
    });
    while (!isOver) {
      for (let i = 0; i < 50 && !isBlocked && !isOver; i++) {
        channel.publish('', 'fill', body);
        sent++;
      }
      await sleep(isBlocked ? 20 : 1);
    }
  });

  await until('both publishers are blocked', () => told.length >= 2);
  expect(told[0]).toMatch(/^memory is short: \d+ MiB of .+, \d+ MiB allowed$/);
  // Garbage that is found may end the first alarm at once; the fill goes on until one stays.
  let node: Row | undefined;
  let blocked: Row[] = [];
  await until('an alarm stays, and both wait', async () => {
    await sleep(500);
    blocked = (await api('connections')).json.filter((each) => each['state'] === 'blocked');
    [node] = (await api('nodes')).json;
    return blocked.length === 2 && node?.['mem_alarm'] === true;
  });
  expect(node?.['mem_limit']).toBe(memoryTotal * 0.6);
  expect(blocked[0]?.['blocked_reason']).toMatch(/^memory is short/);
  const unblockedBefore = unblocked;
  // Blocked, it grows on by what is under way, and then no more. Publishers that went on would add that much in any moment.
  let used = Number(node?.['mem_used']);
  await until('it grows no more', async () => {
    await sleep(1000);
    const before = used;
    used = Number((await api('nodes')).json[0]?.['mem_used']);
    return used - before < 5_000_000;
  });
  expect(used).toBeLessThan(memoryTotal);

  let received = 0;
  await consumer.channel.prefetch(500);
  await consumer.channel.consume('fill', (message) => {
    if (message === null) return;
    received++;
    consumer.channel.ack(message);
  });
  await until('the publishers may go on', () => unblocked > unblockedBefore);
  isOver = true;
  await Promise.all(work);
  await until('everything that was published is received', () => received === sent);
  await until('no alarm is on', async () => (await api('health/checks/alarms')).status === 200);
}, 120_000);
