import { beforeEach, describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { messageOf, TopologyKit } from '../../../../test/support/core-kit.js';
import { LedLog } from '../../../../test/support/led-log.js';
import { MirroringResidence } from '../../../../test/support/mirroring-residence.js';
import { SteppedMetadata } from '../../../../test/support/stepped-metadata.js';
import type { Arguments } from '../arguments.js';
import type { Provenance } from '../replica-log.js';
import { declareQueue } from '../topology/declare.js';
import type { Queue } from './queue.js';

const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
const sink = { deliver: () => true, detached: () => undefined };
const toEnd = { 'x-queue-type': 'quorum', 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'end' };

let kit: TopologyKit;
let log: LedLog;
let work: Queue;

const end = () => kit.vhost.localQueue('end')!;
const turn = () => kit.platform.clock.advance(0);
const publish = (body: string) => {
  work.enqueue(messageOf(kit.vhost.address('', 'work'), body, { persistent: true }), null);
  log.commit();
};

const open = async (args: Arguments = {}, endArgs: Arguments = {}) => {
  kit = await TopologyKit.open(new SteppedMetadata(), new ControlledLogs(), 1, 0, new MirroringResidence());
  const flags = { serverNamed: false, durable: true, autoDelete: false, owner: null };
  await declareQueue(kit.topology, kit.vhost, { name: 'end', ...flags, arguments: endArgs });
  await declareQueue(kit.topology, kit.vhost, { name: 'work', ...flags, arguments: { ...toEnd, ...args } });
  log = new LedLog();
  lead();
  work.begin();
};

const lead = () => {
  work = kit.topology.lead(kit.vhost, kit.vhost.queues.get('work')!.properties, log, log.state());
};

const succeed = () => {
  kit.topology.unlead(work);
  log = log.succeed();
  lead();
};

const reject = async () => {
  const holder = work.holder(spec, sink);
  const got = await work.get(holder);
  holder.settle(got!.delivery as never, 'reject');
};

describe('dead letters of a mirrored queue', () => {
  beforeEach(() => open());

  it('set out when whoever leads next would know them for what they are', async () => {
    publish('a');
    await reject();
    await kit.platform.clock.advance(1_000);
    expect([end().readyCount, log.pending.size, work.outbox!.count]).toEqual([0, 1, 1]);
    log.makeSafe();
    await turn();
    expect([end().readyCount, log.live.size]).toEqual([1, 1]);
    // They leave the log when they are safe where they went.
    kit.logs.logs.get(end().incarnation)!.commit();
    expect([log.live.size, work.outbox!.count, work.outbox!.sent]).toEqual([0, 0, 1]);
  });

  it('that come while others wait to be safe wait for their own time', async () => {
    for (const body of ['a', 'b']) publish(body);
    await reject();
    await turn();
    await reject();
    await turn();
    log.makeSafe();
    await turn();
    expect(end().readyCount).toBe(1);
    log.makeSafe();
    await turn();
    expect(end().readyCount).toBe(2);
  });

  it('stay with the queue when it is led elsewhere, and set out from there when it begins', async () => {
    publish('a');
    publish('b');
    await reject();
    await turn();
    const before = work;
    succeed();
    await kit.platform.clock.advance(60_000);
    expect([end().readyCount, before.outbox!.count, work.outbox, work.readyCount]).toEqual([0, 0, null, 1]);
    work.begin();
    await turn();
    log.makeSafe();
    await turn();
    expect(end().readyCount).toBe(1);
    kit.logs.logs.get(end().incarnation)!.commit();
    expect([...log.live.keys()]).toEqual([2]);
    expect(kit.platform.log.find('dead letters were dropped', 'warn')).toEqual([]);
  });

  it('on their way when it is led elsewhere say nothing more to its log', async () => {
    publish('a');
    await reject();
    await turn();
    log.makeSafe();
    await turn();
    expect(end().readyCount).toBe(1);
    succeed();
    kit.logs.logs.get(end().incarnation)!.commit();
    expect([...log.live.keys()]).toEqual([1]);
  });

  it('say by what they are known, the same to each target and under each leader', async () => {
    const told: (Provenance | undefined)[] = [];
    const { enqueue } = end();
    end().enqueue = (message, slot, from?: Provenance) => {
      told.push(from);
      enqueue.call(end(), message, slot);
    };
    publish('a');
    await reject();
    await turn();
    for (let leaders = 0; leaders < 2; leaders++) {
      log.provenanceOf = (sequence) => ({ origin: 'letters/work', sequence, low: 0 });
      log.makeSafe();
      await turn();
      succeed();
      log.provenanceOf = (sequence) => ({ origin: 'letters/work', sequence, low: 0 });
      work.begin();
      await turn();
    }
    const known = { origin: 'letters/work', sequence: 1, low: 0 };
    expect(told).toEqual([known, known]);
  });

  it('that nobody takes are tried again only by who leads', async () => {
    await open({}, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    publish('a');
    publish('b');
    for (let i = 0; i < 2; i++) await reject();
    await turn();
    log.makeSafe();
    await kit.platform.clock.advance(1_000);
    kit.logs.logs.get(end().incarnation)!.commit();
    expect([end().readyCount, work.outbox!.stuckCount]).toEqual([1, 1]);
    succeed();
    await end().purge();
    await kit.platform.clock.advance(60_000);
    expect(end().readyCount).toBe(0);
  });

  it('that never were in the queue wait for nothing', async () => {
    await open({ 'x-max-length': 0, 'x-overflow': 'reject-publish-dlx' });
    publish('a');
    await turn();
    expect([end().readyCount, log.last]).toEqual([1, 0]);
  });

  it('go out with what expires, too long a queue and a limit of returns as with a rejection', async () => {
    await open({ 'x-message-ttl': 10, 'x-max-length': 1, 'x-delivery-limit': 0 });
    publish('too many');
    publish('expires');
    await kit.platform.clock.advance(10);
    publish('returned');
    const holder = work.holder(spec, sink);
    const got = await work.get(holder);
    holder.settle(got!.delivery as never, 'release');
    await turn();
    expect([end().readyCount, log.pending.size]).toEqual([0, 3]);
    // The first of them had set out for it before the others came.
    for (let i = 0; i < 2; i++) {
      log.makeSafe();
      await turn();
    }
    expect(end().readyCount).toBe(3);
  });
});
