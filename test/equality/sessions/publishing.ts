import { fieldTable } from '../../../packages/amqp091/src/codec/index.js';
import type { Session } from '../conversation.js';

export const publishing: readonly Session[] = [
  {
    name: 'mandatory',
    about: 'Nobody to go to: returned before it is confirmed, with all that it had.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'direct');
      await a.say({ name: 'confirm.select' });
      await a.publish('nobody', 'back', { mandatory: true, properties: { priority: 3 }, headers: { n: 1 } });
      await a.publish('key', 'back', { exchange: 'e', mandatory: true });
      await a.publish('nobody', 'gone');
      await a.publish('key', 'x', { exchange: 'missing', mandatory: true });
      await a.publish('nobody', 'back', { mandatory: true, headers: { CC: ['neither'], BCC: ['nor'] } });
    },
  },
  {
    name: 'alternate-exchange',
    about: 'What an exchange cannot route goes to its alternate, and on; a cycle ends.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('last', 'fanout');
      await a.exchange('middle', 'direct', { 'alternate-exchange': 'last' });
      await a.exchange('first', 'direct', { 'alternate-exchange': 'middle' });
      await a.exchange('round', 'direct', { 'alternate-exchange': 'round' });
      await a.exchange('lost', 'direct', { 'alternate-exchange': 'missing' });
      await a.declare('q');
      await a.bind('q', 'last');
      await a.say({ name: 'confirm.select' });
      for (const exchange of ['first', 'round', 'lost']) {
        await a.publish('key', `to ${exchange}`, { exchange, mandatory: true });
        await a.get('q');
      }
    },
  },
  {
    name: 'cc-bcc',
    about: 'CC and BCC name more routing keys; BCC is taken out.',
    async play(conversation) {
      const a = await conversation.client();
      for (const queue of ['to', 'cc', 'bcc']) await a.declare(queue);
      await a.publish('to', 'for three', { headers: { CC: ['cc', 'to'], BCC: ['bcc'], other: 1 } });
      for (const queue of ['to', 'cc', 'bcc', 'to']) await a.get(queue);
      await a.publish('nobody', 'only by copy', { mandatory: true, headers: { BCC: ['bcc'] } });
      await a.get('bcc');
    },
  },
  {
    name: 'cc-bcc-odd',
    about: 'Values that CC and BCC should not have.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('to');
      await a.publish('to', 'a text', { headers: { CC: 'to' } });
      await a.publish('to', 'a number', { headers: { CC: 5 } });
      await a.publish('to', 'a text', { headers: { BCC: 'to' } });
      await a.publish('to', 'an empty array', { headers: { CC: [] } });
      await a.get('to');
      await a.publish('to', 'a number in it', { headers: { CC: [1, 'to'] } });
      await a.get('to');
    },
  },
  {
    name: 'user-id',
    about: 'The property user-id must be the name of the user.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      await a.publish('q', 'honest', { properties: { userId: 'guest' } });
      await a.get('q');
      await a.publish('q', 'not honest', { properties: { userId: 'somebody' } });
      await a.publish('q', 'empty', { properties: { userId: '' } });
      await a.get('q');
    },
  },
  {
    name: 'direct-reply-to',
    about: 'Replies without a queue.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await b.declare('requests');
      await b.consume('requests', 'server', { noAck: true });
      await a.publish('requests', 'too early', { properties: { replyTo: 'amq.rabbitmq.reply-to' } });
      await a.consume('amq.rabbitmq.reply-to', 'replies');
      await a.consume('amq.rabbitmq.reply-to', 'replies', { noAck: true });
      const [request] = await b.got(() =>
        a.publish('requests', 'question', {
          properties: { replyTo: 'amq.rabbitmq.reply-to', correlationId: 'c' },
          mandatory: true,
        }),
      );
      await b.declare(request!.replyTo!, {}, { passive: true });
      await b.publish(request!.replyTo!, 'answer', { properties: { correlationId: 'c' }, mandatory: true });
      await b.publish('amq.rabbitmq.reply-to.nobody', 'answer', { mandatory: true });
      await a.declare('amq.rabbitmq.reply-to', {}, { passive: true });
      await a.declare('amq.rabbitmq.reply-to');
      await a.say({ name: 'basic.cancel', consumerTag: 'replies' });
      await b.publish(request!.replyTo!, 'too late', { mandatory: true });
    },
  },
  {
    name: 'confirms',
    about: 'Confirms of messages that go to several queues, none, or on disk; not together with transactions.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'fanout');
      await a.declare('one', {}, { durable: true });
      await a.declare('two');
      await a.bind('one', 'e');
      await a.bind('two', 'e');
      await a.say({ name: 'confirm.select' });
      await a.publish('', 'for two', { exchange: 'e', properties: { deliveryMode: 2 } });
      await a.publish('nobody', 'for none');
      await a.publish('one', 'on disk', { properties: { deliveryMode: 2 } });
      await a.say({ name: 'confirm.select' });
      await a.publish('one', 'on disk', { properties: { deliveryMode: 2 } });
      await a.say({ name: 'tx.select' });
      await a.say({ name: 'tx.select' });
      await a.say({ name: 'confirm.select' });
      await a.say({ name: 'tx.commit' });
    },
  },
  {
    name: 'odd-properties',
    about: 'Properties and headers come out as they went in.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      const headers = {
        text: 'grüße',
        empty: '',
        yes: true,
        small: 7,
        long: 2 ** 40,
        fraction: 1.5,
        nothing: null,
        bytes: Buffer.from([1, 2, 3]),
        table: fieldTable({ inner: fieldTable({ deep: 'x' }) }),
        list: [1, 'two', [true]],
        none: fieldTable(),
      };
      await a.publish('q', 'x', { headers });
      await a.get('q');
      await a.publish('q', 'x', { headers: {} });
      await a.get('q');
      await a.publish('q', '', { properties: { deliveryMode: 1, priority: 255, contentType: '' } });
      await a.get('q');
      await a.publish('q', 'y'.repeat(200_000));
      await a.get('q');
    },
  },
  {
    name: 'delivery-modes',
    about: 'A delivery mode is 1 or 2.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      for (const deliveryMode of [1, 2, 0, 3]) {
        await a.publish('q', `${deliveryMode}`, { properties: { deliveryMode } });
        await a.get('q');
      }
    },
  },
];
