import { expect, it } from 'vitest';
import { getNow, messageOf, queueAddress, TopologyKit } from '../../../../test/support/core-kit.js';
import { declareQueue } from '../topology/declare.js';
import type { QueueDelivery } from './delivery.js';
import type { Queue } from './queue.js';

const wish = (name: string, args = {}) => ({
  name,
  durable: true,
  exclusive: false,
  autoDelete: false,
  arguments: args,
  owner: null,
  serverNamed: false,
});

it('a dead letter whose target has not committed is published again after a crash', async () => {
  const kit = await TopologyKit.open();
  const declare = async (name: string, args = {}) =>
    (await declareQueue(kit.topology, kit.vhost, wish(name, args))) as Queue;
  const work = await declare('work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
  await declare('dead');
  const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
  const holder = work.holder(spec, { deliver: () => true, detached: () => undefined });
  work.enqueue(messageOf(queueAddress('work'), 'x', { persistent: true }), null);
  const log = kit.logs.logs.get(work.incarnation)!;
  log.commit();
  const { delivery } = getNow(work, holder)!;
  holder.settle(delivery as QueueDelivery, 'reject');
  kit.platform.clock.scheduler.runUntilIdleSync();
  expect([log.pending.size, work.outbox!.count, kit.vhost.localQueue('dead')!.readyCount]).toEqual([1, 1, 1]);
  // The target's log had not synced.
  const next = await kit.restart(kit.logs.afterCrash());
  await next.platform.clock.runUntilIdle();
  const [again, dead] = ['work', 'dead'].map((name) => next.vhost.localQueue(name)!);
  expect([again!.readyCount, again!.outbox!.count, dead!.readyCount]).toEqual([0, 1, 1]);
  next.logs.logs.get(dead!.incarnation)!.commit();
  expect([again!.outbox!.count, next.logs.logs.get(again!.incarnation)!.live.size]).toEqual([0, 0]);
});
