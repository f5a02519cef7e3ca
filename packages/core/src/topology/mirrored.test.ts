import { beforeEach, describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, TopologyKit } from '../../../../test/support/core-kit.js';
import { LedLog } from '../../../../test/support/led-log.js';
import { FaceStub, MirroringResidence } from '../../../../test/support/mirroring-residence.js';
import { SteppedMetadata } from '../../../../test/support/stepped-metadata.js';
import type { Arguments } from '../arguments.js';
import type { Queue } from '../queue/queue.js';
import { bind } from './bind.js';
import { declareQueue, type QueueDeclaration } from './declare.js';
import { removeQueue } from './remove.js';

const always = { ifUnused: false, ifEmpty: false };
const sink = { deliver: () => true, detached: () => undefined };
const spec = { tag: 'c', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
const quorum = { 'x-queue-type': 'quorum' };

let residence: MirroringResidence;
let kit: TopologyKit;

const open = async (metadata = new SteppedMetadata(), logs = new ControlledLogs(), alone = false) => {
  residence = new MirroringResidence();
  metadata.disconnect();
  kit = await TopologyKit.open(metadata, logs, alone ? 2 : 1, 0, alone ? null : residence);
  residence.topology = kit.topology;
  // As the broker does it.
  kit.topology.onQueueUnused = (vhost, queue) => {
    queueMicrotask(() => void removeQueue(kit.topology, vhost, queue, always));
  };
};

const declare = (name: string, args: Arguments = quorum, more: Partial<QueueDeclaration> = {}) =>
  declareQueue(kit.topology, kit.vhost, {
    name,
    serverNamed: false,
    durable: true,
    autoDelete: false,
    owner: null,
    arguments: args,
    ...more,
  });

const setPolicy = (definition: Arguments, pattern = '^ha') => {
  const value = { pattern, definition, priority: 0, 'apply-to': 'queues' };
  return kit.metadata.change([], [{ key: 'policies/%2F/p', value }]);
};

const lead = (name: string): { led: Queue; log: LedLog } => {
  const log = new LedLog();
  return { led: kit.topology.lead(kit.vhost, kit.vhost.queues.get(name)!.properties, log, null), log };
};

const record = async (key: string) => (await kit.metadata.load(key)).entries[0]?.value;

beforeEach(() => open());

describe('a mirrored queue is declared', () => {
  it('with what says where its copies are, in one change', async () => {
    kit.metadata.held = true;
    const declared = declare('q', { ...quorum, 'x-quorum-initial-group-size': 5 });
    kit.metadata.show(1);
    const face = await declared;
    expect(face).toBeInstanceOf(FaceStub);
    expect(kit.vhost.queues.get('q')).toBe(face);
    expect(await record('queues/')).toEqual({
      incarnation: face.incarnation,
      autoDelete: false,
      arguments: { ...quorum, 'x-quorum-initial-group-size': 5 },
      mirrored: true,
    });
    expect(await record(`mirrors/${face.incarnation}`)).toEqual({ copies: 5, min: null });
    expect(kit.topology.revisionOf(face)).toBeGreaterThan(0);
    // No log of its own, and no news: others see its record.
    expect([kit.logs.logs.size, residence.announced, [...kit.vhost.localQueues()]]).toEqual([0, [], []]);
  });

  it('by the policy that covers its name, and by no other', async () => {
    await setPolicy({ 'ha-mode': 'exactly', 'ha-params': 2, 'min-in-sync': 2 });
    const face = await declare('ha.q', {});
    expect(await record(`mirrors/${face.incarnation}`)).toEqual({ copies: 2, min: 2 });
    expect(face.policy.definition).toMatchObject({ 'ha-mode': 'exactly' });
    expect(await declare('plain', {})).not.toBeInstanceOf(FaceStub);
    expect(await declare('ha.transient', {}, { durable: false })).not.toBeInstanceOf(FaceStub);
    expect(await declare('ha.mine', {}, { owner: {} })).not.toBeInstanceOf(FaceStub);
  });

  it('not when something that it depends on is no more', async () => {
    residence.session = { key: 'members/node-2', revision: 'present' };
    await expect(declare('q')).rejects.toThrow("queue 'q'");
    expect([kit.vhost.queues.size, await record('mirrors/')]).toEqual([0, undefined]);
  });

  it('and is found again as any other', async () => {
    const face = await declare('q');
    expect(await declare('q')).toBe(face);
    await expect(async () => declare('q', {})).rejects.toThrow("received 'classic' but current is 'quorum'");
  });

  it('on a node alone as one of its own', async () => {
    await declare('q');
    const { metadata } = kit;
    await open(metadata, new ControlledLogs(), true);
    expect(kit.vhost.localQueue('q')).toBe(kit.vhost.queues.get('q'));
    expect(kit.vhost.localQueue('q')!.isHeld).toBe(false);
    const again = await declare('q2');
    expect(again).toBe(kit.vhost.localQueue('q2'));
    expect(await record('queues/%2F/q2')).not.toHaveProperty('mirrored');
  });
});

describe('a mirrored queue that this node leads', () => {
  it('stands beside its face, and is counted once', async () => {
    const face = await declare('q');
    const { led } = lead('q');
    expect(led).not.toBe(face);
    expect(kit.vhost.queues.get('q')).toBe(face);
    expect(kit.vhost.localQueue('q')).toBe(led);
    expect([...kit.vhost.localQueues()]).toEqual([led]);
    expect([kit.vhost.named(led), kit.vhost.named(face)]).toEqual([face, face]);
    expect(led.isHeld).toBe(true);
    kit.topology.unlead(led);
    expect([kit.vhost.localQueue('q'), kit.vhost.led.size, led.deleted, face.deleted]).toEqual([
      undefined,
      0,
      true,
      false,
    ]);
    expect(kit.logs.removed).toEqual([]);
  });

  it('obeys policies, those that are there and those that come', async () => {
    await setPolicy({ 'max-length': 5 }, '');
    const face = await declare('q');
    const { led } = lead('q');
    expect(led.rules.lengthMax).toBe(5);
    await setPolicy({ 'max-length': 3 }, '');
    expect(led.rules.lengthMax).toBe(3);
    expect([led.policy, face.policy.definition]).toEqual([face.policy, { 'max-length': 3 }]);
  });

  it('sends its dead letters through the virtual host', async () => {
    await declare('end', {});
    await declare('q', { ...quorum, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'end' });
    const { led, log } = lead('q');
    led.begin();
    led.enqueue(messageOf(kit.vhost.address('', 'q')), null);
    log.commit();
    const holder = led.holder(spec, sink);
    const got = await led.get(holder);
    holder.settle(got!.delivery as never, 'reject');
    await kit.platform.clock.advance(0);
    log.makeSafe();
    await kit.platform.clock.advance(0);
    expect(kit.vhost.localQueue('end')!.readyCount).toBe(1);
  });

  it('is led by one queue only', async () => {
    await declare('q');
    const { led: first } = lead('q');
    const { led: second } = lead('q');
    expect([first.deleted, second.deleted, kit.vhost.led.get('q')]).toEqual([true, false, second]);
    kit.topology.unlead(first);
    expect(kit.vhost.led.get('q')).toBe(second);
  });

  it('raises an alarm when its log fails', async () => {
    await declare('q');
    const { log } = lead('q');
    log.fail();
    expect(kit.topology.parts.alarms.list().map(({ source }) => source)).toEqual(['store']);
  });
});

describe('a mirrored queue is removed', () => {
  it('with its companions and bindings, wherever it is led', async () => {
    const face = await declare('q');
    const request = { source: 'amq.topic', kind: 'queue', destination: 'q', routingKey: 'k', arguments: {} } as const;
    await bind(kit.topology, kit.vhost, request);
    const { led } = lead('q');
    led.begin();
    expect(await removeQueue(kit.topology, kit.vhost, face, always)).toBe(0);
    expect(kit.metadata.keys()).toEqual(['vhosts/%2F']);
    expect([face.deleted, led.deleted, kit.vhost.queues.size, kit.vhost.led.size]).toEqual([true, true, 0, 0]);
    expect(kit.logs.removed).toEqual([]);
  });

  it('on the conditions that are asked for, once it is known who uses it', async () => {
    const face = await declare('q');
    const { led } = lead('q');
    const removed = removeQueue(kit.topology, kit.vhost, face, { ifUnused: true, ifEmpty: false });
    led.attach(spec, sink);
    led.begin();
    await expect(removed).rejects.toThrow("queue 'q' in vhost '/' in use");
    expect(kit.vhost.queues.get('q')).toBe(face);
  });

  it('when its last consumer goes, if it is to delete itself', async () => {
    await setPolicy({ 'ha-mode': 'all' });
    const face = await declare('ha.q', {}, { autoDelete: true });
    const { led } = lead('ha.q');
    led.begin();
    led.attach(spec, sink).detach();
    await kit.platform.clock.advance(0);
    expect([face.deleted, kit.vhost.queues.size]).toEqual([true, 0]);
    expect(kit.metadata.keys()).toEqual(['policies/%2F/p', 'vhosts/%2F']);
  });

  it('when it has not been used for as long as it says', async () => {
    const face = await declare('q', { ...quorum, 'x-expires': 100 });
    const { led } = lead('q');
    await kit.platform.clock.advance(150);
    expect(face.deleted).toBe(false);
    led.begin();
    await kit.platform.clock.advance(99);
    expect(face.deleted).toBe(false);
    await kit.platform.clock.advance(1);
    await kit.platform.clock.advance(0);
    expect([face.deleted, led.deleted, kit.metadata.keys()]).toEqual([true, true, ['vhosts/%2F']]);
  });

  it('not by one that leads it no more', async () => {
    const face = await declare('q');
    const { led } = lead('q');
    kit.topology.unlead(led);
    await removeQueue(kit.topology, kit.vhost, led, always);
    expect(kit.vhost.queues.get('q')).toBe(face);
  });

  it('with its virtual host', async () => {
    const face = await declare('q');
    const { led } = lead('q');
    await kit.metadata.change([], [{ key: 'vhosts/%2F', value: undefined }]);
    expect([face.deleted, led.deleted]).toEqual([true, true]);
  });
});

describe('settings of mirrored queues', () => {
  it('are said to have no effect only where there are no other nodes', async () => {
    const said = () => kit.platform.log.find('has no effect in this version', 'warn').length;
    const args = { ...quorum, 'x-quorum-initial-group-size': 3, 'x-queue-leader-locator': 'balanced' };
    await declare('q', args);
    expect(said()).toBe(0);
    await open(new SteppedMetadata(), new ControlledLogs(), true);
    await declare('q', args);
    expect(said()).toBe(2);
  });
});

describe('a queue of this node that is mirrored', () => {
  const mirror = async (name: string) => {
    const { revision, entries } = await kit.metadata.load(`queues/%2F/${name}`);
    expect(revision).toBeGreaterThan(0);
    const { home: _, ...rest } = entries[0]!.value as { readonly home: string };
    await kit.metadata.change([], [{ key: `queues/%2F/${name}`, value: { ...rest, mirrored: true } }]);
  };

  it('has a face in its place, which has its bindings; confirms that wait are given by its log', async () => {
    const queue = (await declare('q', {})) as Queue;
    await bind(kit.topology, kit.vhost, {
      source: 'amq.topic',
      kind: 'queue',
      destination: 'q',
      routingKey: 'k',
      arguments: {},
    });
    let confirms = 0;
    queue.enqueue(messageOf(kit.vhost.address('', 'q'), 'm', { persistent: true }), {
      committed: () => confirms++,
      refused: () => expect.unreachable(),
    });
    const { version } = kit.vhost;
    await mirror('q');
    const face = kit.vhost.queues.get('q')!;
    expect([face instanceof FaceStub, queue.succession.heir === face, queue.deleted]).toEqual([true, true, true]);
    const { queues } = kit.vhost.route(
      kit.vhost.address('amq.topic', 'k'),
      messageOf(kit.vhost.address('', 'q'), 'm', { persistent: true }),
    );
    expect([queues.length, queues[0] === face, kit.vhost.version > version]).toEqual([1, true, true]);
    expect([...(kit.vhost.queueBindings.get(face) ?? [])].length).toBe(1);
    expect(kit.vhost.queueBindings.has(queue)).toBe(false);
    const log = kit.logs.logs.get(queue.incarnation)!;
    expect([confirms, log.isRemoved, log.live.size]).toEqual([0, false, 1]);
    log.commit();
    expect(confirms).toBe(1);
    await mirror('q');
    expect(kit.vhost.queues.get('q')).toBe(face);
  });

  it('keeps its log when the node died before that became the copy', async () => {
    const queue = (await declare('q', {})) as Queue;
    queue.enqueue(messageOf(kit.vhost.address('', 'q'), 'm', { persistent: true }), null);
    await kit.logs.sync();
    const next = kit.logs.afterCrash();
    kit.metadata.disconnect();
    await mirror('q');
    await open(kit.metadata, next);
    expect(kit.vhost.queues.get('q')).toBeInstanceOf(FaceStub);
    expect(next.removed).toEqual([]);
  });
});
