// Whatever a peer does ends with the code of the field for that peer alone: a bystander goes on through all of it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  encodeMethod,
  encodeProperties,
  FRAME_HEADER_BYTES,
  fieldTable,
  type MethodOf,
  PROTOCOL_HEADER,
} from '../../packages/amqp091/src/codec/index.js';
import { Bystander } from './bystander.js';
import { dialogue, ending, opening, talk } from './dialogue.js';
import { contentHeader } from './error-case.js';
import { SimNode } from './sim-node.js';
import { type SimPeer, describe as shown } from './sim-peer.js';

const mebibyte = 1024 * 1024;
let node: SimNode;
let bystander: Bystander;
beforeEach(async () => {
  node = await SimNode.start({ limits: { frameBytesMax: mebibyte } });
  bystander = await Bystander.join(node);
});
afterEach(async () => {
  await bystander.check();
  expect(node.door.connectionCount).toBe(1);
  await bystander.leave();
  await node.stop();
});

/** Expects connection.close with this code and a text that begins so, and that nothing follows. */
async function expectRefusal(peer: SimPeer, code: number, text: string): Promise<void> {
  const [close, ...more] = await peer.all();
  expect(close === undefined ? 'nothing' : shown(close)).toMatch(/^connection\.close on channel 0/);
  const method = close!.method as MethodOf<'connection.close'>;
  expect([method.replyCode, method.replyText.slice(0, text.length)]).toEqual([code, text]);
  expect(more.map(shown)).toEqual([]);
  await peer.drop();
}

describe('garbage', () => {
  test('instead of a header is answered with ours', async () => {
    for (const garbage of [Buffer.alloc(100_000, 0), Buffer.from([0xff]), Buffer.from('AMQQ'), Buffer.alloc(9, 65)]) {
      const peer = node.connect();
      peer.raw(garbage);
      await node.idle();
      expect(peer.protocolHeader).toEqual(PROTOCOL_HEADER);
      await peer.drop();
    }
  });

  test('after the header, and after the handshake', async () => {
    const early = node.connect();
    early.raw(Buffer.concat([PROTOCOL_HEADER, Buffer.alloc(3000, 0xaa)]));
    await early.expect('connection.start');
    await expectRefusal(early, 501, 'FRAME_ERROR - frame of 2863311538 bytes is larger than');
    const late = await node.channel();
    late.raw(Buffer.alloc(3000, 0x55));
    await expectRefusal(late, 501, 'FRAME_ERROR - frame of 1431655773 bytes is larger than');
  });
});

describe('a good dialogue', () => {
  /** What came of it, channel by channel; acks only as the highest tag, as they gather by turns. */
  async function play(chunks: 'whole' | 'cut' | 'single'): Promise<object> {
    const own = await SimNode.start({ seed: 7 });
    own.platform.world.fabric.chunks = chunks;
    const peer = own.connect();
    peer.raw(Buffer.concat([...opening, ...talk]));
    const came = await peer.all();
    peer.raw(Buffer.concat(ending));
    came.push(...(await peer.all()));
    const result: { [channel: number]: string[] } = {};
    let acked = 0;
    for (const received of came) {
      if (received.method.name === 'connection.start') continue;
      if (received.method.name === 'basic.ack') acked = Math.max(acked, received.method.deliveryTag);
      else (result[received.channel] ??= []).push(`${shown(received)} ${received.body?.toString('latin1') ?? ''}`);
    }
    expect([peer.isEnded, own.door.connectionCount, own.broker.connections.size]).toEqual([true, 0, 0]);
    const queues = [...own.broker.topology.vhosts.get('/')!.queues.keys()];
    await own.stop();
    return { ...result, acked, queues };
  }

  test('comes to the same whole, byte by byte and in random pieces', async () => {
    const whole = await play('whole');
    expect(whole).toMatchObject({ acked: 4, queues: ['shared', 'ours'] });
    const names = Object.values(whole)
      .flat()
      .map((text) => String(text).split(' ')[0]);
    expect(names).toEqual([
      ...['connection.tune', 'connection.open-ok', 'connection.close-ok', 'channel.open-ok', 'exchange.declare-ok'],
      ...[
        'queue.declare-ok',
        'queue.declare-ok',
        'queue.bind-ok',
        'basic.qos-ok',
        'confirm.select-ok',
        'basic.consume-ok',
      ],
      ...['basic.deliver', 'basic.deliver', 'basic.return', 'basic.cancel-ok', 'basic.get-ok', 'basic.recover-ok'],
      ...['basic.get-ok', 'queue.unbind-ok', 'channel.open-ok', 'queue.declare-ok', 'tx.select-ok', 'tx.commit-ok'],
      ...['basic.get-ok', 'queue.purge-ok', 'basic.consume-ok', 'channel.close-ok', '4', 'shared', 'ours'],
    ]);
    expect(await play('single')).toEqual(whole);
    for (let i = 0; i < 5; i++) expect(await play('cut')).toEqual(whole);
  });

  test('cut at every byte: by a reset, by an end, by silence', async () => {
    const exclusive = () =>
      [...node.broker.topology.vhosts.get('/')!.queues.values()].filter(({ properties }) => properties.owner);
    const waiting: SimPeer[] = [];
    for (let length = 0; length <= dialogue.length; length++) {
      const peer = node.connect();
      peer.keepsFrames = false;
      if (length > 0) peer.raw(dialogue.subarray(0, length));
      // Now what arrived has had its effects, now it arrives together with the end.
      if (length % 4 === 0) await node.idle();
      if (length % 40 === 39) waiting.push(peer);
      else if (length % 2 === 0) peer.wire.destroy();
      else peer.wire.end();
      if (length % 50 === 0) await bystander.check();
    }
    await node.idle();
    expect(node.door.connectionCount).toBeLessThanOrEqual(1 + waiting.length);
    for (const peer of waiting) peer.wire.cut();
    await node.idle();
    expect([node.door.connectionCount, node.broker.connections.size, exclusive().length]).toEqual([1, 1, 1]);
    expect(node.broker.topology.vhosts.get('/')!.directQueues.size).toBe(0);
  });
});

describe('frames', () => {
  test.each([1, 2, 3])('of type %i beyond frame-max', async (type) => {
    const peer = await node.channel({ frameMax: 4096 });
    peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    peer.frame(type, 1, Buffer.alloc(4097));
    await expectRefusal(peer, 501, 'FRAME_ERROR - frame of 4105 bytes is larger than the negotiated maximum of 4096');
  });

  test('beyond frame-max hidden in a whole publish', async () => {
    const peer = await node.channel({ frameMax: 4096 });
    await peer.call(1, { name: 'queue.declare', queue: 'q', exclusive: true }, 'queue.declare-ok');
    peer.publish(1, 'q', 'known from now on');
    await peer.silence();
    peer.frameMax = 0;
    peer.publish(1, 'q', Buffer.alloc(5000));
    peer.frameMax = mebibyte;
    await expectRefusal(peer, 501, 'FRAME_ERROR - frame of 5008 bytes is larger than');
    const other = await node.channel({ frameMax: 4096 });
    other.publish(1, 'q', 'known from now on');
    const properties = encodeProperties({ headers: fieldTable({ long: 'x'.repeat(5000) }) });
    other.publish(1, 'q', 'x', { properties });
    await expectRefusal(other, 501, 'FRAME_ERROR - frame of 5');
  });

  test('of size 0xffffffff costs nothing', async () => {
    const peer = await node.channel();
    peer.raw(Buffer.from([3, 0, 1, 0xff, 0xff, 0xff, 0xff]));
    await expectRefusal(peer, 501, 'FRAME_ERROR - frame of 4294967303 bytes is larger than');
  });

  test.each([
    ['a method of one byte', 1, [1], 501, 'FRAME_ERROR - cannot read what was sent'],
    ['an empty method', 1, [], 501, 'FRAME_ERROR - cannot read what was sent'],
    ['an empty content header', 2, [], 501, 'FRAME_ERROR - cannot read a content header'],
    ['a content header without flags', 2, [...contentHeader(1).subarray(0, 12)], 502, 'SYNTAX_ERROR - cannot read'],
    ['unknown property flags', 2, [...contentHeader(0).subarray(0, 12), 0, 3], 502, 'SYNTAX_ERROR - cannot read'],
    [
      'a property that is cut',
      2,
      [...contentHeader(0).subarray(0, 12), 0x80, 0, 9, 65],
      502,
      'SYNTAX_ERROR - cannot read',
    ],
    ['bytes after the properties', 2, [...contentHeader(0), 1], 502, 'SYNTAX_ERROR - cannot read'],
    ['a header of another class', 2, [...contentHeader(0, 50)], 505, 'UNEXPECTED_FRAME - expected content header'],
    ['a heartbeat', 8, [], 505, 'UNEXPECTED_FRAME - heartbeat frame on channel 1'],
  ] as const)('%s', async (_title, type, payload, code, text) => {
    const peer = await node.channel();
    if (type === 2) peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    peer.frame(type, 1, Buffer.from(payload));
    if (type === 2 && payload.length === 12) peer.frame(3, 1, Buffer.from('x'));
    await expectRefusal(peer, code, text);
  });

  test('a body that is never completed is forgotten with its connection', async () => {
    const peer = await node.channel();
    peer.send(1, { name: 'basic.publish', routingKey: 'q' });
    peer.frame(2, 1, contentHeader(16 * mebibyte));
    for (let i = 0; i < 20; i++) peer.frame(3, 1, Buffer.alloc(10_000));
    await peer.silence();
    await peer.drop();
  });
});

describe('text and tables', () => {
  const payloadOf = (method: Parameters<typeof encodeMethod>[1]) =>
    Buffer.from(encodeMethod(1, method).subarray(FRAME_HEADER_BYTES, -1));

  test.each([
    ['queue.declare', payloadOf({ name: 'queue.declare', queue: 'abc' }), 501],
    ['exchange.declare', payloadOf({ name: 'exchange.declare', exchange: 'abc' }), 501],
    ['basic.consume', payloadOf({ name: 'basic.consume', consumerTag: 'abc' }), 501],
    ['basic.publish', payloadOf({ name: 'basic.publish', routingKey: 'abc' }), 502],
  ])('%s with a name that is not UTF-8', async (_title, payload, code) => {
    const peer = await node.channel();
    payload[payload.indexOf('abc') + 1] = 0xff;
    peer.frame(1, 1, payload);
    if (code === 502) peer.frame(2, 1, contentHeader(0));
    await expectRefusal(peer, code, code === 501 ? 'FRAME_ERROR - ' : 'SYNTAX_ERROR - ');
  });

  /** `depth` tables or arrays in one another. */
  function nested(depth: number, letter: 'F' | 'A'): Buffer {
    const level = letter === 'F' ? 6 : 5;
    const bytes = Buffer.alloc(depth * level + 10);
    let at = bytes.write('\x01kS', 0, 'latin1') - 1;
    for (let left = depth; left > 0; left--) {
      if (letter === 'F' && left < depth) at = bytes.writeUInt8(0, at);
      at += bytes.write(letter, at);
      at = bytes.writeUInt32BE(Math.max(0, (left - 1) * level), at);
    }
    return bytes.subarray(0, at);
  }

  function declareWith(table: Buffer): Buffer {
    const payload = payloadOf({ name: 'queue.declare', queue: 'q' });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(table.length);
    return Buffer.concat([payload.subarray(0, -4), length, table]);
  }

  test.each(['F', 'A'] as const)('100,000 levels of nesting (%s), in arguments and in headers', async (letter) => {
    const table = nested(100_000, letter);
    const peer = await node.channel();
    peer.frame(1, 1, declareWith(table));
    await expectRefusal(peer, 502, 'SYNTAX_ERROR - cannot read what was sent: ');
    const other = await node.channel();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(table.length);
    const properties = Buffer.concat([Buffer.from([0x20, 0]), length, table]);
    other.publish(1, 'q', 'x', { properties });
    await expectRefusal(other, 502, 'SYNTAX_ERROR - cannot read what was sent: ');
  });

  test.each([
    ['a length beyond the frame', Buffer.from('\x01kS\xff\xff\xff\xffabc', 'latin1')],
    ['a table that claims more than there is', Buffer.from('\x01kF\x00\x00\xff\xff', 'latin1')],
    ['an array that ends within a value', Buffer.from('\x01kA\x00\x00\x00\x02I\x00', 'latin1')],
    ['an unknown type', Buffer.from('\x01kZ', 'latin1')],
    ['a key that is cut', Buffer.from('\x7fkey', 'latin1')],
  ])('%s', async (_title, table) => {
    const peer = await node.channel();
    peer.frame(1, 1, declareWith(table));
    await expectRefusal(peer, 502, 'SYNTAX_ERROR - cannot read what was sent: ');
  });

  test('a hundred thousand entries are only many', async () => {
    const entries = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, null]));
    const peer = await node.channel();
    const method = { name: 'queue.declare', queue: 'q', exclusive: true, arguments: fieldTable(entries) } as const;
    await peer.call(1, method, 'queue.declare-ok');
    await peer.drop();
  });
});
