import { beforeEach, describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, TopologyKit } from '../../../../test/support/core-kit.js';
import type { JsonValue } from '../ports.js';
import type { Queue } from '../queue/queue.js';
import { noRules } from '../queue/rules.js';
import type { Exchange } from '../routing/exchange.js';
import { bind } from './bind.js';
import { declareExchange, declareQueue } from './declare.js';
import type { VirtualHost } from './virtual-host.js';

type Table = { readonly [key: string]: JsonValue };

describe('policies on what exists', () => {
  let kit: TopologyKit;
  let vhost: VirtualHost;

  const put = (name: string, pattern: string, definition: Table, more: Table = {}) =>
    kit.records.put('policies', ['/', name], { pattern, definition, priority: 0, 'apply-to': 'all', ...more });
  const limit = (name: string, pattern: string, definition: Table) =>
    kit.records.put('operator-policies', ['/', name], { pattern, definition, priority: 0, 'apply-to': 'all' });
  const queue = async (name: string, args: Table = {}, more: object = {}): Promise<Queue> =>
    (await declareQueue(kit.topology, vhost, {
      name,
      serverNamed: false,
      durable: true,
      autoDelete: false,
      owner: null,
      arguments: args,
      ...more,
    })) as Queue;
  const exchange = async (name: string, args: Table = {}): Promise<Exchange> => {
    const flags = { durable: true, autoDelete: false, internal: false };
    return declareExchange(kit.topology, vhost, { name, type: 'direct', ...flags, arguments: args });
  };

  beforeEach(async () => {
    kit = await TopologyKit.open();
    vhost = kit.vhost;
  });

  it('act on queues that are there, those that come, and no longer when they go', async () => {
    const before = await queue('q1');
    const other = await queue('other');
    await put('p', '^q', { 'max-length': 5 });
    const after = await queue('q2', { 'x-max-length': 3 });
    expect([before.rules.lengthMax, after.rules.lengthMax, other.rules]).toEqual([5, 3, noRules]);
    await put('p', '^q', { 'max-length': 2, 'message-ttl': 7 });
    expect([before.rules.lengthMax, after.rules.lengthMax, before.rules.ttlMs]).toEqual([2, 2, 7]);
    await kit.records.delete('policies', '/', 'p');
    expect([before.rules, after.rules.lengthMax, before.policy.policy]).toEqual([noRules, 3, null]);
  });

  it('act on exclusive, transient and server-named queues', async () => {
    await put('p', '.*', { expires: 9 });
    const exclusive = await queue('a', {}, { owner: {}, durable: false });
    const transient = await queue('amq.gen-x', {}, { serverNamed: true, durable: false });
    expect([exclusive.rules.expiresMs, transient.rules.expiresMs]).toEqual([9, 9]);
  });

  it('are limited by operator policies, also when those come later', async () => {
    const q = await queue('q', { 'x-max-length': 8 });
    await put('p', '.*', { 'max-length': 10, 'message-ttl': 100 });
    expect([q.rules.lengthMax, q.rules.ttlMs]).toEqual([8, 100]);
    await limit('o', 'q', { 'message-ttl': 50, 'max-length': 4 });
    expect([q.rules.lengthMax, q.rules.ttlMs]).toEqual([4, 50]);
    await kit.records.delete('policies', '/', 'p');
    expect([q.rules.lengthMax, q.policy.policy, q.policy.operatorPolicy?.name]).toEqual([4, null, 'o']);
  });

  it('tell queues by their type', async () => {
    const classic = await queue('c', { 'x-queue-type': 'classic' });
    const quorum = await queue('r', { 'x-queue-type': 'quorum' });
    await put('p', '.*', { 'delivery-limit': 3 }, { 'apply-to': 'quorum_queues' });
    expect([classic.rules, quorum.rules.deliveryLimit]).toEqual([noRules, 3]);
  });

  it('leave the rules of a queue alone that says the same itself', async () => {
    const q = await queue('q', { 'x-max-length': 3 });
    const { rules } = q;
    await put('p', '.*', { 'max-length': 5 });
    expect(q.policy.policy?.name).toBe('p');
    expect(q.rules).toBe(rules);
  });

  it('give exchanges their alternate, at once and for remembered routes, unless they name one', async () => {
    const x = await exchange('x');
    const own = await exchange('own', { 'alternate-exchange': 'amq.topic' });
    const spare = await queue('spare');
    await bind(kit.topology, vhost, {
      source: 'amq.fanout',
      kind: 'queue',
      destination: 'spare',
      routingKey: '',
      arguments: {},
    });
    const address = vhost.address('x', 'nowhere');
    const queues = () => vhost.route(address, messageOf(address)).queues;
    expect(queues()).toEqual([]);
    await put('p', '.*', { 'alternate-exchange': 'amq.fanout' });
    expect(queues()).toEqual([spare]);
    expect([x.alternate, own.alternate]).toEqual(['amq.fanout', 'amq.topic']);
    await put('p', '.*', { 'alternate-exchange': 'amq.fanout' }, { 'apply-to': 'queues' });
    expect(queues()).toEqual([]);
  });

  it('keep remembered routes when they change none', async () => {
    const { version } = vhost;
    await put('p', '.*', { 'max-length': 5 });
    expect(vhost.version).toBe(version);
  });

  it('are there after a restart, before a queue takes its messages back', async () => {
    await queue('q');
    await put('p', '.*', { 'max-length': 5 });
    const next = await kit.restart(new ControlledLogs());
    expect(next.vhost.localQueue('q')!.rules.lengthMax).toBe(5);
  });
});
