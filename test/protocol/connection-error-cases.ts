import {
  encodeMethod,
  FRAME_HEADER_BYTES,
  fieldTable,
  PROTOCOL_HEADER,
} from '../../packages/amqp091/src/codec/index.js';
import { contentHeader, type ErrorCases, saying } from './error-case.js';
import type { SimNode } from './sim-node.js';
import type { SimPeer, SimPeerOptions } from './sim-peer.js';

/** Shakes hands as far as connection.open and does not look at what came of it. */
async function opening(node: SimNode, options: SimPeerOptions): Promise<SimPeer> {
  const peer = node.connect(options);
  await peer.logIn();
  peer.tuneOk();
  peer.send(0, { name: 'connection.open', virtualHost: options.vhost ?? '/' });
  return peer;
}

/** Says the header and start-ok. */
async function starting(node: SimNode, options: SimPeerOptions): Promise<SimPeer> {
  const peer = node.connect(options);
  peer.raw(PROTOCOL_HEADER);
  await peer.expect('connection.start');
  peer.startOk();
  return peer;
}

const publish = { name: 'basic.publish', routingKey: 'q' } as const;

/** Every entry of the registry that closes a connection. */
export const connectionErrorCases = {
  loginRefused: {
    text: 'Login was refused using authentication mechanism PLAIN. For details see the broker logfile.',
    method: [10, 11],
    inHandshake: (node) => starting(node, { password: 'wrong' }),
  },
  vhostNotFound: {
    text: 'vhost nowhere not found',
    method: [10, 40],
    inHandshake: (node) => opening(node, { vhost: 'nowhere' }),
  },
  vhostRefused: {
    text: "access to vhost '/' refused for user 'stranger'",
    method: [10, 40],
    prepare: (node) => node.addUser('stranger'),
    inHandshake: (node) => opening(node, { user: 'stranger' }),
  },
  connectionLimit: {
    text: 'connection refused: node connection limit (1) is reached',
    method: [10, 40],
    limits: { connectionsMax: 1 },
    inHandshake: (node) => opening(node, {}),
  },
  vhostConnectionLimit: {
    text: "access to vhost 'full' refused for user 'guest': connection limit (0) is reached",
    method: [10, 40],
    prepare: async (node) => {
      const properties = { description: '', tags: [], defaultQueueType: 'classic' };
      await node.settle(node.broker.putVirtualHost('full', properties));
      await node.settle(node.broker.permissions.set('full', 'guest', { configure: '', write: '', read: '' }));
      await node.settle(node.broker.records.put('vhost-limits', ['full', 'max-connections'], 0));
    },
    inHandshake: (node) => opening(node, { vhost: 'full' }),
  },
  userConnectionLimit: {
    text: "connection refused for user 'limited': user connection limit (0) is reached",
    method: [10, 40],
    prepare: async (node) => {
      await node.addUser('limited', {});
      node.users.add('limited', { limits: { 'max-connections': 0 } });
    },
    inHandshake: (node) => opening(node, { user: 'limited' }),
  },
  channelLimit: {
    text: 'number of channels opened (3) has reached the negotiated channel_max (2)',
    method: [20, 10],
    peer: { channelMax: 2 },
    provoke: (peer) => peer.send(3, { name: 'channel.open' }),
  },
  userChannelLimit: {
    text: "number of channels opened for user 'limited' has reached the maximum allowed user limit of (2)",
    method: [20, 10],
    peer: { user: 'limited' },
    prepare: async (node) => {
      await node.addUser('limited', {});
      node.users.add('limited', { limits: { 'max-channels': 2 } });
    },
    provoke: (peer) => peer.send(3, { name: 'channel.open' }),
  },
  consumerTagReuse: {
    text: "attempt to reuse consumer tag 'twice'",
    method: [60, 20],
    provoke: saying(
      { name: 'queue.declare', queue: 'q', noWait: true },
      { name: 'basic.consume', queue: 'q', consumerTag: 'twice', noWait: true },
      { name: 'basic.consume', queue: 'q', consumerTag: 'twice' },
    ),
  },
  immediate: {
    text: 'immediate=true',
    method: [60, 40],
    provoke: (peer) => peer.send(1, { ...publish, immediate: true }, { body: 'now' }),
  },
  prefetchSize: {
    text: 'prefetch_size!=0 (7)',
    method: [60, 10],
    provoke: saying({ name: 'basic.qos', prefetchSize: 7 }),
  },
  recoverWithoutRequeue: {
    text: 'requeue=false',
    method: [60, 110],
    provoke: saying({ name: 'basic.recover' }),
  },
  tuneRefused: {
    text: 'negotiated frame_max = 4095 is lower than the minimum allowed value (4096)',
    method: [10, 31],
    inHandshake: async (node) => {
      const peer = node.connect({ frameMax: 4095 });
      await peer.logIn();
      peer.tuneOk();
      return peer;
    },
  },
  inactiveFlow: {
    text: 'active=false',
    method: [20, 20],
    provoke: saying({ name: 'channel.flow' }),
  },
  unknownMethod: {
    text: 'unknown method 50.99',
    method: [50, 99],
    provoke: (peer) => peer.frame(1, 1, Buffer.from([0, 50, 0, 99])),
  },
  unexpectedMethod: {
    text: 'queue.declare-ok is not expected from a client',
    method: [50, 11],
    provoke: saying({ name: 'queue.declare-ok', queue: 'q' }),
  },
  notChannelZero: {
    text: 'queue.declare on channel 0: connection methods belong to channel 0 and all others to other channels',
    method: [50, 10],
    provoke: (peer) => peer.send(0, { name: 'queue.declare', queue: 'q' }),
  },
  channelNotOpen: {
    text: "expected 'channel.open' on channel 9, got queue.declare",
    method: [50, 10],
    provoke: (peer) => peer.send(9, { name: 'queue.declare', queue: 'q' }),
  },
  secondChannelOpen: {
    text: "second 'channel.open' seen on channel 1",
    method: [20, 10],
    provoke: saying({ name: 'channel.open' }),
  },
  expectedHeader: {
    text: 'expected content header for class 60 on channel 1, got a method instead',
    method: [60, 40],
    provoke: saying(publish, { name: 'basic.qos' }),
  },
  expectedBody: {
    text: 'expected content body on channel 1, got a method instead',
    method: [60, 40],
    provoke: (peer) => {
      peer.send(1, publish);
      peer.frame(2, 1, contentHeader(5));
      peer.send(1, { name: 'basic.qos' });
    },
  },
  unexpectedContent: {
    text: 'expected method frame on channel 1, got a content body instead',
    method: [60, 40],
    provoke: (peer) => peer.frame(3, 1, Buffer.from('stray')),
  },
  unknownMechanism: {
    text: "unknown authentication mechanism 'KERBEROS_V4'",
    method: [10, 11],
    inHandshake: (node) => starting(node, { mechanism: 'KERBEROS_V4', response: '' }),
  },
  heartbeatOnChannel: {
    text: 'heartbeat frame on channel 1',
    method: [0, 0],
    provoke: (peer) => peer.frame(8, 1, Buffer.alloc(0)),
  },
  bodyTooLong: {
    text: 'content body on channel 1 is longer than the 5 bytes announced',
    method: [60, 40],
    provoke: (peer) => {
      peer.send(1, publish);
      peer.frame(2, 1, contentHeader(5));
      peer.frame(3, 1, Buffer.from('six...'));
    },
  },
  frameTooLarge: {
    text: 'frame of 5008 bytes is larger than the negotiated maximum of 4096',
    method: [0, 0],
    peer: { frameMax: 4096 },
    provoke: (peer) => peer.frame(3, 1, Buffer.alloc(5000)),
  },
  frameEnd: {
    text: 'frame of type 1 on channel 1 does not end with 0xCE but with 0x7',
    method: [0, 0],
    provoke: (peer) => peer.frame(1, 1, Buffer.alloc(9), { end: 7 }),
  },
  frameType: {
    text: 'unknown frame type 5',
    method: [0, 0],
    provoke: (peer) => peer.frame(5, 1, Buffer.alloc(9)),
  },
  malformedFrame: {
    text: /^cannot read what was sent: /,
    method: [50, 10],
    provoke: (peer) => {
      const declare = encodeMethod(1, { name: 'queue.declare', queue: 'abc' });
      peer.frame(1, 1, declare.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + 8));
    },
  },
  malformed: {
    text: /^cannot read what was sent: .*0x7a/,
    method: [50, 10],
    provoke: (peer) => {
      const table = fieldTable({ key: 'value' });
      const declare = encodeMethod(1, { name: 'queue.declare', queue: 'abc', arguments: table });
      declare[declare.indexOf('key') + 3] = 0x7a;
      peer.raw(declare);
    },
  },
  shutdown: {
    text: "broker forced connection closure with reason 'Closed via management plugin'",
    method: [0, 0],
    provoke: (peer, node) => {
      const name = `127.0.0.1:${peer.wire.local.port} -> 127.0.0.1:5672`;
      node.broker.closeWhere((connection) => connection.name === name, 'Closed via management plugin');
    },
  },
  vhostDeleted: {
    text: "vhost 'doomed' is deleted",
    method: [0, 0],
    peer: { vhost: 'doomed' },
    prepare: async (node) => {
      const properties = { description: '', tags: [], defaultQueueType: 'classic' };
      await node.settle(node.broker.putVirtualHost('doomed', properties));
      await node.settle(node.broker.permissions.set('doomed', 'guest', { configure: '.*', write: '.*', read: '.*' }));
    },
    provoke: async (_peer, node) => {
      await node.settle(node.broker.deleteVirtualHost('doomed'));
    },
  },
  userDeleted: {
    text: "user 'leaver' is deleted",
    method: [0, 0],
    peer: { user: 'leaver' },
    prepare: (node) => node.addUser('leaver', {}),
    provoke: async (_peer, node) => {
      await node.users.delete('leaver');
      node.broker.closeWhere(({ principal }) => principal.user === 'leaver', 'the user is gone');
    },
  },
  handshakeTimeout: {
    text: 'the handshake did not end within 10 seconds',
    method: [0, 0],
    inHandshake: async (node) => {
      const peer = node.connect();
      await peer.logIn();
      await node.advance(12_000);
      return peer;
    },
  },
  slowReader: {
    text: /^the peer read nothing for 60 seconds while \d+ bytes waited for it$/,
    method: [0, 0],
    isSilent: true,
    provoke: async (peer, node) => {
      peer.send(1, { name: 'queue.declare', queue: 'much', exclusive: true, noWait: true });
      peer.send(1, { name: 'basic.consume', queue: 'much', noAck: true, noWait: true });
      peer.wire.pause();
      for (let i = 0; i < 20; i++) peer.publish(1, 'much', Buffer.alloc(100_000));
      await node.advance(65_000);
    },
  },
  internal: {
    text: /^an error inside the broker closed this connection; its log tells more \(reference [0-9a-f]{8}\)$/,
    method: [10, 11],
    inHandshake: (node) => {
      node.users.fault = new TypeError('planted: users cannot be read');
      return starting(node, {});
    },
  },
} satisfies ErrorCases;
