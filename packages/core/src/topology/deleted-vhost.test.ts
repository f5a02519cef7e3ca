import { describe, expect, it } from 'vitest';
import { TopologyKit } from '../../../../test/support/core-kit.js';
import { bind } from './bind.js';
import { declareExchange, declareQueue } from './declare.js';
import { vhostKey } from './records.js';

const queue = (name: string, durable = true) => ({
  name,
  serverNamed: false,
  durable,
  autoDelete: false,
  owner: null,
  arguments: {},
});
const exchange = (name: string, durable = true) => ({
  name,
  type: 'direct',
  durable,
  autoDelete: false,
  internal: false,
  arguments: {},
});

const gone = { key: 'vhostDeleted' };

describe('a virtual host that is deleted while somebody works in it', () => {
  for (const [what, declare] of [
    ['queue', (kit: TopologyKit) => declareQueue(kit.topology, kit.vhost, queue('q'))],
    ['exchange', (kit: TopologyKit) => declareExchange(kit.topology, kit.vhost, exchange('x'))],
  ] as const) {
    it(`ends a declaration of a ${what} that was accepted before`, async () => {
      const kit = await TopologyKit.open();
      kit.metadata.held = true;
      const declared = Promise.resolve(declare(kit));
      const deleted = kit.metadata.change([], [{ key: vhostKey('/'), value: undefined }]);
      // Both in one group of the disk: the declaration's caller goes on when the virtual host is gone already.
      kit.metadata.show();
      await deleted;
      await expect(declared).rejects.toMatchObject(gone);
    });

    it(`refuses a declaration of a ${what} that comes after, and stores nothing of it`, async () => {
      const kit = await TopologyKit.open();
      kit.metadata.held = true;
      const deleted = kit.metadata.change([], [{ key: vhostKey('/'), value: undefined }]);
      const declared = Promise.resolve(declare(kit));
      kit.metadata.show();
      await deleted;
      await expect(declared).rejects.toMatchObject(gone);
      expect(kit.metadata.keys()).toEqual([]);
    });
  }

  it('refuses what needs no store, too', async () => {
    const kit = await TopologyKit.open();
    const { vhost } = kit;
    await declareQueue(kit.topology, vhost, queue('q'));
    await kit.metadata.change([], [{ key: vhostKey('/'), value: undefined }]);
    expect(() => declareQueue(kit.topology, vhost, queue('t', false))).toThrow(expect.objectContaining(gone));
    expect(() => declareExchange(kit.topology, vhost, exchange('t', false))).toThrow(expect.objectContaining(gone));
    expect(vhost.queues.size + vhost.exchanges.size).toBe(0);
  });

  it('refuses a binding and stores nothing of it', async () => {
    const kit = await TopologyKit.open();
    const { vhost } = kit;
    await declareQueue(kit.topology, vhost, queue('q'));
    kit.metadata.held = true;
    const deleted = kit.metadata.change([], [{ key: vhostKey('/'), value: undefined }]);
    const request = { source: 'amq.direct', kind: 'queue', destination: 'q', routingKey: 'k', arguments: {} } as const;
    const bound = Promise.resolve(bind(kit.topology, vhost, request));
    kit.metadata.show();
    await deleted;
    await expect(bound).rejects.toMatchObject(gone);
    expect(kit.metadata.keys().filter((key) => key.startsWith('bindings/'))).toEqual([]);
  });
});

describe('a record that this version cannot show', () => {
  it('ends a declaration of its name instead of trying for ever', async () => {
    const kit = await TopologyKit.open();
    const record = { incarnation: 'i', type: 'x-newer', autoDelete: false, internal: false, arguments: {} };
    await kit.metadata.change([], [{ key: 'exchanges/%2F/x', value: record }]);
    const declared = Promise.resolve(declareExchange(kit.topology, kit.vhost, exchange('x')));
    await expect(declared).rejects.toMatchObject({ key: 'metadataUnavailable' });
    expect(kit.metadata.changes).toBeLessThan(10);
  });
});
