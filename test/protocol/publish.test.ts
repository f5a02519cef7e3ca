import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type BasicProperties,
  BinaryString,
  Decimal,
  type FieldTable,
  Float,
  fieldTable,
  Timestamp,
} from '../../packages/amqp091/src/codec/index.js';
import { contentHeader } from './error-case.js';
import { SimNode } from './sim-node.js';
import { type SimPeer, describe as shown } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
});
afterEach(() => node.stop());

async function get(queue = 'q', on = peer) {
  on.send(1, { name: 'basic.get', queue, noAck: true });
  return on.expect('basic.get-ok');
}

const everyType: FieldTable = fieldTable({
  text: 'a',
  binary: new BinaryString(Buffer.from([255, 0])),
  truth: true,
  small: -1,
  large: 2n ** 60n,
  half: 0.5,
  whole: new Float(5),
  price: new Decimal(2, 125),
  when: new Timestamp(1_700_000_000),
  nothing: null,
  bytes: Buffer.from([1, 2]),
  list: [1, 'b', [null]],
  table: fieldTable({ nested: fieldTable({ deep: true }) }),
});

describe('a message', () => {
  test('arrives with the properties and the bytes that it was sent with', async () => {
    const properties: BasicProperties = {
      contentType: 'text/plain',
      contentEncoding: 'utf-8',
      headers: everyType,
      deliveryMode: 2,
      priority: 255,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'guest',
      appId: 'a',
      clusterId: 'k',
    };
    for (const body of ['', 'x', 'y'.repeat(5_000), 'z'.repeat(300_000)]) {
      peer.publish(1, 'q', body, { properties });
      const got = await get();
      expect(got.properties).toEqual(properties);
      expect(got.body!.toString()).toBe(body);
      expect(got.method).toMatchObject({ exchange: '', routingKey: 'q', redelivered: false, messageCount: 0 });
    }
  });

  test.each([
    [4096, 131_072],
    [131_072, 4096],
    [4096, 4096],
  ])('in frames of %i octets goes out in frames of %i', async (inMax, outMax) => {
    const [sender, receiver] = [await node.channel({ frameMax: inMax }), await node.channel({ frameMax: outMax })];
    for (const size of [0, 1, 4087, 4088, 4089, 4096, 8176, 8177, 131_064, 131_065, 400_000]) {
      const body = Buffer.alloc(size, size % 251);
      sender.publish(1, 'q', body, { properties: { messageId: String(size) } });
      await node.idle();
      const got = await get('q', receiver);
      expect([size, got.properties!.messageId, got.body!.equals(body)]).toEqual([size, String(size), true]);
    }
    const largest = Math.max(...receiver.frames.map(({ payload }) => payload.length + 8));
    expect(largest).toBe(outMax);
  });

  test('in body frames of any size, empty ones among them', async () => {
    peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    peer.frame(2, 1, contentHeader(10));
    for (const part of ['a', '', 'bcdef', '', 'ghij']) peer.frame(3, 1, Buffer.from(part));
    expect((await get()).body!.toString()).toBe('abcdefghij');
  });

  test('may be interleaved with one on another channel', async () => {
    await peer.open(2);
    peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    peer.send(2, { name: 'basic.publish', routingKey: 'q' });
    peer.frame(2, 2, contentHeader(2));
    peer.frame(2, 1, contentHeader(2));
    peer.frame(3, 1, Buffer.from('1'));
    peer.frame(3, 2, Buffer.from('22'));
    peer.frame(3, 1, Buffer.from('1'));
    expect([(await get()).body!.toString(), (await get()).body!.toString()]).toEqual(['22', '11']);
  });

  test('of exactly the largest size is taken, one byte more is refused before it is read', async () => {
    const other = await SimNode.start({ limits: { messageBytesMax: 200_000 } });
    const big = await other.channel();
    await big.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    big.publish(1, 'q', Buffer.alloc(200_000));
    expect((await get('q', big)).body!.length).toBe(200_000);
    big.send(1, { name: 'basic.publish', routingKey: 'q' });
    big.frame(2, 1, contentHeader(200_001));
    const { method } = await big.expect('channel.close');
    expect(method.replyText).toBe(
      'PRECONDITION_FAILED - message size 200001 is larger than configured max size 200000',
    );
    // The rest of it is discarded with everything else until close-ok.
    big.frame(3, 1, Buffer.alloc(100_000));
    big.send(1, { name: 'channel.close-ok' });
    await big.open(1);
    await other.stop();
  });

  test('with 64 bits of announced size is refused as any other', async () => {
    peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    const header = contentHeader(0);
    header.fill(0xff, 4, 12);
    peer.frame(2, 1, header);
    expect((await peer.expect('channel.close')).method.replyText).toContain('message size 18446744073709552000');
  });
});

describe('mandatory', () => {
  test('comes back when there is nowhere to go, before its ack', async () => {
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    peer.publish(1, 'nowhere', 'lost', { mandatory: true, properties: { messageId: 'm', headers: everyType } });
    peer.publish(1, 'nowhere', 'dropped');
    peer.publish(1, 'q', 'found', { mandatory: true });
    const [returned, ...acks] = await peer.all();
    expect(returned).toMatchObject({
      method: { name: 'basic.return', replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey: 'nowhere' },
      properties: { messageId: 'm', headers: everyType },
      body: Buffer.from('lost'),
    });
    expect(acks.map(shown)).toEqual(['basic.ack on channel 1 { deliveryTag: 3, multiple: true }']);
  });

  test('with a large body comes back whole', async () => {
    peer.publish(1, 'nowhere', Buffer.alloc(300_000, 9), { mandatory: true });
    expect((await peer.expect('basic.return')).body!.equals(Buffer.alloc(300_000, 9))).toBe(true);
  });
});

describe('confirms', () => {
  beforeEach(() => peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok'));
  const persistent = { properties: { deliveryMode: 2 } };
  const acks = async () =>
    (await peer.all()).map(({ method }) =>
      method.name === 'basic.ack' ? `${method.multiple ? '..' : ''}${method.deliveryTag}` : method.name,
    );

  test('are numbered from 1 in each channel, and selecting twice changes nothing', async () => {
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    peer.send(1, { name: 'confirm.select', noWait: true });
    peer.publish(1, 'q', 'a');
    expect(await acks()).toEqual(['1']);
    peer.publish(1, 'q', 'b');
    expect(await acks()).toEqual(['2']);
    await peer.open(2);
    await peer.call(2, { name: 'confirm.select' }, 'confirm.select-ok');
    peer.publish(2, 'q', 'c');
    expect(await acks()).toEqual(['1']);
  });

  test('what was published before it was selected is not counted', async () => {
    await peer.open(2);
    peer.publish(2, 'q', 'uncounted');
    peer.send(2, { name: 'confirm.select', noWait: true });
    peer.publish(2, 'q', 'first');
    expect(await acks()).toEqual(['1']);
  });

  test('of one turn are one frame', async () => {
    for (let i = 0; i < 100; i++) peer.publish(1, 'q', 'x', persistent);
    expect(await acks()).toEqual(['..100']);
  });

  test('wait for the disk', async () => {
    node.platform.disk.delayMs.sync = 20;
    peer.publish(1, 'q', 'x', persistent);
    await node.advance(1);
    const before = peer.receivedBytes;
    await node.advance(18);
    expect(peer.receivedBytes).toBe(before);
    await node.advance(10);
    expect(await acks()).toEqual(['1']);
  });

  test('a transient message overtakes persistent ones, and is then not confirmed twice over a gap', async () => {
    node.platform.disk.delayMs.sync = 20;
    peer.publish(1, 'q', 'p1', persistent);
    peer.publish(1, 'q', 't2');
    peer.publish(1, 'q', 'p3', persistent);
    await node.advance(5);
    const early = peer.frames.length;
    await node.advance(100);
    expect(peer.frames.length).toBe(early + 1);
    expect(await acks()).toEqual(['2', '..3']);
  });

  test('a message that its consumer accepted needs no sync', async () => {
    node.platform.disk.delayMs.sync = 1_000;
    await peer.open(2);
    peer.send(2, { name: 'basic.consume', queue: 'q', noAck: true, noWait: true });
    peer.publish(1, 'q', 'x', persistent);
    await node.advance(10);
    const { method } = await peer.expect('basic.deliver');
    expect(method.deliveryTag).toBe(1);
    expect((await peer.expect('basic.ack')).method.deliveryTag).toBe(1);
    expect(node.platform.clock.monotonicMs()).toBeLessThan(1_100);
  });

  test('a disk that fails: what waited is refused, each alone, and not confirmed afterwards', async () => {
    node.platform.disk.failNext('write', 'EIO');
    peer.publish(1, 'q', 'a', persistent);
    peer.publish(1, 'q', 'b', persistent);
    const verdicts = (await peer.all()).map(shown);
    expect(verdicts).toEqual([
      'basic.nack on channel 1 { deliveryTag: 1, multiple: false, requeue: false }',
      'basic.nack on channel 1 { deliveryTag: 2, multiple: false, requeue: false }',
    ]);
    await expect(node.stop()).rejects.toThrow('EIO');
    node = await SimNode.start();
  });

  test('to many queues: confirmed when all have it', async () => {
    for (const queue of ['a', 'b', 'c']) {
      await peer.call(1, { name: 'queue.declare', queue, durable: queue !== 'b' }, 'queue.declare-ok');
      await peer.call(1, { name: 'queue.bind', queue, exchange: 'amq.fanout' }, 'queue.bind-ok');
    }
    peer.publish(1, '', 'x', { exchange: 'amq.fanout', ...persistent });
    expect(await acks()).toEqual(['1']);
  });

  test('a queue deleted meanwhile: nothing is left to wait for', async () => {
    node.platform.disk.delayMs.sync = 1_000;
    peer.publish(1, 'q', 'x', persistent);
    await peer.open(2);
    peer.send(2, { name: 'queue.delete', queue: 'q', noWait: true });
    await node.advance(5_000);
    expect(await acks()).toEqual(['1']);
  });
});

describe('copies', () => {
  beforeEach(async () => {
    for (const queue of ['a', 'b']) await peer.call(1, { name: 'queue.declare', queue }, 'queue.declare-ok');
  });

  test('CC goes to further keys and stays readable, BCC is taken out', async () => {
    const headers = fieldTable({ CC: ['a', 'q', 'nowhere'], BCC: ['b'], other: 1 });
    peer.publish(1, 'q', 'x', { properties: { headers, deliveryMode: 2, contentType: 't' } });
    for (const queue of ['q', 'a', 'b']) {
      const got = await get(queue);
      expect(got.properties).toEqual({
        headers: fieldTable({ CC: ['a', 'q', 'nowhere'], other: 1 }),
        deliveryMode: 2,
        contentType: 't',
      });
      // Each queue once, under the key that the message was published with.
      expect(got.method).toMatchObject({ routingKey: 'q', messageCount: 0 });
    }
  });

  test('only BCC, with a large body', async () => {
    peer.publish(1, 'nowhere', Buffer.alloc(200_000, 3), { properties: { headers: fieldTable({ BCC: ['b'] }) } });
    const got = await get('b');
    expect([got.body!.length, got.properties]).toEqual([200_000, { headers: fieldTable() }]);
  });

  test('are looked for at the same exchange, and with its permissions', async () => {
    await peer.call(1, { name: 'queue.bind', queue: 'a', exchange: 'amq.topic', routingKey: 'x.*' }, 'queue.bind-ok');
    peer.publish(1, 'none', 'x', { exchange: 'amq.topic', properties: { headers: fieldTable({ CC: ['x.y', 'a'] }) } });
    expect((await get('a')).method).toMatchObject({ exchange: 'amq.topic', messageCount: 0 });
  });

  test.each([
    ['CC', 'a'],
    ['CC', [1]],
    ['CC', fieldTable({ a: 'b' })],
    ['BCC', null],
    ['CC', ['x'.repeat(256)]],
    ['BCC', ['a', '\u00fc'.repeat(128)]],
    ['CC', [new BinaryString(Buffer.from([255]))]],
  ])('%s: %o is refused', async (header, value) => {
    peer.publish(1, 'q', 'x', { properties: { headers: fieldTable({ [header]: value }) } });
    const { method } = await peer.expect('channel.close');
    expect(method).toMatchObject({
      replyCode: 406,
      replyText: `PRECONDITION_FAILED - unsupported value of header ${header}: expected an array of strings of at most 255 bytes`,
      classId: 60,
      methodId: 40,
    });
  });

  test('a key of 255 bytes is a key; twenty thousand are just many', async () => {
    const long = 'x'.repeat(255);
    await peer.call(1, { name: 'queue.bind', queue: 'a', exchange: 'amq.direct', routingKey: long }, 'queue.bind-ok');
    peer.publish(1, '', 'x', { exchange: 'amq.direct', properties: { headers: fieldTable({ CC: [long] }) } });
    expect((await get('a')).method.messageCount).toBe(0);
    const keys = Array.from({ length: 12_000 }, (_, i) => String(i));
    peer.publish(1, 'q', 'x', { properties: { headers: fieldTable({ CC: keys }) } });
    expect((await get()).method.messageCount).toBe(0);
  });
});

describe('expiration', () => {
  test.each(['0', '60000', '00', '315360000000'])('%s is taken', async (expiration) => {
    peer.publish(1, 'q', 'x', { properties: { expiration } });
    await peer.silence();
  });

  test.each(['', '-1', '1.5', '1e3', ' 1', '1 ', 'soon', '315360000001', '9'.repeat(40), '\u0661'])(
    "'%s' is refused",
    async (expiration) => {
      peer.publish(1, 'q', 'x', { properties: { expiration } });
      const { method } = await peer.expect('channel.close');
      expect(method.replyCode).toBe(406);
      expect(method.replyText).toContain(`PRECONDITION_FAILED - invalid expiration '${expiration}'`);
    },
  );
});

describe('user-id', () => {
  test('of the user, or of anybody for an impersonator', async () => {
    peer.publish(1, 'q', 'x', { properties: { userId: 'guest' } });
    expect((await get()).properties!.userId).toBe('guest');
    await node.addUser('actor', { write: '.*', read: '.*', configure: '.*' });
    node.users.add('actor', { tags: ['impersonator'] });
    const actor = await node.channel({ user: 'actor' });
    actor.publish(1, 'q', 'x', { properties: { userId: 'bob' } });
    await actor.silence();
    expect((await get()).properties!.userId).toBe('bob');
  });
});
