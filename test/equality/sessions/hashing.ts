import { fieldTable } from '../../../packages/amqp091/src/codec/index.js';
import type { Session } from '../conversation.js';

export const hashing: readonly Session[] = [
  {
    name: 'consistent-hash-arguments',
    about: 'What an x-consistent-hash exchange and its bindings can be told.',
    async play(conversation) {
      const a = await conversation.client();
      const type = 'x-consistent-hash';
      await a.declare('q');
      await a.exchange('e', type);
      await a.bind('q', 'e', '10');
      await a.bind('q', 'e', 'text');
      await a.bind('q', 'e', '0');
      await a.bind('q', 'e', '-1');
      await a.bind('q', 'e', '1.5');
      await a.bind('q', 'e', '');
      await a.exchange('by-header', type, { 'hash-header': 'h' });
      await a.exchange('by-property', type, { 'hash-property': 'message_id' });
      await a.exchange('both', type, { 'hash-header': 'h', 'hash-property': 'message_id' });
      await a.exchange('odd', type, { 'hash-property': 'made_up' });
      await a.exchange('odd', type, { 'hash-header': 5 });
      await a.exchange('e', type, { 'hash-header': 'h' });
    },
  },
  {
    name: 'consistent-hash-one-queue',
    about: 'With one queue it has everything, whatever is hashed; with none it is returned.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'x-consistent-hash', { 'hash-header': 'h' });
      await a.publish('key', 'none', { exchange: 'e', mandatory: true });
      await a.declare('q');
      await a.bind('q', 'e', '1');
      await a.publish('key', 'with', { exchange: 'e', mandatory: true, headers: { h: 'x' } });
      await a.publish('key', 'without', { exchange: 'e', mandatory: true });
      await a.publish('key', 'a number', { exchange: 'e', mandatory: true, headers: { h: 5 } });
      for (let turn = 0; turn < 4; turn++) await a.get('q');
      await a.say({
        name: 'queue.unbind',
        queue: 'q',
        exchange: 'e',
        routingKey: '1',
        arguments: fieldTable(),
      });
      await a.publish('key', 'none', { exchange: 'e', mandatory: true });
    },
  },
  {
    name: 'random-exchange',
    about: 'An x-random exchange with one queue, and with none.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'x-random');
      await a.publish('key', 'none', { exchange: 'e', mandatory: true });
      await a.declare('q');
      await a.bind('q', 'e', 'whatever');
      await a.publish('other', 'one', { exchange: 'e', mandatory: true });
      await a.get('q');
      await a.exchange('e', 'x-random');
      await a.exchange('e', 'fanout');
    },
  },
  {
    name: 'unknown-exchange-type',
    about: 'A type that nobody has.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'x-made-up');
      await a.exchange('e', '');
    },
  },
];
