import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { type Outcome, run, versionOf } from './command.js';

// librabbitmq, the C client, through the programs that come with it: amqp-publish, amqp-consume and their like.
const noTools = skipUnless(versionOf('amqp-get', '--help'), 'amqp-tools (librabbitmq) is not installed');
const queue = 'c.tools';

let broker: Broker;
let folder: string;

/** Runs one of the tools; a shell gives it its input. */
function tool(name: string, args: readonly string[], input?: string): Promise<Outcome> {
  const command = [`amqp-${name}`, '--url', broker.url, ...args];
  return run(input === undefined ? command : ['sh', '-c', '"$@" < "$0"', input, ...command], { seconds: 30 });
}

async function well(name: string, args: readonly string[], input?: string): Promise<string> {
  const { code, output } = await tool(name, args, input);
  expect({ code, output }).toMatchObject({ code: 0 });
  return output;
}

const publish = (body: string, ...more: string[]) => well('publish', ['-r', queue, '-b', body, ...more]);
const get = () => well('get', ['-q', queue]);

async function expectEmpty(): Promise<void> {
  expect(await tool('get', ['-q', queue])).toEqual({ code: 2, output: '' });
}

describe.skipIf(noTools)('librabbitmq', () => {
  beforeAll(async () => {
    broker = await startBroker();
    folder = mkdtempSync(join(tmpdir(), 'amqp-tools-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await broker.stop();
  });
  beforeEach(async () => {
    expect(await well('declare-queue', ['-q', queue, '-d'])).toBe(`${queue}\n`);
  });
  afterEach(() => well('delete-queue', ['-q', queue]));

  test('publishes and gets, until there is no more', async () => {
    await publish('one', '-p', '-C', 'text/plain', '-H', 'colour: red');
    await publish('two');
    expect([await get(), await get()]).toEqual(['one', 'two']);
    await expectEmpty();
  });

  test('declares queues that the broker names, and counts what it deletes', async () => {
    const other = (await well('declare-queue', ['-q', ''])).trim();
    expect(other).toMatch(/^amq\.gen-/);
    expect(await well('delete-queue', ['-q', other])).toBe('0\n');
    await publish('one');
    const refused = await tool('delete-queue', ['-q', queue, '--if-empty']);
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain('PRECONDITION_FAILED');
    expect(await well('delete-queue', ['-q', queue])).toBe('1\n');
    await well('declare-queue', ['-q', queue, '-d']);
  });

  test('consumes, and acknowledges what its program has taken', async () => {
    for (const body of ['one', 'two', 'three', 'four']) await publish(`${body} `);
    expect(await well('consume', ['-q', queue, '-c', '3', 'cat'])).toBe('one two three ');
    expect(await get()).toBe('four ');
    await expectEmpty();
  });

  test('gives back what its program did not take', async () => {
    await publish('one');
    await tool('consume', ['-q', queue, '-c', '1', 'false']);
    expect(await well('consume', ['-q', queue, '-c', '1', 'cat'])).toBe('one');
    await expectEmpty();
  });

  test('a consumer that is killed loses nothing', async () => {
    for (const body of ['one', 'two']) await publish(body);
    const mark = join(folder, 'in-hand');
    const consumer = spawn(
      'amqp-consume',
      ['--url', broker.url, '-q', queue, '-p', '1', '--', 'sh', '-c', 'cat > "$0"; exec sleep 60', mark],
      { stdio: 'ignore', detached: true },
    );
    await inHand(mark, consumer);
    process.kill(-consumer.pid!, 'SIGKILL');
    await once(consumer, 'exit');
    expect(await well('consume', ['-q', queue, '-c', '2', 'cat'])).toBe('onetwo');
    await expectEmpty();
  });

  test('bodies of several frames', async () => {
    const [sent, received] = [join(folder, 'sent'), join(folder, 'received')];
    for (const size of [131_064, 131_072, 1_000_001]) {
      writeFileSync(sent, Buffer.alloc(size, 'a line\n'));
      await well('publish', ['-r', queue], sent);
      await well('consume', ['-q', queue, '-c', '1', '--', 'sh', '-c', 'cat > "$0"', received]);
      expect(readFileSync(received).equals(readFileSync(sent))).toBe(true);
    }
  });

  test('a message a line', async () => {
    const lines = join(folder, 'lines');
    writeFileSync(lines, Array.from({ length: 200 }, (_, number) => `line ${number}\n`).join(''));
    await well('publish', ['-r', queue, '-l'], lines);
    expect(await well('consume', ['-q', queue, '-c', '200', '-p', '10', 'cat'])).toBe(readFileSync(lines, 'utf8'));
  });

  test('a queue of its own, bound to a topic', async () => {
    const heard = tool('consume', ['-x', '-e', 'amq.topic', '-r', 'weather.#', '-c', '1', '--no-ack', 'cat']);
    // It is bound some time after it was started; until then nobody hears.
    let isOver = false;
    heard.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await well('publish', ['-e', 'amq.topic', '-r', 'weather.today', '-b', 'sun']);
      await sleep(50);
    }
    const { code, output } = await heard;
    expect(code).toBe(0);
    expect(output).toMatch(/sun$/);
  });

  test('is told what is wrong', async () => {
    const { code, output } = await tool('get', ['-q', 'never was']);
    expect(code).not.toBe(0);
    expect(output).toContain("NOT_FOUND - no queue 'never was'");
    const login = await run([
      'amqp-get',
      '-s',
      new URL(broker.url).hostname,
      '--port',
      new URL(broker.url).port,
      '--password',
      'wrong',
      '-q',
      queue,
    ]);
    expect(login.code).not.toBe(0);
    expect(login.output).toContain('ACCESS_REFUSED');
  });

  // The tools ask for no confirms, so that a kill -9 would break no promise.
  test('what is persistent survives a restart', async ({ skip }) => {
    const reason = whyNot(broker, { needsRestart: true });
    if (reason !== null) skip(reason);
    await publish('one', '-p');
    await publish('transient');
    await publish('two', '-p');
    await broker.restart();
    expect([await get(), await get()]).toEqual(['one', 'two']);
    await expectEmpty();
  });
});

/** Until the program of a consumer has a message. */
async function inHand(mark: string, consumer: ChildProcess): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    expect(consumer.exitCode).toBeNull();
    try {
      if (readFileSync(mark, 'utf8') === 'one') return;
    } catch {
      // Not yet.
    }
    await sleep(50);
  }
  throw new Error('the consumer got nothing within 10 s');
}
