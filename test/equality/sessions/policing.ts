import type { Session } from '../conversation.js';

const operators = { kind: 'operator-policies' } as const;

export const policing: readonly Session[] = [
  {
    name: 'policy-dead-letter-exchange',
    about: 'A queue that is there follows a policy that comes, changes and goes.',
    async play(conversation) {
      const a = await conversation.client();
      for (const queue of ['q', 'dead', 'buried']) await a.declare(queue);
      const refuse = async (body: string) => {
        await a.publish('q', body);
        await a.get('q', false);
        await a.say({ name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: false });
        for (const queue of ['dead', 'buried']) await a.get(queue);
      };
      await refuse('one');
      await conversation.policy('p', '^q$', { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' });
      await refuse('two');
      await conversation.policy('p', '^q$', { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'buried' });
      await refuse('three');
      await conversation.policy('p', '^q$', null);
      await refuse('four');
    },
  },
  {
    name: 'policy-dead-letter-against-arguments',
    about: 'The arguments of a queue beat the policy, key by key.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('dead');
      await a.exchange('e', 'fanout');
      await a.exchange('f', 'fanout');
      await a.declare('from-e');
      await a.declare('from-f');
      await a.bind('from-e', 'e');
      await a.bind('from-f', 'f');
      await a.declare('q', { 'x-dead-letter-exchange': 'e' });
      await conversation.policy('p', '^q$', { 'dead-letter-exchange': 'f', 'dead-letter-routing-key': 'dead' });
      await a.publish('q', 'one');
      await a.get('q', false);
      await a.say({ name: 'basic.reject', deliveryTag: 1, requeue: false });
      for (const queue of ['from-e', 'from-f', 'dead']) await a.get(queue);
    },
  },
  {
    name: 'policy-which-one',
    about: 'One policy applies: the one with the highest priority of those that match.',
    async play(conversation) {
      const a = await conversation.client();
      for (const queue of ['q', 'low', 'high']) await a.declare(queue);
      const refuse = async (body: string) => {
        await a.publish('q', body);
        await a.get('q', false);
        await a.say({ name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: false });
        for (const queue of ['low', 'high']) await a.get(queue);
      };
      const to = (queue: string) => ({ 'dead-letter-exchange': '', 'dead-letter-routing-key': queue });
      await conversation.policy('low', '.*', to('low'));
      await refuse('one');
      await conversation.policy('high', '.*', { 'queue-mode': 'lazy' }, { priority: 1 });
      await refuse('two');
      await conversation.policy('high', '^q', to('high'), { priority: 1 });
      await refuse('three');
      await conversation.policy('high', '^q', to('high'), { priority: 1, applyTo: 'exchanges' });
      await refuse('four');
    },
  },
  {
    name: 'policy-ttl',
    about: 'Of two times to live the lower one holds, whoever says it.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('short', { 'x-message-ttl': 100 });
      await a.declare('long', { 'x-message-ttl': 60000 });
      await conversation.policy('p', '.*', { 'message-ttl': 5000 });
      for (const queue of ['short', 'long']) await a.publish(queue, 'one');
      await conversation.wait(500);
      for (const queue of ['short', 'long']) await a.get(queue);
      await conversation.policy('o', '^long', { 'message-ttl': 100 }, operators);
      await a.publish('long', 'two');
      await conversation.wait(500);
      await a.declare('long', {}, { passive: true });
      await conversation.policy('o', '^long', null, operators);
      await a.publish('long', 'three');
      await conversation.wait(500);
      await a.declare('long', {}, { passive: true });
    },
  },
  {
    name: 'policy-max-length',
    about: 'A limit that comes shortens what is there; of policy, operator policy and argument the lowest holds.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('q', { 'x-max-length': 6 });
      const fill = async () => {
        for (let i = 0; i < 8; i++) a.send('q', `${i}`);
        await a.listen();
        await a.declare('q', {}, { passive: true });
      };
      await fill();
      await conversation.policy('p', '.*', { 'max-length': 4 });
      await a.declare('q', {}, { passive: true });
      await conversation.policy('o', '.*', { 'max-length': 5 }, operators);
      await fill();
      await conversation.policy('o', '.*', { 'max-length': 2 }, operators);
      await a.declare('q', {}, { passive: true });
      await conversation.policy('p', '.*', null);
      await fill();
      await conversation.policy('o', '.*', null, operators);
      await fill();
      await a.get('q');
    },
  },
  {
    name: 'policy-overflow',
    about: 'The argument beats the policy; without one the policy holds.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('plain', { 'x-max-length': 1 });
      await a.declare('told', { 'x-max-length': 1, 'x-overflow': 'drop-head' });
      await conversation.policy('p', '.*', { overflow: 'reject-publish' });
      await a.say({ name: 'confirm.select' });
      for (const queue of ['plain', 'told']) for (const body of ['one', 'two']) await a.publish(queue, body);
      for (const queue of ['plain', 'told']) await a.get(queue);
    },
  },
  {
    name: 'policy-alternate-exchange',
    about: 'Exchanges follow policies, too; the argument beats the policy, and the default exchange follows none.',
    async play(conversation) {
      const a = await conversation.client();
      await a.exchange('e', 'direct');
      await a.exchange('own', 'direct', { 'alternate-exchange': 'nowhere' });
      await a.exchange('spare', 'fanout');
      await a.declare('rest');
      await a.bind('rest', 'spare');
      const publish = async () => {
        for (const exchange of ['e', 'own', '']) await a.publish('nobody', exchange, { exchange, mandatory: true });
        for (let turn = 0; turn < 2; turn++) await a.get('rest');
      };
      await publish();
      await conversation.policy('p', '.*', { 'alternate-exchange': 'spare' }, { applyTo: 'exchanges' });
      await publish();
      await conversation.policy('p', '.*', { 'alternate-exchange': 'spare' }, { applyTo: 'queues' });
      await publish();
    },
  },
  {
    name: 'policy-redeclare',
    about: 'What a policy sets is no argument: a declaration is compared with arguments alone.',
    async play(conversation) {
      const a = await conversation.client();
      await conversation.policy('p', '.*', { 'max-length': 4, 'message-ttl': 60000 });
      await a.declare('q');
      await a.declare('q');
      await a.declare('q', { 'x-max-length': 4 });
    },
  },
  {
    name: 'policy-expires',
    about: 'A queue that is there expires by a policy, unused; of two the lower one holds.',
    async play(conversation) {
      const a = await conversation.client();
      await a.declare('used');
      await a.consume('used', 'c');
      await a.declare('unused', { 'x-expires': 60000 });
      await conversation.policy('p', '.*', { expires: 300 });
      await conversation.wait(1000);
      await a.declare('used', {}, { passive: true });
      await a.declare('unused', {}, { passive: true });
    },
  },
];
