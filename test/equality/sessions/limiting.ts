import type { Session } from '../conversation.js';

const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };

export const limiting: readonly Session[] = [
  {
    name: 'max-length-drop-head',
    about: 'The oldest goes; publishers are confirmed all the same.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 2 });
      await a.say({ name: 'confirm.select' });
      for (const body of ['one', 'two', 'three', 'four']) await a.publish('q', body);
      await a.declare('q', {}, { passive: true });
      for (let turn = 0; turn < 3; turn++) await a.get('q');
    },
  },
  {
    name: 'max-length-held',
    about: 'What is held does not count until it is given back; then the head goes.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 2 });
      await a.publish('q', 'one');
      await a.publish('q', 'two');
      await a.get('q', false);
      await a.get('q', false);
      await a.publish('q', 'three');
      await a.publish('q', 'four');
      await a.declare('q', {}, { passive: true });
      await a.say({ name: 'basic.nack', deliveryTag: 2, multiple: true, requeue: true });
      await a.declare('q', {}, { passive: true });
      for (let turn = 0; turn < 3; turn++) await a.get('q');
    },
  },
  {
    name: 'max-length-bytes',
    about: 'Bytes are those of bodies.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length-bytes': 10 });
      for (const body of ['12345', '67890', 'abc', 'a body larger than all of it']) {
        await a.publish('q', body, { headers: { large: 'x'.repeat(100) } });
        await a.declare('q', {}, { passive: true });
      }
      await a.get('q');
    },
  },
  {
    name: 'max-length-reject-publish',
    about: 'A full queue refuses: nack with confirms, silence without.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('dead');
      await a.declare('q', { ...toDead, 'x-max-length': 2, 'x-overflow': 'reject-publish' });
      await a.say({ name: 'confirm.select' });
      for (const body of ['one', 'two', 'three', 'four']) await a.publish('q', body, { mandatory: true });
      await b.publish('q', 'five');
      await a.declare('q', {}, { passive: true });
      await a.get('dead');
      await a.get('q');
      await a.publish('q', 'six');
      for (let turn = 0; turn < 3; turn++) await a.get('q');
    },
  },
  {
    name: 'max-length-reject-publish-dlx',
    about: 'A full queue refuses, and what it refuses becomes a dead letter.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', { ...toDead, 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' });
      await a.say({ name: 'confirm.select' });
      for (const body of ['one', 'two']) await a.publish('q', body, { headers: { n: 1 } });
      await a.get('dead');
      await a.get('q');
    },
  },
  {
    name: 'max-length-reject-publish-some',
    about: 'Routed to a full queue and to one with room: the publisher hears nack, the other has it.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'fanout');
      await a.declare('full', { 'x-max-length': 0, 'x-overflow': 'reject-publish' });
      await a.declare('open');
      await a.bind('full', 'e');
      await a.bind('open', 'e');
      await a.say({ name: 'confirm.select' });
      await a.publish('', 'one', { exchange: 'e' });
      await a.get('open');
      await a.get('full');
    },
  },
  {
    name: 'max-length-reject-publish-bytes',
    about: 'What would cross the limit in bytes is refused, what still fits is taken.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length-bytes': 10, 'x-overflow': 'reject-publish' });
      await a.say({ name: 'confirm.select' });
      for (const body of ['1234567', '8901234', 'a', '']) await a.publish('q', body);
      await a.declare('q', {}, { passive: true });
      for (let turn = 0; turn < 3; turn++) await a.get('q');
    },
  },
  {
    name: 'max-length-consumer',
    about: 'With a limit of 0 and a consumer that waits: taken, but not where a full queue refuses.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 0 });
      await a.declare('r', { 'x-max-length': 0, 'x-overflow': 'reject-publish' });
      await a.consume('q', 'c', { noAck: true });
      await a.consume('r', 'd', { noAck: true });
      await a.say({ name: 'confirm.select' });
      await a.publish('q', 'one');
      await a.publish('r', 'two');
    },
  },
  {
    name: 'max-length-tx',
    about: 'A transaction into a full queue.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 1 });
      await a.declare('r', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
      await a.say({ name: 'tx.select' });
      for (const queue of ['q', 'r']) for (const body of ['one', 'two']) a.send(queue, body);
      await a.say({ name: 'tx.commit' });
      for (const queue of ['q', 'r']) {
        await a.get(queue);
        await a.get(queue);
      }
    },
  },
];
