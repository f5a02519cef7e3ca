import { createSimPlatform } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../../test/support/controlled-logs.js';
import { getNow, messageOf, queueAddress, queueProperties, TopologyKit } from '../../../../test/support/core-kit.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import { declareQueue } from '../topology/declare.js';
import { Turn } from '../turn.js';
import type { Delivery, Outcome } from './delivery.js';
import { Persist } from './persist.js';
import { Queue } from './queue.js';

const address = queueAddress('q');
const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

class Scene {
  readonly logs = new ControlledLogs();
  readonly clock = createSimPlatform(1).clock;
  readonly log = this.logs.log('q #1');
  readonly queue: Queue;
  /** What publishers were told, by body. */
  readonly told: string[] = [];
  readonly held: Delivery[] = [];
  readonly got: string[] = [];

  constructor() {
    const turn = new Turn(this.clock);
    this.queue = new Queue(turn, new Persist(turn, this.logs), queueProperties('q', { durable: true }), this.log);
  }

  publish(body: string, persistent = true): void {
    const slot = {
      committed: () => this.told.push(`${body} committed`),
      refused: (why: string) => this.told.push(`${body} ${why}`),
    } as unknown as ConfirmSlot;
    this.queue.enqueue(messageOf(address, body, { persistent }), slot);
  }

  consume(acknowledges = true): void {
    const sink = {
      deliver: (_consumer: unknown, message: { body(): Buffer }, redelivered: boolean, delivery: Delivery | null) => {
        this.got.push(`${message.body()}${redelivered ? '*' : ''}`);
        if (delivery !== null) this.held.push(delivery);
        return true;
      },
      detached: () => undefined,
    };
    this.queue.attach({ ...spec, acknowledges }, sink).grant(Number.POSITIVE_INFINITY);
  }

  settle(outcome: Outcome): void {
    const delivery = this.held.shift()!;
    delivery.consumer.settle(delivery, outcome);
  }

  end(): void {
    this.clock.scheduler.runUntilIdleSync();
  }
}

describe('confirms of a durable queue', () => {
  it('wait for the sync, in order, and up to where it went', () => {
    const scene = new Scene();
    for (const body of ['a', 'b', 'c']) scene.publish(body);
    expect(scene.told).toEqual([]);
    scene.log.commit(2);
    expect(scene.told).toEqual(['a committed', 'b committed']);
    scene.log.commit();
    expect(scene.told.at(-1)).toBe('c committed');
  });

  it('of transient messages wait for nothing, and nothing of them is logged', () => {
    const scene = new Scene();
    scene.publish('p');
    scene.publish('t', false);
    expect(scene.told).toEqual(['t committed']);
    expect([...scene.log.live.keys()]).toEqual([1]);
    expect(scene.log.last).toBe(2);
    scene.queue.purge();
    expect(scene.log.settled).toEqual([[1, 1]]);
  });

  it('come with the accept of a consumer, if that is sooner', () => {
    const scene = new Scene();
    scene.consume();
    for (const body of ['a', 'b']) scene.publish(body);
    expect(scene.told).toEqual([]);
    scene.settle('accept');
    expect(scene.told).toEqual(['a committed']);
    scene.log.commit();
    expect(scene.told).toEqual(['a committed', 'b committed']);
    scene.settle('accept');
    expect(scene.told).toHaveLength(2);
    expect(scene.log.settled).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('come with the delivery to a consumer that does not acknowledge, and with a get that does not', () => {
    const scene = new Scene();
    scene.publish('a');
    expect(getNow(scene.queue, null)!.message.body().toString()).toBe('a');
    scene.consume(false);
    scene.publish('b');
    expect(scene.told).toEqual(['a committed', 'b committed']);
    expect([...scene.log.live]).toEqual([]);
  });

  it('do not come with reject, release or purge: those wait for the sync as if the message stayed', () => {
    const scene = new Scene();
    scene.consume();
    scene.publish('rejected');
    scene.settle('reject');
    scene.publish('released');
    scene.settle('release');
    scene.queue.holder(spec, { deliver: () => true, detached: () => undefined });
    expect(scene.told).toEqual([]);
    scene.end();
    expect(scene.got).toEqual(['rejected', 'released', 'released*']);
    const other = new Scene();
    other.publish('purged');
    expect(other.queue.purge()).toBe(1);
    expect(other.told).toEqual([]);
    other.log.commit();
    expect(other.told).toEqual(['purged committed']);
    scene.log.commit();
    expect(scene.told).toEqual(['rejected committed', 'released committed']);
  });

  it('are given when the queue is deleted: there is nothing left to lose', () => {
    const scene = new Scene();
    scene.publish('a');
    scene.queue.delete();
    expect(scene.told).toEqual(['a committed']);
    scene.log.commit();
    expect(scene.told).toHaveLength(1);
  });

  it('are refused when the log fails: those that wait and those that come; the transient go on', () => {
    const scene = new Scene();
    const failures: Error[] = [];
    scene.queue.onLogFailed = (error) => failures.push(error);
    for (const body of ['a', 'b', 'c']) scene.publish(body);
    scene.log.commit(1);
    scene.log.fail();
    expect(scene.told).toEqual(['a committed', 'b store-failed', 'c store-failed']);
    expect(failures).toHaveLength(1);
    scene.publish('d');
    scene.publish('t', false);
    expect(scene.told.slice(3)).toEqual(['d store-failed', 't committed']);
    // What is there is still delivered; what was refused later is not.
    scene.consume();
    expect(scene.got).toEqual(['a', 'b', 'c', 't']);
    for (let i = 0; i < 4; i++) scene.settle('accept');
    expect(scene.told).toHaveLength(5);
  });

  it('the log is handed what was gathered once a turn', () => {
    const scene = new Scene();
    scene.consume();
    for (let i = 0; i < 10; i++) scene.publish(`${i}`);
    for (let i = 0; i < 5; i++) scene.settle('accept');
    scene.publish('t', false);
    expect(scene.logs.flushes).toBe(0);
    scene.end();
    expect(scene.logs.flushes).toBe(1);
    scene.end();
    expect(scene.logs.flushes).toBe(1);
    scene.settle('reject');
    scene.end();
    expect(scene.logs.flushes).toBe(2);
  });

  it('each once, whatever is settled before, while or after it is synced', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant('publish') },
      { weight: 2, arbitrary: fc.constant('transient') },
      { weight: 4, arbitrary: fc.constantFrom<string>('accept', 'release', 'reject') },
      { weight: 2, arbitrary: fc.constant('commit') },
      { weight: 1, arbitrary: fc.constantFrom('get', 'purge', 'end') },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.boolean(), (steps, isFailing) => {
        const scene = new Scene();
        scene.consume();
        let count = 0;
        for (const what of steps) {
          if (what === 'publish' || what === 'transient') scene.publish(`${count++}`, what === 'publish');
          else if (what === 'commit')
            scene.log.commit(scene.log.committed + Math.ceil((scene.log.last - scene.log.committed) / 2));
          else if (what === 'get') scene.queue.get(null);
          else if (what === 'purge') scene.queue.purge();
          else if (what === 'end') scene.end();
          else if (scene.held.length > 0) scene.settle(what as Outcome);
        }
        if (isFailing) scene.log.fail();
        else scene.log.commit();
        const bodies = scene.told.map((each) => Number(each.split(' ')[0]));
        expect(bodies.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        if (!isFailing) expect(scene.told.every((each) => each.endsWith(' committed'))).toBe(true);
      }),
      { numRuns: 500, seed: 9 },
    );
  });
});

describe('what a restart finds', () => {
  const wish = { name: 'q', serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {} };
  const open = async () => {
    const kit = await TopologyKit.open();
    const queue = (await declareQueue(kit.topology, kit.vhost, wish)) as Queue;
    const log = kit.logs.logs.get(queue.incarnation)!;
    const publish = (...bodies: string[]) => {
      for (const body of bodies) queue.enqueue(messageOf(address, body, { persistent: !body.startsWith('t') }), null);
    };
    const take = () => getNow(queue, queue.holder(spec, { deliver: () => true, detached: () => undefined }))!.delivery!;
    return { kit, queue, log, publish, take };
  };
  /** All that waits, flagged ones with a star. */
  const drain = async (queue: Queue): Promise<string[]> => {
    const found: string[] = [];
    for (let got = await queue.get(null); got !== null; got = await queue.get(null)) {
      found.push(`${got.message.body()}${got.redelivered ? '*' : ''}`);
    }
    return found;
  };

  it('after a crash: what was synced and not settled, in its order, all flagged', async () => {
    const { kit, log, publish, take, queue } = await open();
    publish('a', 't1', 'b', 'c', 'd');
    log.commit(4);
    const first = take();
    first.consumer.settle(first, 'accept');
    take();
    const next = (await kit.restart(kit.logs.afterCrash())).vhost.localQueue('q')!;
    expect(next).not.toBe(queue);
    expect([next.readyCount, next.unsettledCount]).toEqual([2, 0]);
    // New ones were never delivered.
    next.enqueue(messageOf(address, 'new', { persistent: true }), null);
    expect(await drain(next)).toEqual(['b*', 'c*', 'new']);
  });

  it('after a clean stop: flagged is only what was delivered', async () => {
    const { kit, publish, take, queue } = await open();
    publish('a', 'b', 'c', 'd');
    take();
    take();
    kit.logs.delivered(queue.incarnation, queue.deliveredUpTo);
    expect(queue.deliveredUpTo).toBe(2);
    const next = await kit.restart(kit.logs.afterStop());
    const again = next.vhost.localQueue('q')!;
    // Stopped once more before anything was delivered, it still knows.
    expect(again.deliveredUpTo).toBe(2);
    expect(await drain(again)).toEqual(['a*', 'b*', 'c', 'd']);
    expect(again.deliveredUpTo).toBe(4);
  });

  it('after a clean stop: what was given back counts as delivered, and a drained queue flags nothing that comes', async () => {
    const { kit, publish, take, queue } = await open();
    publish('a', 'b');
    const first = take();
    first.consumer.settle(first, 'release');
    expect(queue.deliveredUpTo).toBe(1);
    await drain(queue);
    expect(queue.deliveredUpTo).toBe(2);
    kit.logs.delivered(queue.incarnation, queue.deliveredUpTo);
    const again = (await kit.restart(kit.logs.afterStop())).vhost.localQueue('q')!;
    again.enqueue(messageOf(address, 'new', { persistent: true }), null);
    expect(await drain(again)).toEqual(['new']);
  });

  it('goes on where the positions ended, so that what is given back finds its place', async () => {
    const { kit, publish, log } = await open();
    publish('a', 'b', 'c');
    log.commit();
    const again = (await kit.restart(kit.logs.afterCrash())).vhost.localQueue('q')!;
    again.enqueue(messageOf(address, 'd', { persistent: true }), null);
    const holder = again.holder(spec, { deliver: () => true, detached: () => undefined });
    const held = [(await again.get(holder))!, (await again.get(holder))!].map(({ delivery }) => delivery!);
    for (const delivery of held.reverse()) delivery.consumer.settle(delivery, 'release');
    expect(await drain(again)).toEqual(['a*', 'b*', 'c*', 'd']);
  });
});
