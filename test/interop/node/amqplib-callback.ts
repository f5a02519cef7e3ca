import { promisify } from 'node:util';
import type { ConfirmChannel, Connection, Message } from 'amqplib/callback_api';
import amqp from 'amqplib/callback_api';
import { breakSocket, publishOptions, received } from './amqplib-promise.js';
import type { Client, Library } from './client.js';
import { given } from './client.js';

type Callback<T> = (error: Error | null, value: T) => void;

/** A call with a callback at its end, as a promise. */
function call<T>(start: (callback: Callback<T>) => void): Promise<T> {
  return promisify(start)() as Promise<T>;
}

export const amqplibCallback: Library = {
  name: 'amqplib-callback',
  async connect(url) {
    const connection = await call<Connection>((done) => amqp.connect(url, done));
    connection.on('error', () => {});
    return openChannel(connection);
  },
};

async function openChannel(connection: Connection): Promise<Client> {
  const channel = await call<ConfirmChannel>((done) => connection.createConfirmChannel(done));
  const broken = new Promise<never>((_, reject) => channel.on('error', reject));
  broken.catch(() => {});

  return {
    async declareQueue(name, { passive = false, ...options } = {}) {
      const ok = await call<{ queue: string; messageCount: number; consumerCount: number }>((done) =>
        passive ? channel.checkQueue(name, done) : channel.assertQueue(name, options, done),
      );
      return { name: ok.queue, messages: ok.messageCount, consumers: ok.consumerCount };
    },
    async deleteQueue(name) {
      await call((done) => channel.deleteQueue(name, {}, done));
    },
    async declareExchange(name, type, options = {}) {
      await call((done) => channel.assertExchange(name, type, options, done));
    },
    async deleteExchange(name) {
      await call((done) => channel.deleteExchange(name, {}, done));
    },
    async bind(queue, exchange, key, table) {
      await call((done) => channel.bindQueue(queue, exchange, key, table, done));
    },
    async unbind(queue, exchange, key) {
      await call((done) => channel.unbindQueue(queue, exchange, key, {}, done));
    },
    async prefetch(count) {
      await call((done) => channel.prefetch(count, false, done));
    },
    publish(message) {
      const confirmed = call<unknown>((done) =>
        channel.publish(message.exchange ?? '', message.key, Buffer.from(message.body), publishOptions(message), done),
      );
      // The callback says "channel closed" only; the error event says why.
      return confirmed.then(
        () => {},
        (error) => Promise.race([broken, Promise.reject(error)]),
      );
    },
    onReturn(listener) {
      channel.on('return', ({ fields, content }) => {
        const { replyCode, replyText } = fields as unknown as { replyCode: number; replyText: string };
        listener(replyCode, replyText, content);
      });
    },
    async consume(queue, { noAck, onCancel }, listener) {
      const onMessage = (message: Message | null) => (message ? listener(received(channel, message)) : onCancel?.());
      return (await call<{ consumerTag: string }>((done) => channel.consume(queue, onMessage, given({ noAck }), done)))
        .consumerTag;
    },
    async cancel(consumerTag) {
      await call((done) => channel.cancel(consumerTag, done));
    },
    async get(queue) {
      const message = await call<Message | false>((done) => channel.get(queue, {}, done));
      return message ? received(channel, message) : null;
    },
    channel: () => openChannel(connection),
    async close() {
      await call((done) => channel.close(done as () => void)).catch(() => {});
      await call((done) => connection.close(done as () => void));
    },
    drop: () => breakSocket(connection.connection),
  };
}
