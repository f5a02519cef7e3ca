import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import amqp from 'amqplib';
import type { Client, Library, Outgoing, Properties, Received } from './client.js';
import { given } from './client.js';

export const amqplibPromise: Library = {
  name: 'amqplib-promise',
  async connect(url) {
    const connection = await amqp.connect(url);
    connection.on('error', () => {});
    return openChannel(connection);
  },
};

async function openChannel(connection: ChannelModel): Promise<Client> {
  const channel = await connection.createConfirmChannel();
  const broken = new Promise<never>((_, reject) => channel.on('error', reject));
  broken.catch(() => {});

  return {
    async declareQueue(name, { passive = false, ...options } = {}) {
      const ok = passive ? await channel.checkQueue(name) : await channel.assertQueue(name, options);
      return { name: ok.queue, messages: ok.messageCount, consumers: ok.consumerCount };
    },
    async deleteQueue(name) {
      await channel.deleteQueue(name);
    },
    async declareExchange(name, type, options) {
      await channel.assertExchange(name, type, options);
    },
    async deleteExchange(name) {
      await channel.deleteExchange(name);
    },
    async bind(queue, exchange, key, table) {
      await channel.bindQueue(queue, exchange, key, table);
    },
    async unbind(queue, exchange, key) {
      await channel.unbindQueue(queue, exchange, key);
    },
    async prefetch(count) {
      await channel.prefetch(count);
    },
    publish(message) {
      const confirmed = new Promise<void>((resolve, reject) =>
        channel.publish(
          message.exchange ?? '',
          message.key,
          Buffer.from(message.body),
          publishOptions(message),
          (error) => (error ? reject(error) : resolve()),
        ),
      );
      // The callback says "channel closed" only; the error event says why.
      return confirmed.catch((error) => Promise.race([broken, Promise.reject(error)]));
    },
    onReturn(listener) {
      channel.on('return', ({ fields, content }) => {
        const { replyCode, replyText } = fields as unknown as { replyCode: number; replyText: string };
        listener(replyCode, replyText, content);
      });
    },
    async consume(queue, { noAck, onCancel }, listener) {
      const onMessage = (message: Message | null) => (message ? listener(received(channel, message)) : onCancel?.());
      return (await channel.consume(queue, onMessage, given({ noAck }))).consumerTag;
    },
    async cancel(consumerTag) {
      await channel.cancel(consumerTag);
    },
    async get(queue) {
      const message = await channel.get(queue);
      return message ? received(channel, message) : null;
    },
    channel: () => openChannel(connection),
    async close() {
      await channel.close().catch(() => {});
      await connection.close();
    },
    drop: () => breakSocket(connection.connection),
  };
}

export function publishOptions({ mandatory, ...properties }: Outgoing) {
  const { headers, contentType, persistent, correlationId, replyTo, userId } = properties;
  return given({ mandatory, headers, contentType, persistent, correlationId, replyTo, userId });
}

export function received(channel: Pick<ConfirmChannel, 'ack' | 'nack'>, message: Message): Received {
  const { headers, contentType, deliveryMode, correlationId, replyTo, userId } = message.properties;
  const properties: Properties = {
    headers,
    contentType,
    persistent: deliveryMode === 2,
    correlationId,
    replyTo,
    userId,
  };
  return {
    ...properties,
    key: message.fields.routingKey,
    body: message.content,
    redelivered: message.fields.redelivered,
    ack: () => channel.ack(message),
    requeue: () => channel.nack(message, false, true),
  };
}

/** The socket is not part of amqplib's public face, but there is no other way to die without a goodbye. */
export function breakSocket(connection: object): void {
  (connection as { stream: { destroy(error: Error): void } }).stream.destroy(new Error('dropped'));
}
