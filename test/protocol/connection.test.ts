import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HEARTBEAT_FRAME, PROTOCOL_HEADER } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';

let node: SimNode;
beforeEach(async () => {
  node = await SimNode.start();
});
afterEach(() => node.stop());

const queueNames = () => [...node.broker.topology.vhosts.get('/')!.queues.keys()];

describe('the protocol header', () => {
  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['AMQP 0-8', 'AMQP\x01\x01\x08\x00'],
    ['AMQP 0-9', 'AMQP\x01\x01\x00\x09'],
    ['AMQP 1.0', 'AMQP\x00\x01\x00\x00'],
    ['AMQP 1.0 with SASL', 'AMQP\x03\x01\x00\x00'],
    ['a later revision', 'AMQP\x00\x00\x09\x02'],
    ['MQTT', '\x10\x0c\x00\x04MQTT\x04\x02\x00<'],
    ['one wrong letter', 'B'],
  ])('%s is answered with ours and hung up on', async (_title, said) => {
    const peer = node.connect();
    peer.raw(Buffer.from(said, 'latin1'));
    await node.idle();
    expect(peer.protocolHeader).toEqual(PROTOCOL_HEADER);
    expect([peer.isEnded, peer.receivedBytes, node.door.connectionCount]).toEqual([true, 8, 0]);
  });

  test('may come in pieces', async () => {
    const peer = node.connect();
    for (const byte of PROTOCOL_HEADER) {
      await node.idle();
      peer.raw(Buffer.from([byte]));
    }
    await peer.expect('connection.start');
  });
});

describe('goodbyes', () => {
  test('of the peer: answered, and everything that was exclusive to it is gone', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'mine', exclusive: true }, 'queue.declare-ok');
    await peer.goodbye();
    expect([peer.isClosed, node.door.connectionCount, queueNames()]).toEqual([true, 0, []]);
  });

  test('of the peer without a word', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'mine', exclusive: true }, 'queue.declare-ok');
    await peer.drop();
    expect([node.door.connectionCount, queueNames()]).toEqual([0, []]);
  });

  test('of the broker: everybody is told 320, and those who do not answer are hung up on', async () => {
    const [polite, rude] = [await node.peer(), await node.peer()];
    const began = node.platform.clock.monotonicMs();
    const stopped = node.stop();
    const { method } = await polite.expect('connection.close');
    const replyText = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown (test)'";
    expect(method).toMatchObject({ replyCode: 320, replyText, classId: 0, methodId: 0 });
    polite.send(0, { name: 'connection.close-ok' });
    await stopped;
    await node.idle();
    expect([polite.isEnded, rude.isEnded]).toEqual([true, true]);
    expect(node.platform.clock.monotonicMs() - began).toBeGreaterThan(900);
    // Who comes now is not let in.
    const late = node.connect();
    await node.idle();
    expect(late.isEnded || late.isClosed).toBe(true);
    node = await SimNode.start();
  });

  test('after ours nothing counts but the answer, however it arrives', async () => {
    const peer = await node.channel();
    peer.send(1, { name: 'queue.declare', queue: 'before', noWait: true });
    peer.send(5, { name: 'queue.declare', queue: 'wrong channel' });
    peer.send(1, { name: 'queue.declare', queue: 'after' });
    peer.publish(1, 'after', 'lost');
    peer.frame(9, 1, Buffer.from('nonsense'));
    peer.raw(HEARTBEAT_FRAME);
    peer.send(0, { name: 'connection.close', replyCode: 200 });
    peer.send(0, { name: 'connection.close-ok' });
    expect(await peer.names()).toEqual(['connection.close', 'connection.close-ok']);
    expect([peer.isEnded, queueNames(), node.door.connectionCount]).toEqual([true, ['before'], 0]);
  });

  test('who never answers ours is hung up on after five seconds', async () => {
    const peer = await node.peer();
    peer.send(5, { name: 'basic.qos' });
    await peer.expect('connection.close');
    await node.advance(4_000);
    expect(node.door.connectionCount).toBe(1);
    await node.advance(3_000);
    expect([peer.isEnded, node.door.connectionCount]).toEqual([true, 0]);
  });
});

describe('heartbeats', () => {
  test('are sent when nothing else was, twice in an interval', async () => {
    const peer = await node.peer({ heartbeat: 10 });
    for (let second = 0; second < 60; second += 5) {
      await node.advance(5_000);
      peer.raw(HEARTBEAT_FRAME);
    }
    expect(peer.heartbeats).toBeGreaterThanOrEqual(10);
    expect(peer.heartbeats).toBeLessThanOrEqual(13);
    await peer.silence();
  });

  test('are not needed while something else goes out', async () => {
    const peer = await node.channel({ heartbeat: 10 });
    for (let second = 0; second < 60; second++) {
      await peer.call(1, { name: 'basic.qos' }, 'basic.qos-ok');
      await node.advance(1_000);
    }
    expect(peer.heartbeats).toBe(0);
  });

  test('that do not come: the connection is cut after two intervals, not before', async () => {
    const peer = await node.peer({ heartbeat: 10 });
    await node.advance(19_000);
    expect(node.door.connectionCount).toBe(1);
    await node.advance(5_000);
    expect([peer.isClosed || peer.isEnded, node.door.connectionCount]).toEqual([true, 0]);
    expect(node.logged('nothing came for two heartbeat intervals')).toBe(true);
  });

  test('anything that comes counts as one', async () => {
    const peer = await node.channel({ heartbeat: 10 });
    for (let i = 0; i < 10; i++) {
      await node.advance(15_000);
      peer.send(1, { name: 'basic.qos' });
    }
    await node.idle();
    expect(node.door.connectionCount).toBe(1);
  });

  test('are not missed while the broker itself does not read', async () => {
    const peer = await node.channel({ heartbeat: 10 });
    node.platform.disk.delayMs.sync = 60_000;
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    for (let i = 0; i < 20; i++) peer.publish(1, 'q', Buffer.alloc(100_000));
    for (let second = 0; second < 55; second += 5) {
      peer.raw(HEARTBEAT_FRAME);
      await node.advance(5_000);
    }
    expect([...node.broker.connections].map(({ state }) => state)).toEqual(['flow']);
    await node.advance(20_000);
    expect(await peer.names()).toEqual(['queue.declare-ok']);
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(20);
  });

  test('are off when the peer asks for none', async () => {
    const peer = await node.peer({ heartbeat: 0 });
    await node.advance(600_000);
    expect([peer.heartbeats, node.door.connectionCount]).toEqual([0, 1]);
  });
});

describe('other methods of the class', () => {
  test('update-secret is answered', async () => {
    const peer = await node.peer();
    await peer.call(
      0,
      { name: 'connection.update-secret', newSecret: 'x', reason: 'renewed' },
      'connection.update-secret-ok',
    );
  });

  test('blocked and unblocked tell who publishes during an alarm; nothing but publishes waits', async () => {
    const peer = await node.channel();
    await peer.open(2);
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    await peer.call(2, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    peer.publish(1, 'q', 'before');
    expect(await peer.names()).toEqual(['basic.deliver', 'basic.ack']);
    node.broker.alarms.raise('disk', 'no space left');
    await peer.silence();
    peer.publish(1, 'q', 'during 1');
    peer.publish(1, 'q', 'during 2');
    peer.send(1, { name: 'queue.declare', queue: 'q', passive: true });
    const { method } = await peer.expect('connection.blocked');
    expect(method.reason).toBe('no space left');
    peer.send(2, { name: 'basic.ack', deliveryTag: 1 });
    await peer.call(2, { name: 'basic.qos' }, 'basic.qos-ok');
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.unsettledCount).toBe(0);
    node.broker.alarms.clear('disk');
    const came = await peer.all();
    expect(came[0]!.method.name).toBe('connection.unblocked');
    expect(came.flatMap(({ body }) => (body === undefined ? [] : [body.toString()]))).toEqual(['during 1', 'during 2']);
    expect(came.some(({ method: each }) => each.name === 'queue.declare-ok')).toBe(true);
  });

  test('verdicts of a transaction keep their place behind what waits', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    peer.publish(1, 'q', 'held');
    await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
    await peer.call(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    await peer.expect('basic.deliver');
    node.broker.alarms.raise('disk', 'no space left');
    peer.publish(1, 'q', 'waits');
    peer.send(1, { name: 'tx.commit' });
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    peer.send(1, { name: 'tx.rollback' });
    await peer.expect('connection.blocked');
    node.broker.alarms.clear('disk');
    expect(await peer.names()).toEqual(['connection.unblocked', 'basic.deliver', 'tx.commit-ok', 'tx.rollback-ok']);
    // The ack belonged to the transaction that was rolled back.
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.unsettledCount).toBe(2);
  });

  test('who does not understand blocked is not told', async () => {
    const peer = await node.channel({ capabilities: { 'connection.blocked': false } });
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    node.broker.alarms.raise('disk', 'no space left');
    peer.publish(1, 'q', 'waits');
    await peer.silence();
    node.broker.alarms.clear('disk');
    await peer.silence();
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(1);
  });

  test('a connection that goes while it is blocked leaves nothing; a channel that fails is closed at once', async () => {
    const peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    node.broker.alarms.raise('disk', 'no space left');
    peer.publish(1, 'q', 'never');
    await peer.expect('connection.blocked');
    peer.send(1, { name: 'basic.ack', deliveryTag: 99 });
    await peer.expect('channel.close');
    peer.send(1, { name: 'channel.close-ok' });
    await peer.open(1);
    peer.publish(1, 'q', 'never either');
    await peer.drop();
    node.broker.alarms.clear('disk');
    await node.idle();
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(0);
  });
});
