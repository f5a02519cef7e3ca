// A long and good conversation in one piece, for tests that cut it, delay it or damage it.
import {
  encodeMethod,
  encodeProperties,
  fieldTable,
  type MethodInput,
  PROTOCOL_HEADER,
} from '../../packages/amqp091/src/codec/index.js';
import { type Content, contentFrames } from '../support/amqp-peer.js';

const frameMax = 4096;

function said(channel: number, method: MethodInput, content?: Content): Buffer[] {
  const frames = [encodeMethod(channel, method)];
  return content === undefined ? frames : [...frames, ...contentFrames(channel, content, frameMax)];
}

const capabilities = fieldTable({ consumer_cancel_notify: true, authentication_failure_close: true });
const persistent = encodeProperties({
  deliveryMode: 2,
  headers: fieldTable({ n: 1, CC: ['nowhere'] }),
  messageId: 'm',
});

/** Everything up to open-ok, as a client says it that does not wait. */
export const opening: readonly Buffer[] = [
  PROTOCOL_HEADER,
  ...said(0, {
    name: 'connection.start-ok',
    clientProperties: fieldTable({ product: 'dialogue', capabilities }),
    mechanism: 'PLAIN',
    response: '\0guest\0guest',
    locale: 'en_US',
  }),
  ...said(0, { name: 'connection.tune-ok', channelMax: 10, frameMax, heartbeat: 0 }),
  ...said(0, { name: 'connection.open', virtualHost: '/' }),
];

/** Every class is in it; nothing of it outlives the connection but the durable queues `shared` and `ours`. */
export const talk: readonly Buffer[] = [
  ...said(1, { name: 'channel.open' }),
  ...said(1, { name: 'exchange.declare', exchange: 'topics', type: 'topic', autoDelete: true }),
  ...said(1, { name: 'queue.declare', queue: 'mine', exclusive: true, arguments: fieldTable({ 'x-max-length': 5 }) }),
  ...said(1, { name: 'queue.declare', queue: 'shared', durable: true }),
  ...said(1, { name: 'queue.bind', queue: 'mine', exchange: 'topics', routingKey: 'a.#' }),
  ...said(1, { name: 'basic.qos', prefetchCount: 10 }),
  ...said(1, { name: 'confirm.select' }),
  ...said(1, { name: 'basic.consume', queue: 'mine', consumerTag: 'c' }),
  ...said(1, { name: 'basic.publish', exchange: 'topics', routingKey: 'a.b', mandatory: true }, { body: 'small' }),
  ...said(1, { name: 'basic.publish', routingKey: 'mine' }, { body: '', properties: persistent }),
  ...said(1, { name: 'basic.publish', routingKey: 'nowhere', mandatory: true }, { body: 'back' }),
  ...said(1, { name: 'basic.publish', routingKey: 'shared' }, { body: Buffer.alloc(5000, 7), properties: persistent }),
  ...said(2, { name: 'channel.open' }),
  ...said(2, { name: 'queue.declare', queue: 'ours', durable: true }),
  ...said(2, { name: 'tx.select' }),
  ...said(2, { name: 'basic.publish', routingKey: 'ours' }, { body: 'in a transaction', properties: persistent }),
  ...said(2, { name: 'tx.commit' }),
  ...said(2, { name: 'basic.get', queue: 'ours', noAck: true }),
  ...said(2, { name: 'queue.purge', queue: 'ours' }),
  ...said(2, { name: 'basic.consume', queue: 'amq.rabbitmq.reply-to', consumerTag: 'r', noAck: true }),
  ...said(1, { name: 'basic.cancel', consumerTag: 'c' }),
  ...said(1, { name: 'basic.ack', deliveryTag: 1 }),
  ...said(1, { name: 'basic.nack', deliveryTag: 2, requeue: true }),
  ...said(1, { name: 'basic.get', queue: 'mine' }),
  ...said(1, { name: 'basic.recover', requeue: true }),
  ...said(1, { name: 'basic.get', queue: 'mine', noAck: true }),
  ...said(1, { name: 'queue.unbind', queue: 'mine', exchange: 'topics', routingKey: 'a.#' }),
  ...said(2, { name: 'channel.close', replyCode: 200 }),
];

export const ending: readonly Buffer[] = said(0, { name: 'connection.close', replyCode: 200, replyText: 'bye' });

export const dialogue: Buffer = Buffer.concat([...opening, ...talk, ...ending]);
