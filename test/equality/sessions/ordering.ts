import { fieldTable } from '../../../packages/amqp091/src/codec/index.js';
import type { Session } from '../conversation.js';

export const ordering: readonly Session[] = [
  {
    name: 'priorities',
    about: 'Higher ones first, in order within one; none counts as 0, more than the most as the most.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-priority': 5 });
      for (const [at, priority] of [1, 5, undefined, 3, 5, 200, 0, 1].entries()) {
        a.send('q', `${at}`, priority === undefined ? {} : { properties: { priority } });
      }
      await a.listen();
      for (let turn = 0; turn < 8; turn++) await a.get('q');
    },
  },
  {
    name: 'priorities-requeued',
    about: 'What is given back returns to its place within its priority.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-priority': 2 });
      for (const [at, priority] of [1, 2, 1, 2].entries()) a.send('q', `${at}`, { properties: { priority } });
      await a.listen();
      for (let turn = 0; turn < 3; turn++) await a.get('q', false);
      await a.say({ name: 'basic.nack', deliveryTag: 3, multiple: true, requeue: true });
      for (let turn = 0; turn < 4; turn++) await a.get('q');
    },
  },
  {
    name: 'priorities-full',
    about: 'A full queue with priorities drops from its head as any other: the highest, and so the newcomer stays.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', {
        'x-max-priority': 2,
        'x-max-length': 2,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      for (const [at, priority] of [2, 1, 2, 0, 1].entries()) {
        await a.publish('q', `${at}`, { properties: { priority } });
      }
      for (let turn = 0; turn < 3; turn++) await a.get('q');
      for (let turn = 0; turn < 3; turn++) await a.get('dead');
    },
  },
  {
    name: 'priorities-expiring',
    about: 'In a queue with priorities the head of each priority expires; what is behind it waits.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-priority': 2 });
      await a.publish('q', 'low', { properties: { priority: 0, expiration: '100' } });
      await a.publish('q', 'high', { properties: { priority: 2, expiration: '60000' } });
      await a.publish('q', 'high and short', { properties: { priority: 2, expiration: '100' } });
      await conversation.wait(600);
      await a.declare('q', {}, { passive: true });
      for (let turn = 0; turn < 3; turn++) await a.get('q');
    },
  },
  {
    name: 'priorities-consumer',
    about: 'A consumer gets the highest at hand at every acknowledgement.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q', { 'x-max-priority': 9 });
      await a.say({ name: 'basic.qos', prefetchCount: 1 });
      await a.consume('q', 'c');
      await b.publish('q', 'first comes', { properties: { priority: 1 } });
      await b.publish('q', 'low', { properties: { priority: 2 } });
      await b.publish('q', 'high', { properties: { priority: 8 } });
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await b.publish('q', 'higher', { properties: { priority: 9 } });
      await a.say({ name: 'basic.ack', deliveryTag: 2 });
      await a.say({ name: 'basic.ack', deliveryTag: 3 });
      await a.say({ name: 'basic.ack', deliveryTag: 4 });
    },
  },
  {
    name: 'single-active-consumer',
    about: 'One is served, the next takes over when it is cancelled or gone; what it holds stays with it.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      const c = await conversation.client();
      await a.declare('q', { 'x-single-active-consumer': true });
      await a.consume('q', 'a');
      await b.consume('q', 'b');
      await c.consume('q', 'c');
      c.send('q', 'one');
      await c.publish('q', 'two');
      await a.say({ name: 'basic.cancel', consumerTag: 'a' });
      await c.publish('q', 'three');
      await a.say({ name: 'basic.nack', deliveryTag: 1, requeue: true });
      await b.hangUp();
      await a.hangUp();
      await c.declare('q', {}, { passive: true });
    },
  },
  {
    name: 'single-active-consumer-full',
    about: 'An active one whose prefetch is full does not make way.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q', { 'x-single-active-consumer': true });
      await a.say({ name: 'basic.qos', prefetchCount: 1 });
      await a.consume('q', 'a');
      await b.consume('q', 'b');
      b.send('q', 'one');
      await b.publish('q', 'two');
      await a.say({ name: 'basic.ack', deliveryTag: 1 });
      await a.say({ name: 'basic.ack', deliveryTag: 2 });
      await b.consume('q', 'x', { exclusive: true });
    },
  },
  {
    name: 'single-active-consumer-priority',
    about: 'One of higher priority comes later.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q', { 'x-single-active-consumer': true });
      await a.consume('q', 'a', { noAck: true });
      await b.consume('q', 'b', { noAck: true, arguments: fieldTable({ 'x-priority': 10 }) });
      await b.publish('q', 'one');
    },
  },
  {
    name: 'exclusive-consumers',
    about: 'An exclusive consumer wants to be alone, and stays so.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q');
      await a.consume('q', 'a', { exclusive: true });
      await b.consume('q', 'b');
      await b.consume('q', 'b', { exclusive: true });
      await b.get('q');
      await a.say({ name: 'basic.cancel', consumerTag: 'a' });
      await b.consume('q', 'b');
      await a.consume('q', 'a', { exclusive: true });
      await a.consume('q', 'a');
    },
  },
  {
    name: 'consumer-priorities',
    about: 'Those of higher priority are served while they have room, in turn among equals.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      const c = await conversation.client();
      await a.declare('q');
      await a.consume('q', 'low', { noAck: true });
      await b.say({ name: 'basic.qos', prefetchCount: 2 });
      await b.consume('q', 'high', { arguments: fieldTable({ 'x-priority': 5 }) });
      await c.consume('q', 'lowest', { noAck: true, arguments: fieldTable({ 'x-priority': -5 }) });
      for (const body of ['one', 'two', 'three', 'four']) await c.publish('q', body);
      await b.say({ name: 'basic.ack', deliveryTag: 1 });
      await c.publish('q', 'five');
      await a.say({ name: 'basic.cancel', consumerTag: 'low' });
      await c.publish('q', 'six');
      await c.consume('q', 'wrong', { arguments: fieldTable({ 'x-priority': 'high' }) });
    },
  },
  {
    name: 'round-robin',
    about: 'Equal consumers are served in turn.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q');
      await a.consume('q', 'a1', { noAck: true });
      await b.consume('q', 'b1', { noAck: true });
      await a.consume('q', 'a2', { noAck: true });
      for (let turn = 1; turn <= 6; turn++) await b.publish('q', `${turn}`);
    },
  },
];
