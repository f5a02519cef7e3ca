// Peers that want too much, or too long: each costs a bounded number of bytes for a bounded time, and nobody else notices.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fieldTable, PROTOCOL_HEADER } from '../../packages/amqp091/src/codec/index.js';
import { Bystander } from './bystander.js';
import { dialogue } from './dialogue.js';
import { contentHeader } from './error-case.js';
import { usedBytes } from './memory.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

const mebibyte = 1024 * 1024;
let node: SimNode;
let bystander: Bystander;
beforeEach(async () => {
  node = await SimNode.start();
  bystander = await Bystander.join(node);
});
afterEach(async () => {
  await bystander.check();
  expect(node.door.connectionCount).toBe(1);
  await bystander.leave();
  expect(node.broker.connections.size).toBe(0);
  await node.stop();
});

/** Bytes that the broker has written for this peer and not got rid of. */
const waitingFor = (peer: SimPeer) => node.farEnd(peer).unsentBytes;

/** The peer reads nothing for a minute of the broker's and is then cut off. */
async function expectCutOff(peer: SimPeer): Promise<void> {
  await node.advance(55_000);
  expect(node.door.connectionCount).toBe(2);
  await bystander.check();
  await node.advance(10_000);
  expect(node.door.connectionCount).toBe(1);
  expect(node.logged(/the peer read nothing for 60 seconds while \d+ bytes waited for it/)).toBe(true);
  await peer.drop();
}

describe('a peer that never reads', () => {
  let peer: SimPeer;
  beforeEach(async () => {
    peer = await node.channel();
    peer.keepsFrames = false;
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
  });

  test('what it consumes', async () => {
    await peer.call(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    peer.wire.pause();
    const publisher = await node.channel();
    for (let i = 0; i < 2000; i++) publisher.publish(1, 'q', Buffer.alloc(10_000));
    await node.idle();
    expect(waitingFor(peer)).toBeLessThan(mebibyte);
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBeGreaterThan(1800);
    await publisher.drop();
    await expectCutOff(peer);
  });

  test('what it gets, one by one', async () => {
    const publisher = await node.channel();
    for (let i = 0; i < 400; i++) publisher.publish(1, 'q', Buffer.alloc(100_000));
    await node.idle();
    await publisher.drop();
    peer.wire.pause();
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
      await node.idle();
    }
    // What stands in one chunk of the socket is answered, then nothing more is read.
    expect(waitingFor(peer)).toBeLessThan(11 * mebibyte);
    expect([...node.broker.connections].some(({ state }) => state === 'flow')).toBe(true);
    await expectCutOff(peer);
  });

  test('what comes back to it, a hundred megabytes if it could', async () => {
    peer.wire.pause();
    for (let i = 0; i < 1000; i++) peer.publish(1, 'nowhere', Buffer.alloc(100_000), { mandatory: true });
    await node.idle();
    expect(waitingFor(peer)).toBeLessThan(9 * mebibyte);
    await expectCutOff(peer);
  });

  test('its confirms', async () => {
    peer.send(1, { name: 'confirm.select', noWait: true });
    peer.wire.pause();
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 100; i++) peer.publish(1, 'q', 'x');
      await node.idle();
    }
    expect(waitingFor(peer)).toBeLessThan(mebibyte);
    await peer.drop();
  });

  test('answers to its methods, and reads after all: everything is there', async () => {
    const count = 20_000;
    const strict = await SimNode.start({ limits: { unsentBytesMax: 8 * 1024 } });
    const asker = await strict.channel();
    asker.keepsFrames = false;
    await asker.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    asker.wire.pause();
    for (let i = 0; i < count; i++) asker.send(1, { name: 'queue.declare', queue: 'q', passive: true });
    await strict.idle();
    expect(strict.farEnd(asker).unsentBytes).toBeGreaterThan(0);
    expect(strict.farEnd(asker).unsentBytes).toBeLessThan(300_000);
    asker.wire.resume();
    expect((await asker.all()).length).toBe(count);
    await strict.stop();
    await peer.drop();
  });
});

describe('half of a handshake', () => {
  test('a thousand of them are all gone in time', async () => {
    for (let i = 0; i < 1000; i++) {
      const peer = node.connect();
      peer.keepsFrames = false;
      if (i % 4 > 0) peer.raw(PROTOCOL_HEADER);
      if (i % 4 > 1) peer.startOk();
      if (i % 4 > 2) peer.send(0, { name: 'connection.tune-ok', channelMax: 1, frameMax: 4096, heartbeat: 0 });
    }
    await node.idle();
    expect(node.door.connectionCount).toBe(1001);
    await bystander.check();
    await node.advance(8_000);
    expect(node.door.connectionCount).toBe(1001);
    await node.advance(20_000);
    expect(node.door.connectionCount).toBe(1);
  });
});

describe('ten thousand connections opened and dropped', () => {
  /** Opens, perhaps says something, and goes, politely or not. */
  async function come(count: number, said: Buffer | null): Promise<void> {
    for (let i = 0; i < count; i++) {
      const wire = node.wire();
      wire.open({ received: () => {}, drained: () => {}, ended: () => wire.end(), closed: () => {} });
      if (said !== null) wire.write(said, null);
      if (said !== null && i % 2 === 0) await node.idle();
      if (i % 3 > 0) wire.destroy();
      else wire.end();
    }
    await node.idle();
    // The simulated machine keeps its wires for tests to look at; these are looked at no more.
    node.platform.network.wires.splice(4);
  }

  test.each([
    ['at once', null, 10_000],
    ['after the header', PROTOCOL_HEADER, 2_000],
  ])('%s: nothing is left of them', async (_title, said, count) => {
    const timers = node.platform.clock.pendingTimers;
    await come(count / 10, said);
    await bystander.check();
    const before = await usedBytes();
    await come(count, said);
    await bystander.check();
    expect([node.door.connectionCount, node.platform.clock.pendingTimers]).toEqual([1, timers]);
    // The cables of the simulation remain, some 500 bytes a connection; one of ours would be several thousand.
    expect((await usedBytes()) - before).toBeLessThan(count * 800 + mebibyte);
  });

  test('after a whole dialogue: nothing is left but what is durable', async () => {
    const timers = node.platform.clock.pendingTimers;
    await come(500, dialogue);
    await node.advance(1_000);
    const { queues, exchanges, directQueues, queueBindings } = node.broker.topology.vhosts.get('/')!;
    expect([node.door.connectionCount, node.platform.clock.pendingTimers]).toEqual([1, timers]);
    expect([queues.size, exchanges.has('topics'), directQueues.size, queueBindings.size]).toEqual([3, false, 0, 0]);
    for (const { consumers, unsettledCount } of node.broker.topology.vhosts.get('/')!.localQueues())
      expect(consumers.size + unsettledCount).toBeLessThan(2);
  });
});

describe('much of everything', () => {
  test('channels, consumers and bindings of a connection go with it', async () => {
    const { exchanges, queues } = node.broker.topology.vhosts.get('/')!;
    const before = await usedBytes();
    const peer = await node.peer();
    peer.keepsFrames = false;
    for (let channel = 1; channel <= 2047; channel++) peer.send(channel, { name: 'channel.open' });
    for (let i = 0; i < 2000; i++) {
      const channel = 1 + (i % 2047);
      const queue = `q${i}`;
      peer.send(channel, { name: 'queue.declare', queue, exclusive: true, noWait: true });
      peer.send(channel, { name: 'queue.bind', queue, exchange: 'amq.fanout', routingKey: queue, noWait: true });
      peer.send(channel, { name: 'basic.consume', queue, noWait: true });
    }
    peer.publish(1, '', Buffer.alloc(100), { exchange: 'amq.fanout' });
    expect((await peer.all()).filter(({ method }) => method.name === 'basic.deliver').length).toBe(2000);
    expect(queues.size).toBe(2001);
    await peer.drop();
    expect([queues.size, exchanges.get('amq.fanout')!.bindings.size]).toEqual([1, 0]);
    expect((await usedBytes()) - before).toBeLessThan(8 * mebibyte);
  });

  test('bodies that are announced and not sent cost what was sent', async () => {
    const before = await usedBytes();
    const peer = await node.peer();
    for (let channel = 1; channel <= 1000; channel++) {
      peer.send(channel, { name: 'channel.open' });
      peer.send(channel, { name: 'basic.publish', routingKey: 'q' });
      peer.frame(2, channel, contentHeader(16 * mebibyte));
      peer.frame(3, channel, Buffer.alloc(10));
    }
    await peer.all();
    expect((await usedBytes()) - before).toBeLessThan(80 * mebibyte);
    await peer.drop();
    expect((await usedBytes()) - before).toBeLessThan(8 * mebibyte);
  });

  test('a hundred thousand routing keys are remembered in bounds', async () => {
    const peer = await node.channel();
    const publish = (from: number) => {
      for (let i = from; i < from + 20_000; i++) peer.publish(1, `key-${i}`, '', { exchange: 'amq.topic' });
      return node.idle();
    };
    for (let from = 0; from < 80_000; from += 20_000) await publish(from);
    const before = await usedBytes();
    for (let from = 80_000; from < 140_000; from += 20_000) await publish(from);
    expect((await usedBytes()) - before).toBeLessThan(16 * mebibyte);
    await peer.drop();
  });

  test('small messages that arrive in pieces do not keep their chunks', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q', exclusive: true }, 'queue.declare-ok');
    const before = await usedBytes();
    for (let i = 0; i < 300; i++) {
      // A chunk of 60 KB that ends in the middle of a small message.
      peer.publish(1, 'nowhere', Buffer.alloc(60_000));
      peer.send(1, { name: 'basic.publish', routingKey: 'q' });
      peer.frame(2, 1, contentHeader(16));
      await node.idle();
      peer.frame(3, 1, Buffer.alloc(16));
      peer.publish(1, 'nowhere', Buffer.alloc(60_000));
      await node.idle();
    }
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(300);
    peer.frames.length = 0;
    expect((await usedBytes()) - before).toBeLessThan(8 * mebibyte);
    await peer.drop();
  });

  test('headers full of nothing are compared without harm', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q', exclusive: true }, 'queue.declare-ok');
    const entries = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i]));
    const bind = { name: 'queue.bind', queue: 'q', exchange: 'amq.headers', arguments: fieldTable(entries) } as const;
    await peer.call(1, bind, 'queue.bind-ok');
    for (let i = 0; i < 20; i++) {
      peer.publish(1, '', '', { exchange: 'amq.headers', properties: { headers: fieldTable(entries) } });
    }
    await node.idle();
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(20);
    await peer.drop();
  });
});
