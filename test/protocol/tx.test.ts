import { beforeEach, describe, expect, test } from 'vitest';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

describe('tx', () => {
  let node: SimNode;
  let peer: SimPeer;

  beforeEach(async () => {
    node = await SimNode.start();
    peer = await node.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
    await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
    return () => node.stop();
  });

  const depth = async () => {
    const looker = await node.channel();
    const ok = await looker.call(1, { name: 'queue.declare', queue: 'q', passive: true }, 'queue.declare-ok');
    await looker.goodbye();
    return ok.messageCount;
  };

  async function holding(count: number): Promise<void> {
    for (let i = 1; i <= count; i++) peer.publish(1, 'q', `m${i}`);
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' }, 'basic.consume-ok');
    expect((await peer.bodies()).length).toBe(count);
  }

  test('publishes take effect with the commit, which is answered when they are on disk', async () => {
    peer.publish(1, 'q', 'one', { properties: { deliveryMode: 2 } });
    peer.publish(1, 'q', 'two', { properties: { deliveryMode: 2 } });
    await peer.silence();
    expect(await depth()).toBe(0);
    const { syncs } = node.platform.disk.counts;
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect(node.platform.disk.counts.syncs).toBe(syncs + 1);
    expect(await depth()).toBe(2);
  });

  test('a rollback forgets publishes and verdicts, and both can be given again', async () => {
    await holding(2);
    peer.publish(1, 'q', 'never');
    peer.send(1, { name: 'basic.ack', deliveryTag: 2, multiple: true });
    await peer.call(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.unsettledCount).toBe(2);
    peer.send(1, { name: 'basic.ack', deliveryTag: 2, multiple: true });
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.unsettledCount).toBe(0);
  });

  test('verdicts take effect with the commit', async () => {
    await holding(3);
    const queue = node.broker.topology.vhosts.get('/')!.localQueue('q')!;
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    peer.send(1, { name: 'basic.nack', deliveryTag: 2, requeue: true });
    peer.send(1, { name: 'basic.reject', deliveryTag: 3 });
    await peer.silence();
    expect(queue.unsettledCount).toBe(3);
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    const [again] = await peer.all();
    expect(again).toMatchObject({ method: { deliveryTag: 4, redelivered: true }, body: Buffer.from('m2') });
    expect([queue.unsettledCount, queue.readyCount]).toEqual([1, 0]);
  });

  test('a delivery judged within the transaction cannot be judged again', async () => {
    await holding(3);
    peer.send(1, { name: 'basic.ack', deliveryTag: 2 });
    peer.send(1, { name: 'basic.ack', deliveryTag: 2, multiple: true });
    const { method } = await peer.expect('channel.close');
    expect(method.replyText).toBe('PRECONDITION_FAILED - unknown delivery tag 2');
  });

  test('up to a tag means what has no verdict yet', async () => {
    await holding(3);
    peer.send(1, { name: 'basic.nack', deliveryTag: 1, requeue: true });
    peer.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect(await peer.bodies()).toEqual(['m1']);
  });

  test('recover gives back what the transaction has not judged', async () => {
    await holding(2);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await peer.call(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
    expect(await peer.bodies()).toEqual(['m2']);
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.unsettledCount).toBe(1);
  });

  test('what cannot be routed comes back with the commit, before its answer', async () => {
    peer.publish(1, 'nowhere', 'lost', { mandatory: true });
    await peer.silence();
    peer.send(1, { name: 'tx.commit' });
    expect(await peer.names()).toEqual(['basic.return', 'tx.commit-ok']);
  });

  test('a channel that ends within a transaction publishes nothing and keeps nothing', async () => {
    await holding(1);
    peer.publish(1, 'q', 'never');
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await peer.call(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await depth()).toBe(1);
  });

  test('selecting twice is one mode; contents of several frames and copies are gathered like others', async () => {
    await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
    peer.publish(1, 'q', Buffer.alloc(300_000, 7));
    peer.publish(1, 'nowhere', 'copy', { properties: { headers: fieldTable({ CC: ['q'] }) } });
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    const got = await peer.expect('basic.get-ok');
    expect(got.body!.equals(Buffer.alloc(300_000, 7))).toBe(true);
    peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    expect(await peer.bodies()).toEqual(['copy']);
  });
});
