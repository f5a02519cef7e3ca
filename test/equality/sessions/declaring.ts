import { fieldTable } from '../../../packages/amqp091/src/codec/index.js';
import type { Session } from '../conversation.js';

/** Declared with the first value and then with the second, with none, and the other way round. */
const compared: { readonly [argument: string]: readonly [unknown, unknown] } = {
  'x-message-ttl': [1000, 2000],
  'x-expires': [60_000, 70_000],
  'x-max-length': [5, 6],
  'x-max-length-bytes': [500, 600],
  'x-overflow': ['drop-head', 'reject-publish'],
  'x-dead-letter-exchange': ['amq.fanout', 'amq.direct'],
  'x-max-priority': [5, 6],
  'x-single-active-consumer': [true, false],
  'x-queue-mode': ['default', 'lazy'],
  'x-made-up': ['one', 'two'],
};

const refused: { readonly [argument: string]: readonly unknown[] } = {
  'x-message-ttl': [-1, 'text', 1.5, true, 315_360_000_001],
  'x-expires': [0, -1, 'text', 315_360_000_001],
  'x-max-length': [-1, 'text', true],
  'x-max-length-bytes': [-1, 'text'],
  'x-overflow': ['made-up', 5],
  'x-dead-letter-exchange': [5, true],
  'x-dead-letter-routing-key': ['without exchange', 5],
  'x-max-priority': [-1, 256, 'text', 1.5],
  'x-single-active-consumer': ['true', 1],
  'x-queue-type': ['made-up', 5],
  'x-queue-mode': ['made-up', 5],
};

const comparing = Object.entries(compared).map(
  ([argument, [first, second]]): Session => ({
    name: `redeclare-${argument}`,
    about: `A queue with ${argument} is declared again with the same value, another one, none, and the other way round.`,
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('with', { [argument]: first });
      await a.declare('with', { [argument]: first });
      await a.declare('with', { [argument]: second });
      await a.declare('with');
      await a.declare('without');
      await a.declare('without', { [argument]: first });
    },
  }),
);

const refusing = Object.entries(refused).map(
  ([argument, values]): Session => ({
    name: `invalid-${argument}`,
    about: `Values that ${argument} cannot have.`,
    async play(conversation) {
      const a = await conversation.client();
      for (const value of values) await a.declare('q', { [argument]: value });
    },
  }),
);

export const declaring: readonly Session[] = [
  ...comparing,
  ...refusing,
  {
    name: 'redeclare-x-dead-letter-routing-key',
    about: 'The routing key of dead letters is compared like the exchange.',
    async play(conversation) {
      const a = await conversation.client();
      const exchange = { 'x-dead-letter-exchange': 'amq.fanout' };
      await a.declare('with', { ...exchange, 'x-dead-letter-routing-key': 'one' });
      await a.declare('with', { ...exchange, 'x-dead-letter-routing-key': 'two' });
      await a.declare('with', exchange);
    },
  },
  {
    name: 'redeclare-properties',
    about: 'A queue is declared again with other properties.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('durable', {}, { durable: true });
      await a.declare('durable');
      await a.declare('vanishing', {}, { autoDelete: true });
      await a.declare('vanishing');
      await a.declare('mine', {}, { exclusive: true });
      await a.declare('mine');
      await a.declare('mine', {}, { exclusive: true });
      await b.declare('mine', {}, { exclusive: true });
      await b.declare('mine', {}, { passive: true });
      await b.say({ name: 'queue.purge', queue: 'mine' });
      await b.say({ name: 'queue.delete', queue: 'mine' });
      await b.say({ name: 'queue.bind', queue: 'mine', exchange: 'amq.fanout' });
      await b.get('mine');
      await b.consume('mine', 'c');
    },
  },
  {
    name: 'redeclare-equal-numbers',
    about: 'The same number in another type, and several arguments that differ.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 5, 'x-message-ttl': 1000 });
      await a.declare('q', { 'x-max-length': 5n, 'x-message-ttl': 1000n });
      await a.declare('q', { 'x-max-length': 6, 'x-message-ttl': 2000 });
      await a.declare('q', { 'x-max-length': '5', 'x-message-ttl': 1000 });
    },
  },
  {
    name: 'redeclare-exchange',
    about: 'An exchange is declared again with other properties.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'direct');
      await a.exchange('e', 'direct');
      await a.exchange('e', 'fanout');
      await a.exchange('e', 'direct', {}, { durable: true });
      await a.exchange('e', 'direct', {}, { autoDelete: true });
      await a.exchange('e', 'direct', {}, { internal: true });
      await a.exchange('e', 'direct', { 'alternate-exchange': 'amq.fanout' });
      await a.exchange('e', 'direct', { 'x-made-up': 1 });
      await a.exchange('with', 'direct', { 'alternate-exchange': 'amq.fanout' });
      await a.exchange('with', 'direct', { 'alternate-exchange': 'amq.direct' });
      await a.exchange('with', 'direct');
      await a.exchange('missing', 'direct', {}, { passive: true });
      await a.exchange('amq.mine', 'direct');
      await a.exchange('', 'direct');
      await a.exchange('bad', 'direct', { 'alternate-exchange': 5 });
    },
  },
  {
    name: 'quorum-declare',
    about: 'What a quorum queue can and cannot be told.',
    async play(conversation) {
      const a = await conversation.client();
      const quorum = { 'x-queue-type': 'quorum' };
      const durable = { durable: true };
      await a.declare('transient', quorum);
      await a.declare('exclusive', quorum, { ...durable, exclusive: true });
      await a.declare('vanishing', quorum, { ...durable, autoDelete: true });
      await a.declare('prioritised', { ...quorum, 'x-max-priority': 5 }, durable);
      await a.declare('wrong-limit', { ...quorum, 'x-delivery-limit': 'text' }, durable);
      await a.declare('wrong-strategy', { ...quorum, 'x-dead-letter-strategy': 'made-up' }, durable);
      await a.declare('q', { ...quorum, 'x-delivery-limit': 3 }, durable);
      await a.declare('q', { ...quorum, 'x-delivery-limit': 3 }, durable);
      await a.declare('q', { ...quorum, 'x-delivery-limit': 4 }, durable);
      await a.declare('q', quorum, durable);
      await a.declare('q', {}, durable);
      await a.declare('classic', {}, durable);
      await a.declare('classic', { 'x-queue-type': 'classic' }, durable);
      await a.declare('classic', quorum, durable);
      await a.declare('limited', { 'x-delivery-limit': 3 }, { durable: true });
    },
  },
  {
    name: 'delete-if',
    about: 'if-unused and if-empty, and what is counted.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q');
      await a.send('q', 'one');
      await a.publish('q', 'two');
      await b.say({ name: 'queue.delete', queue: 'q', ifEmpty: true });
      await a.consume('q', 'c');
      await b.say({ name: 'queue.delete', queue: 'q', ifUnused: true });
      await b.say({ name: 'queue.delete', queue: 'q', ifEmpty: true });
      await b.say({ name: 'queue.delete', queue: 'q', ifUnused: true, ifEmpty: true });
      await a.say({ name: 'basic.cancel', consumerTag: 'c' });
      await b.say({ name: 'queue.delete', queue: 'q', ifUnused: true });
      await b.say({ name: 'queue.delete', queue: 'q' });
      await b.say({ name: 'queue.delete', queue: 'never was' });
      await a.exchange('e', 'fanout');
      await a.declare('bound');
      await a.bind('bound', 'e');
      await b.say({ name: 'exchange.delete', exchange: 'e', ifUnused: true });
      await a.say({ name: 'queue.unbind', queue: 'bound', exchange: 'e', arguments: fieldTable() });
      await b.say({ name: 'exchange.delete', exchange: 'e', ifUnused: true });
      await b.say({ name: 'exchange.delete', exchange: 'never was' });
      await b.say({ name: 'exchange.delete', exchange: 'amq.fanout' });
    },
  },
  {
    name: 'purge',
    about: 'A purge takes what is ready and leaves what is held.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q');
      for (const body of ['one', 'two', 'three']) a.send('q', body);
      await a.listen();
      await a.get('q', false);
      await a.say({ name: 'queue.purge', queue: 'q' });
      await a.get('q');
      await a.say({ name: 'basic.nack', deliveryTag: 1, requeue: true });
      await a.get('q');
      await a.say({ name: 'queue.purge', queue: 'q' });
      await a.say({ name: 'queue.purge', queue: 'never was' });
    },
  },
  {
    name: 'consumer-cancelled',
    about: 'Whoever consumes from a queue is told when it is deleted.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('q');
      await a.consume('q', 'one');
      await a.consume('q', 'two', { noAck: true });
      await a.consume('q', 'one');
      await b.say({ name: 'queue.delete', queue: 'q' });
      await a.declare('vanishing', {}, { autoDelete: true });
      await a.consume('vanishing', 'c');
      await a.say({ name: 'basic.cancel', consumerTag: 'c' });
      await b.declare('vanishing', {}, { passive: true });
    },
  },
];
