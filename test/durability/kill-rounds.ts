import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, connect } from 'amqplib';
import { SimRandom } from '../../packages/platform/src/sim/random.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Ledger } from './ledger.js';
import { type Life, type Person, receiver, sender, transactor } from './people.js';

/** One with a single publisher and consumer, one with several, one with transactions, one whose messages are refused and given back. */
const queues = ['one', 'many', 'tx', 'judged', 'deep', 'fences'] as const;
const largest = 200 * 1024;

export interface KillRounds {
  readonly seed: number;
  readonly rounds: number;
}

export interface Outcome {
  /** What the broker did wrong, in words. */
  readonly faults: readonly string[];
  /** Confirmed and never seen. */
  readonly missing: readonly string[];
  readonly counts: Ledger['counts'];
  /** Lives that ended before the broker was ready. */
  readonly killedInRecovery: number;
  /** Found by the life after the last kill. */
  readonly drained: number;
}

/**
 * Clients publish and settle, the broker is killed by SIGKILL at a random moment and started on the same data directory, round after
 * round; then everything is drained, and the ledger says whether the broker kept its word.
 */
export async function playKillRounds({ seed, rounds }: KillRounds): Promise<Outcome> {
  const random = new SimRandom(seed);
  const ledger = new Ledger();
  const dataDir = mkdtempSync(join(tmpdir(), 'chapar-kill9-'));
  let killedInRecovery = 0;
  try {
    for (let number = 1; number <= rounds; number++) {
      if (number > 1 && random.integer(4) === 0) killedInRecovery += await killInRecovery(dataDir, random, ledger);
      await playLife(dataDir, number, ledger, random);
    }
    const drained = await drainAll(dataDir, rounds + 1, ledger, random);
    const { faults, counts } = ledger;
    return { faults, missing: ledger.missing(), counts, killedInRecovery, drained };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A small window, so that backlogs are read back from the log; and now and then the promise that only a power cut breaks. */
function environment(random: SimRandom): Record<string, string> {
  const durability = random.integer(5) === 0 ? 'periodic:200ms' : 'sync';
  return { CHAPAR_STORE__WINDOW_BYTES: '65536', CHAPAR_STORE__DURABILITY: durability };
}

async function killInRecovery(dataDir: string, random: SimRandom, ledger: Ledger): Promise<number> {
  const broker = new BrokerProcess({ dataDir, environment: environment(random) });
  await sleep(100 + random.integer(500));
  const wasReady = broker.lines.some(({ msg }) => msg === 'ready');
  await broker.kill9();
  report(broker, ledger);
  return wasReady ? 0 : 1;
}

async function playLife(dataDir: string, number: number, ledger: Ledger, random: SimRandom): Promise<void> {
  const broker = await BrokerProcess.start({ dataDir, environment: environment(random) });
  const people = await gather({ number, url: broker.url, ledger, random });
  await momentOfDeath(ledger, random);
  await broker.kill9();
  await Promise.all(people.map(({ over }) => over));
  report(broker, ledger);
}

async function gather(life: Life): Promise<Person[]> {
  const setUp = await connect(life.url);
  const channel = await setUp.createChannel();
  for (const queue of queues) await channel.assertQueue(queue, { durable: true });
  await setUp.close();
  const consumer = { prefetch: 100, requeuePercent: 0, rejectPercent: 0, messagesMax: Number.POSITIVE_INFINITY };
  // Some lives leave a backlog, some find the time to work it off.
  const messagesMax = life.random.integer(2) === 0 ? 3000 : 200;
  const publisher = { transientPercent: 0, bytesMax: largest, messagesMax };
  return Promise.all([
    receiver(life, { ...consumer, queue: 'one', consumer: 'c-one' }, 'fences'),
    receiver(life, { ...consumer, queue: 'many', consumer: 'c-many-1' }, 'fences'),
    receiver(life, { ...consumer, queue: 'many', consumer: 'c-many-2', prefetch: 10 }, 'fences'),
    receiver(life, { ...consumer, queue: 'tx', consumer: 'c-tx' }, 'fences'),
    receiver(
      life,
      { ...consumer, queue: 'judged', consumer: 'c-judged', requeuePercent: 20, rejectPercent: 20 },
      'fences',
    ),
    // Falls behind: the rest waits for the end.
    receiver(life, { ...consumer, queue: 'deep', consumer: 'c-deep', messagesMax: 200 }, 'fences'),
    sender(life, { ...publisher, queue: 'one', publisher: 'p-one' }),
    ...[1, 2, 3].map((i) =>
      sender(life, { ...publisher, queue: 'many', publisher: `p-many-${i}`, transientPercent: 30 }),
    ),
    transactor(life, { ...publisher, queue: 'tx', publisher: 'p-tx', bytesMax: 4096 }),
    sender(life, { ...publisher, queue: 'judged', publisher: 'p-judged', transientPercent: 10 }),
    sender(life, { ...publisher, queue: 'deep', publisher: 'p-deep', messagesMax: 500, transientPercent: 10 }),
  ]);
}

/** Any moment, or that of a confirm: what was promised an instant ago is what a careless broker has not written yet. */
async function momentOfDeath(ledger: Ledger, random: SimRandom): Promise<void> {
  const anyMs = random.integer(1000);
  const confirms = 1 + random.integer(3000);
  if (random.integer(2) === 0) return sleep(anyMs);
  const enough = new Promise<void>((resolve) => ledger.afterConfirms(confirms, resolve));
  await Promise.race([enough, sleep(2000)]);
  ledger.afterConfirms(Number.POSITIVE_INFINITY, () => {});
}

/** A kill tears tails, and nothing else: whatever the broker calls an error is one. */
function report(broker: BrokerProcess, ledger: Ledger): void {
  for (const line of broker.lines) {
    if (line.level === 'error' || line.level === 'none') ledger.faults.push(`the log says: ${JSON.stringify(line)}`);
  }
}

/** Everything that is left comes, in order; what was settled and stopped in good order does not come again. */
async function drainAll(dataDir: string, number: number, ledger: Ledger, random: SimRandom): Promise<number> {
  let drained = 0;
  const broker = await BrokerProcess.start({ dataDir, environment: environment(random) });
  const connection = await connect(broker.url);
  const channel = await connection.createChannel();
  for (const queue of queues) drained += await drain(channel, queue, number, ledger);
  await connection.close();
  await broker.stop();
  report(broker, ledger);

  const again = await BrokerProcess.start({ dataDir });
  const second = await connect(again.url);
  const watcher = await second.createChannel();
  for (const queue of queues) {
    const { messageCount } = await watcher.checkQueue(queue);
    if (messageCount > 0) ledger.faults.push(`${queue}: ${messageCount} settled messages came back after a clean stop`);
  }
  await second.close();
  await again.stop();
  return drained;
}

async function drain(channel: Channel, queue: string, life: number, ledger: Ledger): Promise<number> {
  const { messageCount } = await channel.checkQueue(queue);
  const view = ledger.view(queue, true);
  let received = 0;
  if (messageCount > 0) {
    await new Promise<void>((resolve) => {
      void channel.consume(queue, (message) => {
        if (message === null) return;
        ledger.received(view, message.content, message.fields.redelivered, life);
        channel.ack(message);
        if (++received === messageCount) resolve();
      });
    });
  }
  const left = await channel.checkQueue(queue);
  if (left.messageCount > 0) ledger.faults.push(`${queue}: ${left.messageCount} messages left after a drain`);
  return received;
}
