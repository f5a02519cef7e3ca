import { andThen, brokerError, type Later, type SharedQueue } from '@chapar/core';
import { argumentsOf } from './argument-values.js';
import type { Channel } from './channel.js';
import type { Method, MethodOf } from './codec/index.js';
import { replyToName } from './direct-reply.js';
import { Transaction } from './transaction.js';

type Name = Method['name'];

/** What each method does on an open channel, but for basic.publish. A promise: the channel's further frames wait for it. */
const onEach: { readonly [N in Name]?: (channel: Channel, method: MethodOf<N>) => Later<void> } = {
  // ---- channel -----------------------------------------------------------------------------------------------------
  'channel.open': (channel) => {
    throw brokerError('secondChannelOpen', { channel: channel.number });
  },
  'channel.close': (channel) => channel.closedByPeer(),
  'channel.close-ok': () => undefined,
  'channel.flow': (channel, { active }) => {
    if (!active) throw brokerError('inactiveFlow', {});
    channel.send({ name: 'channel.flow-ok', active });
  },
  'channel.flow-ok': () => undefined,
  'access.request': (channel) => channel.send({ name: 'access.request-ok', ticket: 1 }),

  // ---- exchange ----------------------------------------------------------------------------------------------------
  'exchange.declare': (channel, method) => {
    const { exchange: name, type, durable, autoDelete, internal } = method;
    if (name === '') throw brokerError('defaultExchange', {});
    const declared = method.passive
      ? channel.actor.findExchange(name)
      : channel.actor.declareExchange({
          name,
          type,
          durable,
          autoDelete,
          internal,
          arguments: argumentsOf(method.arguments),
        });
    return andThen(declared, () => answer(channel, method.noWait, { name: 'exchange.declare-ok' }));
  },
  'exchange.delete': (channel, { exchange, ifUnused, noWait }) =>
    andThen(channel.actor.deleteExchange(exchange, { ifUnused }), () =>
      answer(channel, noWait, { name: 'exchange.delete-ok' }),
    ),
  'exchange.bind': (channel, method) =>
    andThen(channel.actor.bind(exchangeBinding(method)), () =>
      answer(channel, method.noWait, { name: 'exchange.bind-ok' }),
    ),
  'exchange.unbind': (channel, method) =>
    andThen(channel.actor.unbind(exchangeBinding(method)), () =>
      answer(channel, method.noWait, { name: 'exchange.unbind-ok' }),
    ),

  // ---- queue -------------------------------------------------------------------------------------------------------
  'queue.declare': (channel, method) =>
    isReplyName(method.queue) ? declareReply(channel, method) : declare(channel, method),
  'queue.bind': (channel, method) =>
    andThen(channel.actor.bind(queueBinding(channel, method)), () =>
      answer(channel, method.noWait, { name: 'queue.bind-ok' }),
    ),
  'queue.unbind': (channel, method) =>
    andThen(channel.actor.unbind(queueBinding(channel, method)), () => channel.send({ name: 'queue.unbind-ok' })),
  'queue.purge': (channel, { queue, noWait }) =>
    andThen(channel.actor.purgeQueue(queueName(channel, queue)), (messageCount) =>
      answer(channel, noWait, { name: 'queue.purge-ok', messageCount }),
    ),
  'queue.delete': (channel, { queue, ifUnused, ifEmpty, noWait }) =>
    andThen(channel.actor.deleteQueue(queueName(channel, queue), { ifUnused, ifEmpty }), (messageCount) =>
      answer(channel, noWait, { name: 'queue.delete-ok', messageCount }),
    ),

  // ---- basic -------------------------------------------------------------------------------------------------------
  'basic.qos': (channel, { prefetchSize, prefetchCount, global }) => {
    if (prefetchSize !== 0) throw brokerError('prefetchSize', { bytes: prefetchSize });
    channel.consumption.setPrefetch(prefetchCount, global);
    channel.send({ name: 'basic.qos-ok' });
  },
  'basic.consume': (channel, method) =>
    method.queue === replyToName ? consumeReplies(channel, method) : consume(channel, method),
  'basic.cancel': (channel, { consumerTag, noWait }) =>
    andThen(channel.consumption.cancel(consumerTag), () =>
      answer(channel, noWait, { name: 'basic.cancel-ok', consumerTag }),
    ),
  'basic.cancel-ok': () => undefined,
  'basic.get': (channel, { queue, noAck }) => toRead(channel, queue, (found) => channel.consumption.get(found, !noAck)),
  'basic.ack': (channel, { deliveryTag, multiple }) => settle(channel, deliveryTag, multiple, 'accept'),
  'basic.nack': (channel, { deliveryTag, multiple, requeue }) =>
    settle(channel, deliveryTag, multiple, requeue ? 'release' : 'reject'),
  'basic.reject': (channel, { deliveryTag, requeue }) =>
    settle(channel, deliveryTag, false, requeue ? 'release' : 'reject'),
  'basic.recover': (channel, { requeue }) => {
    recover(channel, requeue);
    channel.send({ name: 'basic.recover-ok' });
  },
  'basic.recover-async': (channel, { requeue }) => recover(channel, requeue),

  // ---- confirm and tx ----------------------------------------------------------------------------------------------
  'confirm.select': (channel, { noWait }) => {
    if (channel.transaction !== null) throw brokerError('txToConfirm', {});
    channel.confirms = true;
    answer(channel, noWait, { name: 'confirm.select-ok' });
  },
  'tx.select': (channel) => {
    if (channel.confirms) throw brokerError('confirmToTx', {});
    channel.transaction ??= new Transaction(channel);
    channel.send({ name: 'tx.select-ok' });
  },
  'tx.commit': (channel) => andThen(transaction(channel).commit(), () => channel.send({ name: 'tx.commit-ok' })),
  'tx.rollback': (channel) => {
    transaction(channel).rollback();
    channel.send({ name: 'tx.rollback-ok' });
  },
};

/** Carries out a method of the peer's. Throws BrokerError, or the promise rejects with one. */
export function onMethod(channel: Channel, method: Method): Later<void> {
  const act = onEach[method.name] as ((channel: Channel, method: Method) => Later<void>) | undefined;
  if (act !== undefined) return act(channel, method);
  if (method.name.startsWith('connection.')) {
    throw brokerError('notChannelZero', { method: method.name, channel: channel.number });
  }
  throw brokerError('unexpectedMethod', { method: method.name, when: 'from a client' });
}

// ---- parts --------------------------------------------------------------------------------------------------------

function answer(channel: Channel, noWait: boolean, method: Parameters<Channel['send']>[0]): void {
  if (!noWait) channel.send(method);
}

/** An empty name stands for the queue declared last on the channel. */
function queueName(channel: Channel, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueue !== '') return channel.lastQueue;
  throw brokerError('queueNotFound', { queue: '', vhost: channel.actor.vhost.name });
}

function declare(channel: Channel, method: MethodOf<'queue.declare'>): Later<void> {
  const { durable, exclusive, autoDelete } = method;
  const declared = method.passive
    ? channel.actor.findDeclared(queueName(channel, method.queue))
    : channel.actor.declareQueue({
        name: method.queue,
        durable,
        exclusive,
        autoDelete,
        arguments: argumentsOf(method.arguments),
      });
  return andThen(declared, (queue) => {
    channel.lastQueue = queue.name;
    if (method.noWait) return;
    return andThen(queue.counts(), ({ ready, consumers }) =>
      channel.send({
        name: 'queue.declare-ok',
        queue: queue.name,
        messageCount: ready,
        consumerCount: consumers,
      }),
    );
  });
}

const isReplyName = (name: string): boolean => name === replyToName || name.startsWith(`${replyToName}.`);

/** Asks whether a replier may still answer: the field lets it declare the reply address. */
function declareReply(channel: Channel, { queue, noWait }: MethodOf<'queue.declare'>): Later<void> {
  const isThere = queue === replyToName || channel.actor.hasDirectEnd(queue);
  return andThen(isThere, (found) => {
    if (!found) throw brokerError('queueNotFound', { queue, vhost: channel.actor.vhost.name });
    answer(channel, noWait, { name: 'queue.declare-ok', queue, messageCount: 0, consumerCount: 1 });
  });
}

function queueBinding(channel: Channel, method: MethodOf<'queue.bind'> | MethodOf<'queue.unbind'>) {
  const destination = queueName(channel, method.queue);
  // Naming neither queue nor key means the queue's name for both (AMQP 0-9-1 §1.7.2.3).
  const routingKey = method.queue === '' && method.routingKey === '' ? destination : method.routingKey;
  return {
    source: method.exchange,
    kind: 'queue',
    destination,
    routingKey,
    arguments: argumentsOf(method.arguments),
  } as const;
}

function exchangeBinding(method: MethodOf<'exchange.bind'> | MethodOf<'exchange.unbind'>) {
  const { source, destination, routingKey } = method;
  return { source, kind: 'exchange', destination, routingKey, arguments: argumentsOf(method.arguments) } as const;
}

/** Goes on with the queue when it may be read, unless the channel has gone while that was decided: nobody would settle what it took. */
function toRead(channel: Channel, name: string, take: (queue: SharedQueue) => Later<void>): Later<void> {
  return andThen(channel.actor.readQueue(queueName(channel, name)), (queue) =>
    channel.isClosing ? undefined : take(queue),
  );
}

function consume(channel: Channel, method: MethodOf<'basic.consume'>): Later<void> {
  const { exclusive, noAck, noWait } = method;
  const tag = consumerTag(channel, method.consumerTag);
  return toRead(channel, method.queue, (queue) => {
    const wish = { tag, acknowledges: !noAck, exclusive, arguments: argumentsOf(method.arguments) };
    return andThen(channel.consumption.consume(queue, wish), (start) => {
      if (start === null) return;
      answer(channel, noWait, { name: 'basic.consume-ok', consumerTag: tag });
      start();
    });
  });
}

function consumeReplies(channel: Channel, method: MethodOf<'basic.consume'>): void {
  if (!method.noAck) throw brokerError('replyConsumerAcknowledges', {});
  if (channel.consumption.reply !== null) throw brokerError('replyConsumerExists', {});
  const tag = consumerTag(channel, method.consumerTag);
  // In a cluster the address says which node it leads to.
  const where = channel.actor.residence === null ? '' : `${channel.actor.residence.tag}.`;
  channel.consumption.consumeReplies(tag, where + random(channel, 24));
  answer(channel, method.noWait, { name: 'basic.consume-ok', consumerTag: tag });
}

function consumerTag(channel: Channel, wished: string): string {
  return wished === '' ? `amq.ctag-${random(channel, 16)}` : wished;
}

function random(channel: Channel, bytes: number): string {
  return channel.connection.parts.broker.platform.random.bytes(bytes).toString('base64url');
}

function settle(channel: Channel, tag: number, multiple: boolean, outcome: 'accept' | 'release' | 'reject'): void {
  if (channel.transaction !== null) channel.transaction.settle(tag, multiple, outcome);
  else channel.consumption.settle(tag, multiple, outcome);
}

function recover(channel: Channel, requeue: boolean): void {
  if (!requeue) throw brokerError('recoverWithoutRequeue', {});
  channel.consumption.recover();
}

function transaction(channel: Channel): Transaction {
  if (channel.transaction === null) throw brokerError('notTransactional', {});
  return channel.transaction;
}
