import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;

/** One message, on disk alone since the node started again. */
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
  await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
  peer.publish(1, 'q', 'kept', { properties: { deliveryMode: 2 } });
  await peer.expect('basic.ack');
  await node.stop();
  node = await SimNode.start({ platform: node.platform });
  peer = await node.channel();
});
afterEach(() => node.stop());

describe('basic.get of somebody who goes while the message is read from disk', () => {
  test.each([
    ['without acknowledgement', true],
    ['with acknowledgement', false],
  ])('%s takes nothing', async (_, noAck) => {
    const queue = node.broker.topology.vhosts.get('/')!.localQueue('q')!;
    const [connection] = node.broker.connections;
    const get = queue.get.bind(queue);
    let waited = 0;
    queue.get = (...wish) => {
      const got = get(...wish);
      if (got instanceof Promise && waited++ === 0) connection!.close('while it waits');
      return got;
    };
    peer.send(1, { name: 'basic.get', queue: 'q', noAck });
    const { method } = await peer.expect('connection.close');
    expect(method.replyText).toContain('while it waits');
    peer.send(0, { name: 'connection.close-ok' });
    await node.platform.clock.runUntilIdle();
    expect([waited, queue.readyCount, queue.unsettledCount]).toEqual([1, 1, 0]);
    const next = await node.channel();
    next.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    const { method: ok, body } = await next.expect('basic.get-ok');
    expect([body!.toString(), ok.messageCount]).toEqual(['kept', 0]);
  });
});
