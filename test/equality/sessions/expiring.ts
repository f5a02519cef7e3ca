import type { Session } from '../conversation.js';

export const expiring: readonly Session[] = [
  {
    name: 'expiration-values',
    about: 'What may stand in the property expiration.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      for (const expiration of ['text', '', '-1', '1.5', ' 5', '5 ', '0x5', '99999999999', '315360000001']) {
        await a.publish('q', expiration, { properties: { expiration } });
      }
      for (const expiration of ['60000', '0060000', '315360000000']) {
        await a.publish('q', expiration, { properties: { expiration } });
        await a.get('q');
      }
      await a.publish('nobody', 'text', { properties: { expiration: 'text' } });
    },
  },
  {
    name: 'ttl-zero',
    about: 'A TTL of 0: only to a consumer that waits.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-message-ttl': 0 });
      await a.publish('q', 'nobody waits');
      await a.get('q');
      await a.consume('q', 'c', { noAck: true });
      await a.publish('q', 'somebody waits');
      await a.declare('plain');
      await a.publish('plain', 'nobody waits', { properties: { expiration: '0' } });
      await a.get('plain');
      await a.consume('plain', 'd', { noAck: true });
      await a.publish('plain', 'somebody waits', { properties: { expiration: '0' } });
    },
  },
  {
    name: 'ttl-zero-dead-letter',
    about: 'A TTL of 0 with a dead-letter exchange, a full prefetch, and a requeue.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', {
        'x-message-ttl': 0,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      await a.say({ name: 'basic.qos', prefetchCount: 1 });
      await a.consume('q', 'c');
      await a.publish('q', 'taken');
      await a.publish('q', 'no room');
      await a.get('dead');
      await a.say({ name: 'basic.nack', deliveryTag: 1, requeue: true });
      await a.get('dead');
    },
  },
  {
    name: 'ttl-order',
    about: 'What expires behind a longer-lived head waits there, and is not delivered.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      await a.publish('q', 'long', { properties: { expiration: '60000' } });
      await a.publish('q', 'short', { properties: { expiration: '100' } });
      await a.publish('q', 'for ever');
      await conversation.wait(500);
      await a.get('q');
      await a.get('q');
      await a.get('q');
    },
  },
  {
    name: 'ttl-lower-wins',
    about: 'Of the TTL of the queue and the expiration of the message the lower one counts.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('short', { 'x-message-ttl': 100 });
      await a.declare('long', { 'x-message-ttl': 60_000 });
      await a.publish('short', 'one', { properties: { expiration: '60000' } });
      await a.publish('long', 'two', { properties: { expiration: '100' } });
      await a.publish('long', 'three');
      await conversation.wait(500);
      await a.get('short');
      await a.get('long');
      await a.get('long');
    },
  },
  {
    name: 'ttl-held',
    about: 'What a consumer holds does not expire, but when it is given back.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-message-ttl': 300 });
      await a.publish('q', 'held');
      await a.get('q', false);
      await conversation.wait(800);
      await a.say({ name: 'basic.nack', deliveryTag: 1, requeue: true });
      await conversation.wait(200);
      await a.get('q');
    },
  },
  {
    name: 'queue-expires',
    about: 'x-expires: unused for so long, a queue goes; consumers, gets and declarations keep it.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-expires': 1000 });
      await conversation.wait(600);
      await a.declare('q', { 'x-expires': 1000 });
      await conversation.wait(600);
      await a.get('q');
      await conversation.wait(600);
      await a.declare('q', {}, { passive: true });
      await conversation.wait(2000);
      await a.declare('q', {}, { passive: true });
      await a.declare('r', { 'x-expires': 500 });
      await a.consume('r', 'c');
      await conversation.wait(1500);
      await a.publish('r', 'still there');
      await a.say({ name: 'basic.cancel', consumerTag: 'c' });
      await conversation.wait(1500);
      await a.declare('r', {}, { passive: true });
    },
  },
  {
    name: 'queue-expires-publishing',
    about: 'Publishing to a queue does not keep it; its messages do not become dead letters when it expires.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', {
        'x-expires': 800,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      await conversation.wait(500);
      await a.publish('q', 'one');
      await conversation.wait(1500);
      await a.declare('q', {}, { passive: true });
      await a.get('dead');
    },
  },
];
