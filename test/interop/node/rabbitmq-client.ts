import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AsyncMessage, Channel, SyncMessage } from 'rabbitmq-client';
import { Connection } from 'rabbitmq-client';
import type { Client, Library, Outgoing, Received } from './client.js';
import { given } from './client.js';

export const rabbitmqClient: Library = {
  name: 'rabbitmq-client',
  async connect(url) {
    const connection = new Connection(url);
    connection.on('error', () => {});
    return openChannel(connection);
  },
};

async function openChannel(connection: Connection): Promise<Client> {
  const channel = await connection.acquire();
  await channel.confirmSelect();
  const cancelListeners = new Map<string, () => void>();
  channel.on('basic.cancel', (consumerTag) => cancelListeners.get(consumerTag)?.());

  return {
    async declareQueue(queue, { durable = true, ...options } = {}) {
      const ok = await channel.queueDeclare({ queue, durable, ...options });
      return { name: ok.queue, messages: ok.messageCount, consumers: ok.consumerCount };
    },
    async deleteQueue(queue) {
      await channel.queueDelete({ queue });
    },
    declareExchange: (exchange, type, { durable = true } = {}) => channel.exchangeDeclare({ exchange, type, durable }),
    deleteExchange: (exchange) => channel.exchangeDelete({ exchange }),
    bind: (queue, exchange, routingKey, table) =>
      channel.queueBind({ queue, exchange, routingKey, ...(table ? { arguments: table } : {}) }),
    unbind: (queue, exchange, routingKey) => channel.queueUnbind({ queue, exchange, routingKey }),
    prefetch: (prefetchCount) => channel.basicQos({ prefetchCount }),
    async publish(message) {
      await channel.basicPublish(envelope(message), Buffer.from(message.body));
      // The library hands a return over one turn later than the confirm that followed it.
      await nextTurn();
    },
    onReturn(listener) {
      channel.on('basic.return', (message) => listener(message.replyCode, message.replyText, bytes(message.body)));
    },
    async consume(queue, { noAck, onCancel }, listener) {
      const { consumerTag } = await channel.basicConsume({ queue, ...given({ noAck }) }, (message) =>
        listener(received(channel, message)),
      );
      if (onCancel) cancelListeners.set(consumerTag, onCancel);
      return consumerTag;
    },
    async cancel(consumerTag) {
      await channel.basicCancel(consumerTag);
    },
    async get(queue) {
      const message = await channel.basicGet({ queue });
      return message ? received(channel, message) : null;
    },
    channel: () => openChannel(connection),
    async close() {
      await channel.close().catch(() => {});
      await connection.close();
    },
    drop: () => connection.unsafeDestroy(),
  };
}

function envelope({ exchange = '', key, body: _, persistent, ...options }: Outgoing) {
  return { exchange, routingKey: key, durable: persistent ?? false, ...given(options) };
}

/** The library turns bodies into text or objects when their content type says so. */
function bytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function received(channel: Channel, message: AsyncMessage | SyncMessage): Received {
  const { headers, contentType, correlationId, replyTo, userId, durable, deliveryTag } = message;
  return {
    headers,
    contentType,
    persistent: durable,
    correlationId,
    replyTo,
    userId,
    key: message.routingKey,
    body: bytes(message.body),
    redelivered: message.redelivered,
    ack: () => channel.basicAck({ deliveryTag }),
    requeue: () => channel.basicNack({ deliveryTag, requeue: true }),
  };
}
