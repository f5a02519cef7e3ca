import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress, TopologyKit } from '../../../../test/support/core-kit.js';
import type { Arguments } from '../arguments.js';
import { declareQueue } from '../topology/declare.js';
import { removeQueue } from '../topology/remove.js';
import type { DeliverySink } from './delivery.js';
import type { Queue } from './queue.js';
import { noRules } from './rules.js';

const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
const sink: DeliverySink = { deliver: () => true, detached: () => undefined };

class Scene {
  readonly kit: TopologyKit;
  private constructor(kit: TopologyKit) {
    this.kit = kit;
    const { topology } = kit;
    // As the broker does it.
    topology.onQueueUnused = (vhost, queue) => {
      void removeQueue(topology, vhost, queue, { ifUnused: false, ifEmpty: false });
    };
  }

  static async open(): Promise<Scene> {
    return new Scene(await TopologyKit.open());
  }

  async declare(args: Arguments = { 'x-expires': 1_000 }, durable = false): Promise<Queue> {
    const wish = { name: 'q', serverNamed: false, durable, autoDelete: false, owner: null, arguments: args };
    return (await declareQueue(this.kit.topology, this.kit.vhost, wish)) as Queue;
  }

  async restart(): Promise<Scene> {
    return new Scene(await this.kit.restart(this.kit.logs.afterCrash(), 3_600_000));
  }

  advance(ms: number): Promise<void> {
    return this.kit.platform.clock.advance(ms);
  }

  get isThere(): boolean {
    return this.kit.vhost.queues.has('q');
  }
}

describe('a queue that nobody uses', () => {
  for (const durable of [false, true]) {
    it(`goes when its time is over, and not before (${durable ? 'durable' : 'transient'})`, async () => {
      const scene = await Scene.open();
      const queue = await scene.declare(undefined, durable);
      await scene.advance(500);
      // Publishing is no use.
      queue.enqueue(messageOf(queueAddress('q'), 'x', { persistent: true }), null);
      await scene.advance(499);
      expect(scene.isThere).toBe(true);
      await scene.advance(1);
      expect(scene.isThere).toBe(false);
      expect(queue.deleted).toBe(true);
      // Its messages are gone with it, and not dead-lettered.
      expect(queue.statistics.dropped.expired).toBe(0);
      expect(scene.kit.metadata.keys().filter((key) => key.startsWith('queues/'))).toEqual([]);
      expect([scene.kit.turn.deadlines.count, scene.kit.platform.clock.pendingTimers]).toEqual([0, 0]);
    });
  }

  it('stays while it has a consumer, and as long again after the last one', async () => {
    const scene = await Scene.open();
    const queue = await scene.declare();
    await scene.advance(900);
    const [first, second] = [queue.attach(spec, sink), queue.attach(spec, sink)];
    await scene.advance(60_000);
    first.stop();
    await scene.advance(60_000);
    expect(scene.isThere).toBe(true);
    second.detach();
    await scene.advance(999);
    expect(scene.isThere).toBe(true);
    await scene.advance(1);
    expect(scene.isThere).toBe(false);
  });

  it('is used by basic.get, be there a message or not, and by being declared again', async () => {
    const scene = await Scene.open();
    const queue = await scene.declare();
    for (const use of [() => queue.get(null), () => scene.declare(), () => queue.get(queue.holder(spec, sink))]) {
      await scene.advance(900);
      await use();
    }
    await scene.advance(999);
    expect(scene.isThere).toBe(true);
    await scene.advance(1);
    expect(scene.isThere).toBe(false);
  });

  it('counts from the start of the node', async () => {
    const scene = await Scene.open();
    await scene.declare(undefined, true);
    await scene.advance(900);
    const next = await scene.restart();
    await next.advance(999);
    expect(next.isThere).toBe(true);
    await next.advance(1);
    expect(next.isThere).toBe(false);
  });

  it('does what a policy says, from when that says so', async () => {
    const scene = await Scene.open();
    const queue = await scene.declare({});
    await scene.advance(10_000);
    queue.applyRules({ ...noRules, expiresMs: 5_000 });
    await scene.advance(4_999);
    expect(scene.isThere).toBe(true);
    queue.applyRules({ ...noRules, expiresMs: 1_000 });
    await scene.advance(999);
    expect(scene.isThere).toBe(true);
    queue.applyRules(noRules);
    await scene.advance(60_000);
    expect(scene.isThere).toBe(true);
    queue.applyRules({ ...noRules, expiresMs: 10 });
    await scene.advance(10);
    expect(scene.isThere).toBe(false);
  });

  it('is asked to go again when it could not', async () => {
    const scene = await Scene.open();
    const queue = await scene.declare();
    let asked = 0;
    queue.onExpired = () => asked++;
    await scene.advance(3_500);
    expect([asked, scene.isThere]).toEqual([3, true]);
  });

  it('has no timer when nobody said so', async () => {
    const scene = await Scene.open();
    const queue = await scene.declare({});
    queue.attach(spec, sink).stop();
    await queue.get(null);
    expect([scene.kit.turn.deadlines.count, scene.kit.platform.clock.pendingTimers]).toEqual([0, 0]);
  });
});
