import { Faces, RemoteHome } from '@chapar/cluster';
import type { Queue } from '@chapar/core';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { type ErrorCases, saying } from './error-case.js';

const replyTo = 'amq.rabbitmq.reply-to';

/** Every entry of the registry that closes a channel. */
export const channelErrorCases = {
  queueNotFound: {
    text: "no queue 'nope' in vhost '/'",
    method: [50, 30],
    provoke: saying({ name: 'queue.purge', queue: 'nope' }),
  },
  exchangeNotFound: {
    text: "no exchange 'nope' in vhost '/'",
    method: [60, 40],
    provoke: (peer) => peer.publish(1, 'key', 'body', { exchange: 'nope' }),
  },
  queueHomeDown: {
    text: "home node 'other' of durable queue 'away' in vhost '/' is down or inaccessible",
    method: [60, 20],
    prepare: ({ broker, platform }) => {
      const { turn, topology } = broker;
      const nothing = () => undefined;
      const parts = { turn, clock: platform.clock, revisionOf: () => 1, vhost: () => null, onBehind: nothing };
      const leads = { onLeads: nothing, onLeft: nothing, onLost: nothing, isOwn: false };
      const home = new RemoteHome({ ...parts, ...leads, nextNumber: () => 1 }, 'its data id', 'other');
      const properties = { name: 'away', vhost: '/', durable: true, autoDelete: false, owner: null, arguments: {} };
      topology.addShared(topology.vhosts.get('/')!, home.queue({ ...properties, incarnation: 'away #1' }));
    },
    provoke: saying({ name: 'basic.consume', queue: 'away' }),
  },
  queueLeaderless: {
    text: "mirrored queue 'led' in vhost '/' has no leader that can be reached (the last one: unknown)",
    method: [60, 20],
    prepare: async (node) => {
      const { broker, platform } = node;
      const { topology } = broker;
      const parts = { clock: platform.clock, nextNumber: () => 1, revisionOf: () => 1, onBehind: () => undefined };
      const properties = { name: 'led', vhost: '/', durable: true, autoDelete: false, owner: null, arguments: {} };
      const face = new Faces(parts).face({ ...properties, incarnation: 'led #1' });
      topology.addShared(topology.vhosts.get('/')!, face);
      await node.advance(6000);
    },
    provoke: saying({ name: 'basic.consume', queue: 'led' }),
  },
  accessRefused: {
    text: "configure access to queue 'mine' in vhost '/' refused for user 'reader'",
    method: [50, 10],
    peer: { user: 'reader' },
    prepare: (node) => node.addUser('reader', { read: '.*', configure: '^yours$' }),
    provoke: saying({ name: 'queue.declare', queue: 'mine' }),
  },
  consumerTimeout: {
    text: "delivery acknowledgement on channel 1 timed out: consumer 'slow' of queue 'q' in vhost '/' held a message longer than its consumer timeout allows",
    method: [0, 0],
    peer: { capabilities: { consumer_cancel_notify: false } },
    provoke: async (peer, node) => {
      const args = fieldTable({ 'x-consumer-timeout': 1_000 });
      await peer.call(1, { name: 'queue.declare', queue: 'q', arguments: args }, 'queue.declare-ok');
      await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'slow' }, 'basic.consume-ok');
      peer.publish(1, 'q', 'body');
      await peer.expect('basic.deliver');
      await node.advance(1_100);
    },
  },
  topicAccessRefused: {
    text: "write access to topic 'other.key' in exchange 'amq.topic' in vhost '/' refused for user 'writer'",
    method: [60, 40],
    peer: { user: 'writer' },
    prepare: async (node) => {
      await node.addUser('writer', { write: '.*', configure: '.*', read: '.*' });
      const record = { write: '^{username}\\.', read: '.*' };
      await node.settle(node.broker.permissions.setTopic('/', 'writer', 'amq.topic', record));
    },
    provoke: (peer) => {
      peer.publish(1, 'writer.key', 'allowed', { exchange: 'amq.topic' });
      peer.publish(1, 'other.key', 'refused', { exchange: 'amq.topic' });
    },
  },
  unknownExchangeType: {
    text: "unknown exchange type 'x-strange'",
    method: [40, 10],
    provoke: saying({ name: 'exchange.declare', exchange: 'e', type: 'x-strange' }),
  },
  reservedName: {
    text: "queue name 'amq.mine' contains reserved prefix 'amq.*'",
    method: [50, 10],
    provoke: saying({ name: 'queue.declare', queue: 'amq.mine' }),
  },
  defaultExchange: {
    text: 'operation not permitted on the default exchange',
    method: [50, 20],
    provoke: saying({ name: 'queue.declare', queue: 'q', noWait: true }, { name: 'queue.bind', queue: 'q' }),
  },
  internalExchange: {
    text: "cannot publish to internal exchange 'inner' in vhost '/'",
    method: [60, 40],
    provoke: (peer) => {
      peer.send(1, { name: 'exchange.declare', exchange: 'inner', type: 'fanout', internal: true, noWait: true });
      peer.publish(1, 'key', 'body', { exchange: 'inner' });
    },
  },
  systemExchange: {
    text: "deletion of system exchange 'amq.topic' in vhost '/' not allowed",
    method: [40, 20],
    provoke: saying({ name: 'exchange.delete', exchange: 'amq.topic' }),
  },
  exclusiveConsumer: {
    text: "queue 'q' in vhost '/' in exclusive use",
    method: [60, 20],
    provoke: saying(
      { name: 'queue.declare', queue: 'q', noWait: true },
      { name: 'basic.consume', queue: 'q', exclusive: true, noWait: true },
      { name: 'basic.consume', queue: 'q' },
    ),
  },
  resourceLocked: {
    text: "cannot obtain exclusive access to locked queue 'locked' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
    method: [50, 10],
    prepare: async (node) => {
      const owner = await node.channel();
      await owner.call(1, { name: 'queue.declare', queue: 'locked', exclusive: true }, 'queue.declare-ok');
    },
    provoke: saying({ name: 'queue.declare', queue: 'locked', passive: true }),
  },
  consumerFenced: {
    text: "queue 'q' in vhost '/' has a later owner",
    method: [60, 20],
    prepare: async (node) => {
      const peer = await node.channel();
      await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
      const queue = node.broker.topology.vhosts.get('/')!.queues.get('q') as Queue;
      const attach = queue.attach.bind(queue);
      // No door for AMQP says whom it consumes for.
      queue.attach = (spec, sink) => {
        queue.attach = (other, otherSink) => attach({ ...other, ownerOrdinal: 1 }, otherSink);
        return attach({ ...spec, ownerOrdinal: 2 }, sink);
      };
      await peer.call(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    },
    provoke: saying({ name: 'basic.consume', queue: 'q' }),
  },
  inequivalent: {
    text: "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '6' but current is '5'",
    method: [50, 10],
    provoke: saying(
      { name: 'queue.declare', queue: 'q', arguments: fieldTable({ 'x-message-ttl': 5 }), noWait: true },
      { name: 'queue.declare', queue: 'q', arguments: fieldTable({ 'x-message-ttl': 6 }) },
    ),
  },
  invalidArgument: {
    text: "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': expected an integer from 0 to 315360000000, got 'soon'",
    method: [50, 10],
    provoke: saying({ name: 'queue.declare', queue: 'q', arguments: fieldTable({ 'x-message-ttl': 'soon' }) }),
  },
  invalidProperty: {
    text: "invalid property 'non-durable' for queue 'q' in vhost '/': a quorum queue is durable",
    method: [50, 10],
    provoke: saying({ name: 'queue.declare', queue: 'q', arguments: fieldTable({ 'x-queue-type': 'quorum' }) }),
  },
  inUse: {
    text: "queue 'q' in vhost '/' in use",
    method: [50, 40],
    provoke: saying(
      { name: 'queue.declare', queue: 'q', noWait: true },
      { name: 'basic.consume', queue: 'q', noWait: true },
      { name: 'queue.delete', queue: 'q', ifUnused: true },
    ),
  },
  notEmpty: {
    text: "queue 'q' in vhost '/' not empty",
    method: [50, 40],
    provoke: (peer) => {
      peer.send(1, { name: 'queue.declare', queue: 'q', noWait: true });
      peer.publish(1, 'q', 'body');
      peer.send(1, { name: 'queue.delete', queue: 'q', ifEmpty: true });
    },
  },
  unknownDeliveryTag: {
    text: 'unknown delivery tag 7',
    method: [60, 80],
    provoke: saying({ name: 'basic.ack', deliveryTag: 7 }),
  },
  userIdMismatch: {
    text: "user_id property set to 'bob' but authenticated user was 'guest'",
    method: [60, 40],
    provoke: (peer) => peer.publish(1, 'q', 'body', { properties: { userId: 'bob' } }),
  },
  messageTooLarge: {
    text: 'message size 1001 is larger than configured max size 1000',
    method: [60, 40],
    limits: { messageBytesMax: 1000 },
    provoke: (peer) => peer.publish(1, 'q', Buffer.alloc(1001)),
  },
  invalidExpiration: {
    text: "invalid expiration '1 minute': expected a whole number of milliseconds from 0 to 315360000000 (ten years), as text",
    method: [60, 40],
    provoke: (peer) => peer.publish(1, 'q', 'body', { properties: { expiration: '1 minute' } }),
  },
  invalidDelay: {
    text: "invalid x-delay '5000000000': expected a whole number of milliseconds, at most 4294967295 (49 days)",
    method: [60, 40],
    provoke: (peer) => {
      const args = fieldTable({ 'x-delayed-type': 'fanout' });
      const declare = { name: 'exchange.declare', exchange: 'later', type: 'x-delayed-message' } as const;
      peer.send(1, { ...declare, noWait: true, arguments: args });
      peer.publish(1, '', 'x', {
        exchange: 'later',
        properties: { headers: fieldTable({ 'x-delay': 5_000_000_000 }) },
      });
    },
  },
  invalidCopies: {
    text: 'unsupported value of header CC: expected an array of strings of at most 255 bytes',
    method: [60, 40],
    provoke: (peer) => peer.publish(1, 'q', 'body', { properties: { headers: fieldTable({ CC: 'q' }) } }),
  },
  txRefused: {
    text: 'partial tx completion: 2 of the messages were refused (store-failed)',
    method: [90, 20],
    leavesNodeSick: true,
    provoke: async (peer, node) => {
      await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
      await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
      for (let i = 0; i < 2; i++) peer.publish(1, 'q', 'body', { properties: { deliveryMode: 2 } });
      await peer.silence();
      node.platform.disk.failNext('write', 'EIO');
      peer.send(1, { name: 'tx.commit' });
    },
  },
  confirmToTx: {
    text: 'cannot switch from confirm to tx mode',
    method: [90, 10],
    provoke: saying({ name: 'confirm.select', noWait: true }, { name: 'tx.select' }),
  },
  txToConfirm: {
    text: 'cannot switch from tx to confirm mode',
    method: [85, 10],
    provoke: async (peer) => {
      await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
      peer.send(1, { name: 'confirm.select' });
    },
  },
  notTransactional: {
    text: 'channel is not transactional',
    method: [90, 30],
    provoke: saying({ name: 'tx.rollback' }),
  },
  replyConsumerExists: {
    text: 'reply consumer already set',
    method: [60, 20],
    provoke: saying(
      { name: 'basic.consume', queue: replyTo, noAck: true, noWait: true },
      { name: 'basic.consume', queue: replyTo, noAck: true },
    ),
  },
  replyConsumerAcknowledges: {
    text: 'reply consumer cannot acknowledge',
    method: [60, 20],
    provoke: saying({ name: 'basic.consume', queue: replyTo }),
  },
  replyConsumerMissing: {
    text: 'fast reply consumer does not exist',
    method: [60, 40],
    provoke: (peer) => peer.publish(1, 'rpc_queue', '41', { properties: { replyTo } }),
  },
  unsupportedQueueType: {
    text: "invalid arg 'x-queue-type' for queue 'q' in vhost '/': unsupported queue type 'stream': streams are not built yet",
    method: [50, 10],
    provoke: saying({ name: 'queue.declare', queue: 'q', arguments: fieldTable({ 'x-queue-type': 'stream' }) }),
  },
  metadataUnavailable: {
    text: /^the metadata store did not take the change of queue 'q' in vhost '\/': .*EIO/,
    method: [50, 10],
    provoke: (peer, node) => {
      node.platform.disk.failNext('write', 'EIO');
      peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    },
  },
  queueLimit: {
    text: "cannot declare queue 'one-more': queue limit in vhost '/' (2) is reached",
    method: [50, 10],
    prepare: (node) => node.settle(node.broker.records.put('vhost-limits', ['/', 'max-queues'], 2)),
    provoke: saying(
      { name: 'queue.declare', queue: 'second', noWait: true },
      { name: 'queue.declare', queue: 'one-more' },
    ),
  },
} satisfies ErrorCases;
