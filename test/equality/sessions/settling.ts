import type { Session } from '../conversation.js';

export const settling: readonly Session[] = [
  {
    name: 'get',
    about: 'One by one, and from an empty queue.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      await a.get('q');
      a.send('q', 'one');
      await a.publish('q', 'two');
      await a.get('q', false);
      await a.get('q');
      await a.get('q');
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.get('never was');
    },
  },
  {
    name: 'recover',
    about: 'What a channel holds goes back, in its order; marked as delivered before.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      for (const body of ['one', 'two', 'three']) a.send('q', body);
      await a.listen();
      await a.get('q', false);
      await a.get('q', false);
      await a.say({ name: 'basic.recover', requeue: true });
      for (let turn = 0; turn < 3; turn++) await a.get('q');
      await a.say({ name: 'basic.recover', requeue: true });
      await a.publish('q', 'four');
      await a.consume('q', 'c');
      await a.say({ name: 'basic.recover', requeue: true });
      await a.say({ name: 'basic.recover-async', requeue: true });
      await a.say({ name: 'basic.recover', requeue: false });
    },
  },
  {
    name: 'unknown-tags',
    about: 'Delivery tags that nobody knows.',
    async play(conversation) {
      const a = await conversation.client();
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'basic.nack', deliveryTag: 7, requeue: true });
      await a.say({ name: 'basic.reject', deliveryTag: 7, requeue: false });
      await a.say({ name: 'basic.ack', deliveryTag: 7, multiple: true });
      await a.say({ name: 'basic.ack', deliveryTag: 0, multiple: true });
      await a.say({ name: 'basic.nack', deliveryTag: 0, multiple: true });
      await a.say({ name: 'basic.ack', deliveryTag: 0 });
    },
  },
  {
    name: 'prefetch',
    about: 'Of a consumer and of a channel; changed while it runs.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      for (let turn = 1; turn <= 6; turn++) a.send('q', `${turn}`);
      await a.listen();
      await a.say({ name: 'basic.qos', prefetchCount: 2 });
      await a.consume('q', 'c');
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'basic.qos', prefetchCount: 3, global: true });
      await a.consume('q', 'd');
      await a.say({ name: 'basic.ack', deliveryTag: 3, multiple: true });
      await a.say({ name: 'basic.qos', prefetchSize: 10 });
    },
  },
  {
    name: 'transaction',
    about: 'Publishing and acknowledging take effect at the commit, and not after a rollback.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q');
      await a.say({ name: 'tx.commit' });
      await a.say({ name: 'tx.rollback' });
      await a.say({ name: 'tx.select' });
      await a.publish('q', 'one');
      await b.get('q');
      await a.say({ name: 'tx.rollback' });
      await b.get('q');
      await a.publish('q', 'two');
      await a.publish('nobody', 'three', { mandatory: true });
      await a.say({ name: 'tx.commit' });
      await b.declare('q', {}, { passive: true });
      await a.get('q', false);
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'tx.rollback' });
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'tx.commit' });
      await b.declare('q', {}, { passive: true });
      await a.publish('q', 'x', { exchange: 'missing' });
      await b.declare('q', {}, { passive: true });
    },
  },
  {
    name: 'transaction-expiring',
    about: 'The TTL of what a transaction publishes begins at its commit; an expired one is not there.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q', { 'x-message-ttl': 400 });
      await a.say({ name: 'tx.select' });
      await a.publish('q', 'one');
      await conversation.wait(800);
      await a.say({ name: 'tx.commit' });
      await b.declare('q', {}, { passive: true });
      await conversation.wait(800);
      await b.get('q');
    },
  },
  {
    name: 'consume-errors',
    about: 'Consuming what is not there, and cancelling what never was.',
    async play(conversation) {
      const a = await conversation.client();
      await a.consume('never was', 'c');
      await a.say({ name: 'basic.cancel', consumerTag: 'never was' });
      await a.declare('q');
      await a.say({ name: 'basic.consume', queue: 'q' });
      await a.consume('q', 'c');
      await a.consume('q', 'c');
    },
  },
];
