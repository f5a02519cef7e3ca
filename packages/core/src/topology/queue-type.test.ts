import { beforeEach, describe, expect, it } from 'vitest';
import { TopologyKit } from '../../../../test/support/core-kit.js';
import { declareQueue, type QueueDeclaration, serverName } from './declare.js';

describe('the default queue type of a virtual host', () => {
  let kit: TopologyKit;

  const setDefault = (defaultQueueType: string) =>
    kit.metadata.change([], [{ key: 'vhosts/%2F', value: { description: '', tags: [], defaultQueueType } }]);
  const declare = async (name: string, more: Partial<QueueDeclaration> = {}) => {
    const plain = { serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {} };
    return (await declareQueue(kit.topology, kit.vhost, { ...plain, name, ...more })).properties.arguments;
  };

  beforeEach(async () => {
    kit = await TopologyKit.open();
    await setDefault('quorum');
  });

  it('is recorded in the arguments of queues that name none', async () => {
    expect(await declare('q', { arguments: { 'x-max-length': 1 } })).toEqual({
      'x-max-length': 1,
      'x-queue-type': 'quorum',
    });
    expect(await declare('c', { arguments: { 'x-queue-type': 'classic' } })).toEqual({ 'x-queue-type': 'classic' });
  });

  it('leaves a second declaration of the same equivalent, with the type named or not', async () => {
    await declare('q');
    await expect(declare('q')).resolves.toEqual({ 'x-queue-type': 'quorum' });
    await expect(declare('q', { arguments: { 'x-queue-type': 'quorum' } })).resolves.toBeDefined();
    await expect(declare('q', { arguments: { 'x-queue-type': 'classic' } })).rejects.toThrow(
      "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'",
    );
  });

  it('lets those be declared again that were there before it', async () => {
    await setDefault('classic');
    expect(await declare('old')).toEqual({});
    await setDefault('quorum');
    expect(await declare('old')).toEqual({});
  });

  it('does not reach queues that cannot be of it, or that the broker names', async () => {
    expect(await declare('transient', { durable: false })).toEqual({});
    expect(await declare('exclusive', { owner: {} })).toEqual({});
    expect(await declare('auto', { autoDelete: true })).toEqual({});
    expect(await declare(serverName(kit.topology), { serverNamed: true })).toEqual({});
  });

  it('of classic is no argument, and a quorum queue is none then', async () => {
    await declare('q');
    await setDefault('classic');
    expect(await declare('c')).toEqual({});
    await expect(declare('q')).rejects.toThrow("received 'classic' but current is 'quorum'");
  });
});
