// The real broker on real sockets of the loopback: what the simulated network cannot tell.
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createNodePlatform } from '@chapar/platform';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunningBroker } from '../../packages/server/src/broker.js';
import { compose } from '../../packages/server/src/compose.js';
import { readConfiguration } from '../../packages/server/src/config/effective.js';
import { serverOptions } from '../../packages/server/src/config/options.js';
import { AmqpPeer } from '../support/amqp-peer.js';
import { dialogue, ending, opening, talk } from './dialogue.js';

let directory: string;
let broker: RunningBroker;
let url: string;
let bystander: AmqpPeer;
const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'chapar-protocol-'));
  const flags = { listen: ['amqp=127.0.0.1:0'], dataDir: path.join(directory, 'data') };
  const environment = { CHAPAR_LIMITS__HANDSHAKE_SECONDS: '1' };
  const options = serverOptions(readConfiguration(flags, environment), directory);
  broker = await compose(options, createNodePlatform({ log: { level: 'silent' } }));
  url = `amqp://guest:guest@${broker.listeners.amqp}`;
  bystander = await AmqpPeer.open(url);
  await bystander.channel();
  bystander.send(1, { name: 'queue.declare', queue: 'bystander', exclusive: true });
  await bystander.expect('queue.declare-ok');
  bystander.send(1, { name: 'basic.consume', queue: 'bystander', noAck: true });
  await bystander.expect('basic.consume-ok');
}, 60_000);

afterAll(async () => {
  const goodbye = bystander.expect('connection.close').then(() => bystander.send(0, { name: 'connection.close-ok' }));
  await broker.stop('SIGTERM');
  await goodbye;
  await bystander.expectEnd();
  await rm(directory, { recursive: true });
});

beforeEach(async () => {
  await eventually(() => expect(sockets()).toBe(2));
});

afterEach(async () => {
  bystander.send(1, { name: 'basic.publish', routingKey: 'bystander' }, { body: 'undisturbed' });
  expect((await bystander.expect('basic.deliver')).body!.toString()).toBe('undisturbed');
  await eventually(() => expect(sockets()).toBe(2));
});

/** Sockets close by and by. */
async function eventually(check: () => void): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      check();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function connect(): Promise<net.Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => {});
  });
}

async function everything(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('over real sockets', () => {
  test('garbage is answered with the header that we speak', async () => {
    const socket = await connect();
    socket.write('GET / HTTP/1.1\r\nHost: broker\r\n\r\n');
    expect(await everything(socket)).toEqual(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
  });

  test('a dialogue byte by byte', async () => {
    const peer = await AmqpPeer.connect(url);
    for (const byte of Buffer.concat([...opening, ...talk])) {
      peer.raw(Buffer.from([byte]));
      if (byte % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const names: string[] = [];
    while (names.at(-1) !== 'channel.close-ok') names.push((await peer.next()).method.name);
    expect(names.filter((name) => name.includes('close'))).toEqual(['channel.close-ok']);
    expect(names.filter((name) => name !== 'basic.ack').length).toBe(27);
    peer.raw(ending[0]!);
    while ((await peer.next()).method.name !== 'connection.close-ok');
    await peer.expectEnd();
    peer.destroy();
  });

  test('half of a handshake is ended in time', async () => {
    const [silent, half] = [await connect(), await connect()];
    half.write(dialogue.subarray(0, 60));
    const began = Date.now();
    const [nothing, something] = await Promise.all([everything(silent), everything(half)]);
    expect(nothing.length).toBe(0);
    expect(something.length).toBeGreaterThan(100);
    expect(Date.now() - began).toBeGreaterThan(500);
  });

  test('five hundred connections reset in the middle of something', async () => {
    for (let lot = 0; lot < 10; lot++) {
      const opened = await Promise.all(Array.from({ length: 50 }, connect));
      await Promise.all(
        opened.map(async (socket, i) => {
          socket.write(dialogue.subarray(0, ((lot * 50 + i) * 4) % dialogue.length));
          if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
          if (i % 3 === 0) socket.end();
          else socket.resetAndDestroy();
          if (i % 3 === 0) socket.resume();
        }),
      );
    }
  });

  test('a consumer that stops reading for a while gets everything in order', async () => {
    const [publisher, consumer] = [await AmqpPeer.open(url), await AmqpPeer.open(url, { frameMax: 4096 })];
    await publisher.channel();
    await consumer.channel();
    consumer.send(1, { name: 'queue.declare', queue: 'slow', exclusive: true });
    await consumer.expect('queue.declare-ok');
    publisher.send(1, { name: 'confirm.select' });
    await publisher.expect('confirm.select-ok');
    consumer.send(1, { name: 'basic.consume', queue: 'slow', noAck: true });
    await consumer.expect('basic.consume-ok');
    consumer.pause();
    const count = 300;
    for (let i = 0; i < count; i++) {
      const body = Buffer.alloc(50_000, i);
      publisher.send(1, { name: 'basic.publish', routingKey: 'slow' }, { body });
    }
    let confirmed = 0;
    while (confirmed < count) confirmed = (await publisher.expect('basic.ack')).method.deliveryTag;
    consumer.resume();
    for (let i = 0; i < count; i++) {
      const { method, body } = await consumer.expect('basic.deliver');
      expect([method.deliveryTag, body!.length, body![0], body!.at(-1)]).toEqual([i + 1, 50_000, i % 256, i % 256]);
    }
    await Promise.all([publisher.goodbye(), consumer.goodbye()]);
  });

  test('the largest message there may be, sent in the smallest frames', async () => {
    const peer = await AmqpPeer.open(url, { timeoutMs: 15_000 });
    await peer.channel();
    // Smaller frames than agreed on are always allowed.
    peer.frameMax = 4096;
    peer.send(1, { name: 'queue.declare', queue: 'large', exclusive: true });
    await peer.expect('queue.declare-ok');
    const body = Buffer.alloc(16 * 1024 * 1024);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32BE(at, at);
    peer.send(1, { name: 'basic.publish', routingKey: 'large' }, { body });
    peer.send(1, { name: 'basic.get', queue: 'large', noAck: true });
    const got = await peer.expect('basic.get-ok');
    expect(got.body!.equals(body)).toBe(true);
    await peer.goodbye();
  });
});
