import { type FieldTable, Timestamp } from '../../../packages/amqp091/src/codec/index.js';
import type { Session } from '../conversation.js';
import type { Speaker } from '../speaker.js';

const stamp = new Timestamp(1_000_000_000);
const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };

/** Rejects the only message of a queue. */
async function reject(a: Speaker, queue: string, deliveryTag: number): Promise<void> {
  await a.get(queue, false);
  await a.say({ name: 'basic.reject', deliveryTag, requeue: false });
}

export const deadLettering: readonly Session[] = [
  {
    name: 'dead-letter-rejected',
    about: 'basic.reject and basic.nack without requeue, with all properties and headers of the message.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', toDead);
      const properties = {
        contentType: 'text/plain',
        contentEncoding: 'utf-8',
        deliveryMode: 2,
        priority: 3,
        correlationId: 'c',
        replyTo: 'r',
        messageId: 'm',
        timestamp: 1_000_000_000,
        type: 't',
        userId: 'guest',
        appId: 'a',
      };
      await a.publish('q', 'rejected', { properties, headers: { mine: 'stays', number: 7 } });
      await reject(a, 'q', 1);
      await a.get('dead');
      for (const body of ['one', 'two', 'three']) a.send('q', body);
      await a.listen();
      for (let turn = 0; turn < 3; turn++) await a.get('q', false);
      await a.say({ name: 'basic.nack', deliveryTag: 5, multiple: true, requeue: false });
      for (let turn = 0; turn < 4; turn++) await a.get('dead');
    },
  },
  {
    name: 'dead-letter-expired',
    about: 'The expiration of a message, and the TTL of a queue, with the original expiration kept in x-death.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('plain', toDead);
      await a.declare('short', { ...toDead, 'x-message-ttl': 100 });
      await a.publish('plain', 'by its expiration', { properties: { expiration: '100' } });
      await a.publish('short', 'by the queue');
      await a.publish('short', 'by both', { properties: { expiration: '100000' } });
      await conversation.wait(600);
      for (let turn = 0; turn < 4; turn++) await a.get('dead');
      await a.declare('plain', {}, { passive: true });
      await a.declare('short', {}, { passive: true });
    },
  },
  {
    name: 'dead-letter-maxlen',
    about: 'What a full queue drops from its head.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', { ...toDead, 'x-max-length': 2 });
      for (const body of ['one', 'two', 'three', 'four']) await a.publish('q', body);
      for (let turn = 0; turn < 3; turn++) await a.get('dead');
      await a.get('q');
      await a.get('q');
      await a.declare('nothing', { ...toDead, 'x-max-length': 0 });
      await a.publish('nothing', 'never in');
      await a.get('dead');
    },
  },
  {
    name: 'dead-letter-routing',
    about: 'The routing keys of a dead letter: its own with CC, or the one that the queue was told.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('dlx', 'topic');
      await a.declare('all');
      await a.bind('all', 'dlx', '#');
      await a.declare('only-cc');
      await a.bind('only-cc', 'dlx', 'cc.key');
      await a.declare('keeps', { 'x-dead-letter-exchange': 'dlx' });
      await a.declare('renames', { 'x-dead-letter-exchange': 'dlx', 'x-dead-letter-routing-key': 'new.key' });
      const headers = { CC: ['cc.key', 'other'], BCC: ['secret'] };
      await a.publish('keeps', 'keeps its keys', { headers });
      await reject(a, 'keeps', 1);
      await a.get('all');
      await a.get('only-cc');
      await a.publish('renames', 'gets a new key', { headers });
      await reject(a, 'renames', 4);
      await a.get('all');
      await a.get('only-cc');
      await a.exchange('source', 'fanout');
      await a.bind('keeps', 'source');
      await a.publish('from.elsewhere', 'through an exchange', { exchange: 'source' });
      await reject(a, 'keeps', 6);
      await a.get('all');
    },
  },
  {
    name: 'dead-letter-chain',
    about: 'Through three queues: the entries of x-death are the newest first, the first death is remembered.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('third');
      await a.declare('second', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'third',
        'x-message-ttl': 100,
      });
      await a.declare('first', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'second' });
      await a.publish('first', 'goes far', { properties: { expiration: '100000' } });
      await reject(a, 'first', 1);
      await conversation.wait(600);
      await a.get('third');
    },
  },
  {
    name: 'dead-letter-merged',
    about: 'Dying again of the same cause in the same queue raises the count and moves the entry to the front.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('retry', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'work',
        'x-message-ttl': 100,
      });
      await a.declare('work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'retry' });
      await a.publish('work', 'again and again');
      for (let turn = 1; turn <= 3; turn++) {
        await reject(a, 'work', turn);
        await conversation.wait(600);
      }
      await a.get('work');
    },
  },
  {
    name: 'dead-letter-republished',
    about: 'x-death comes back from a client that publishes what it got, or makes one up.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', toDead);
      const death = {
        queue: 'q',
        reason: 'rejected',
        count: 5,
        exchange: '',
        'routing-keys': ['q'],
      };
      await a.publish('q', 'with a death of its own', { headers: { 'x-death': [death] } });
      await reject(a, 'q', 1);
      await a.get('dead');
      await a.publish('q', 'with nonsense', { headers: { 'x-death': 'no array', 'x-first-death-queue': 'elsewhere' } });
      await reject(a, 'q', 3);
      await a.get('dead');
      await a.publish('q', 'with a death elsewhere', {
        headers: { 'x-death': [{ ...death, queue: 'elsewhere', reason: 'expired' }] },
      });
      await reject(a, 'q', 5);
      await a.get('dead');
    },
  },
  {
    name: 'dead-letter-copied',
    about: 'A client publishes what it got from the dead letters, with the headers it had, to try again.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('other', toDead);
      await a.declare('q', toDead);
      await a.publish('other', 'again and again', { headers: { mine: 1 } });
      await reject(a, 'other', 1);
      let [letter] = await a.got(() => a.get('dead'));
      for (let turn = 0; turn < 2; turn++) {
        // With a stamp that is the same each time.
        const deaths = (letter!.headers!['x-death'] as FieldTable[]).map((death) => ({ ...death, time: stamp }));
        await a.publish('q', 'again and again', { headers: { ...letter!.headers, 'x-death': deaths } });
        await a.get('q', false);
        await a.say({ name: 'basic.reject', deliveryTag: 3 + 2 * turn, requeue: false });
        [letter] = await a.got(() => a.get('dead'));
      }
    },
  },
  {
    name: 'dead-letter-cycle',
    about: 'An automatic cycle ends, one with a rejection in it goes on.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('self', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'self',
        'x-message-ttl': 100,
      });
      await a.publish('self', 'expires into itself');
      await conversation.wait(800);
      await a.declare('self', {}, { passive: true });
      await a.declare('one', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'two',
        'x-message-ttl': 100,
      });
      await a.declare('two', {
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'one',
        'x-message-ttl': 100,
      });
      await a.publish('one', 'expires to and fro');
      await conversation.wait(1200);
      await a.declare('one', {}, { passive: true });
      await a.declare('two', {}, { passive: true });
      await a.declare('rejects', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'rejects' });
      await a.publish('rejects', 'rejected into itself');
      await reject(a, 'rejects', 1);
      await reject(a, 'rejects', 2);
      await a.get('rejects');
    },
  },
  {
    name: 'dead-letter-nowhere',
    about: 'The exchange does not exist (yet), or routes nowhere.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-dead-letter-exchange': 'later' });
      await a.publish('q', 'too early');
      await reject(a, 'q', 1);
      await a.exchange('later', 'fanout');
      await a.publish('q', 'nobody is bound');
      await reject(a, 'q', 2);
      await a.declare('dead');
      await a.bind('dead', 'later');
      await a.publish('q', 'arrives');
      await reject(a, 'q', 3);
      await a.get('dead');
      await a.get('dead');
      await a.declare('q', {}, { passive: true });
    },
  },
  {
    name: 'dead-letter-twice-bound',
    about: 'One dead letter for several queues, each gets it; also through an alternate exchange.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('rest', 'fanout');
      await a.exchange('dlx', 'direct', { 'alternate-exchange': 'rest' });
      await a.declare('left');
      await a.declare('right');
      await a.bind('left', 'dlx', 'q');
      await a.bind('right', 'dlx', 'q');
      await a.declare('unrouted');
      await a.bind('unrouted', 'rest');
      await a.declare('q', { 'x-dead-letter-exchange': 'dlx' });
      await a.declare('other', { 'x-dead-letter-exchange': 'dlx' });
      await a.publish('q', 'for both');
      await reject(a, 'q', 1);
      await a.get('left');
      await a.get('right');
      await a.publish('other', 'for the rest');
      await reject(a, 'other', 4);
      await a.get('unrouted');
    },
  },
  {
    name: 'dead-letter-tx',
    about: 'In a transaction a rejection counts at its commit.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('dead');
      await a.declare('q', toDead);
      await a.publish('q', 'one');
      await a.say({ name: 'tx.select' });
      await reject(a, 'q', 1);
      await b.get('dead');
      await a.say({ name: 'tx.rollback' });
      await b.get('dead');
      await a.say({ name: 'basic.reject', deliveryTag: 1, requeue: false });
      await a.say({ name: 'tx.commit' });
      await b.get('dead');
    },
  },
  {
    name: 'dead-letter-requeued',
    about: 'Only what is not given back dies: requeued, cancelled and lost messages return.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('dead');
      await a.declare('q', toDead);
      await a.publish('q', 'one');
      await b.get('q', false);
      await b.say({ name: 'basic.reject', deliveryTag: 1, requeue: true });
      await b.get('q', false);
      await b.say({ name: 'basic.recover', requeue: true });
      await b.get('q', false);
      await b.hangUp();
      await a.get('q', false);
      await a.get('dead');
      await a.say({ name: 'queue.purge', queue: 'q' });
      await a.say({ name: 'queue.delete', queue: 'q' });
      await a.get('dead');
    },
  },
  {
    name: 'delivery-limit',
    about: 'A quorum queue counts deliveries that failed, and gives up at its limit.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.declare('q', { ...toDead, 'x-queue-type': 'quorum', 'x-delivery-limit': 2 }, { durable: true });
      await a.publish('q', 'poison', { headers: { mine: 1 } });
      await a.consume('q', 'c');
      for (let tag = 1; tag <= 3; tag++) await a.say({ name: 'basic.nack', deliveryTag: tag, requeue: true });
      await conversation.wait(200);
      await a.get('dead');
      await a.declare('q', {}, { passive: true });
    },
  },
  {
    name: 'delivery-limit-connection-lost',
    about: 'A connection that is lost counts as well.',
    async play(conversation) {
      const a = await conversation.client();
      const b = await conversation.client();
      await a.declare('dead');
      await a.declare('q', { ...toDead, 'x-queue-type': 'quorum', 'x-delivery-limit': 1 }, { durable: true });
      await a.publish('q', 'poison');
      await b.consume('q', 'c');
      await b.hangUp();
      await conversation.wait(200);
      await a.get('q', false);
      await a.say({ name: 'basic.reject', deliveryTag: 1, requeue: true });
      await conversation.wait(200);
      await a.get('dead');
    },
  },
];
