import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress } from '../../../../test/support/core-kit.js';
import { LedScene } from '../../../../test/support/led-scene.js';
import type { Arguments } from '../arguments.js';
import type { QueueDelivery } from './delivery.js';
import { Memory, unboundedMemory } from './memory.js';
import { Window } from './window.js';

const bodies = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
const sink = { deliver: () => true, detached: () => undefined };

/** A queue under its second leader, with these messages at 1 to 8 and none delivered yet. */
function succeeded(args: Arguments = {}, tiny = true): LedScene {
  const scene = new LedScene(args, unboundedMemory(), tiny);
  scene.queue.begin();
  scene.publish(...bodies);
  scene.log.commit();
  scene.succeed();
  scene.told.length = 0;
  return scene;
}

const shown = (deliveries: readonly QueueDelivery[] | null) =>
  deliveries?.map(({ position, message, redelivered, settled }) => {
    expect([redelivered, settled]).toEqual([false, false]);
    return `${position}${message.body()}`;
  });

for (const [kind, args, tiny] of [
  ['on disk', {}, true],
  ['in memory as far as there is room', {}, false],
  ['on disk, with priorities', { 'x-max-priority': 3 }, true],
  ['in memory, with priorities', { 'x-max-priority': 3 }, false],
] as const) {
  describe(`what consumers held, ${kind}`, () => {
    it('comes into their hands without being sent again, and the rest is ready and flagged', async () => {
      const scene = succeeded(args, tiny);
      const [one, two] = [scene.consume(), scene.consume()];
      one.setCredit(0);
      two.setCredit(0);
      const first = scene.claim(one, 5, 2);
      const second = scene.claim(two, 1, 7);
      await scene.end();
      expect([shown(first.deliveries), shown(second.deliveries)]).toEqual([
        ['2b', '5e'],
        ['1a', '7g'],
      ]);
      expect([one.heldCount, two.heldCount, scene.queue.readyCount, scene.queue.readyBytes]).toEqual([2, 2, 4, 4]);
      expect([scene.queue.unsettledCount, scene.queue.unsettledBytes]).toEqual([4, 4]);
      scene.queue.begin();
      one.setCredit(10);
      await scene.end();
      expect(scene.got).toEqual(['c*', 'd*', 'f*', 'h*']);
      for (const delivery of first.deliveries!) scene.settle('accept', delivery);
      expect([...scene.log.live.keys()]).toEqual([1, 3, 4, 6, 7, 8]);
      // What is given back stands in its place again.
      one.setCredit(0);
      for (const delivery of second.deliveries!) scene.settle('release', delivery);
      expect([scene.queue.readyCount, scene.queue.unsettledCount]).toEqual([2, 4]);
      one.setCredit(10);
      await scene.end();
      expect(scene.got.slice(4)).toEqual(['a*', 'g*']);
    });

    it('is left out where it is settled, not committed, never was, or is in other hands', async () => {
      const scene = succeeded(args, tiny);
      const one = scene.consume();
      const two = scene.consume();
      const first = scene.claim(one, 3, 3, 4);
      await scene.end();
      expect(shown(first.deliveries)).toEqual(['3c', '4d']);
      scene.settle('accept', first.deliveries![0]!);
      scene.publish('new');
      expect(scene.log.last).toBe(10);
      const second = scene.claim(two, 2, 3, 4, 9, 10, 11);
      await scene.end();
      expect(shown(second.deliveries)).toEqual(['2b']);
      expect(scene.queue.arriving!.count).toBe(1);
    });

    it('may be claimed late, as far as it is still ready', async () => {
      const scene = succeeded(args, tiny);
      scene.queue.begin();
      const taker = scene.consume();
      await scene.end();
      expect(scene.got).toHaveLength(8);
      for (const position of [7, 2, 6]) {
        const at = scene.held.findIndex((each) => each.position === position);
        taker.setCredit(0);
        scene.settle('release', scene.held.splice(at, 1)[0]);
      }
      const late = scene.claim(scene.consume(), 1, 2, 6);
      await scene.end();
      expect(shown(late.deliveries)).toEqual(['2b', '6f']);
      expect(scene.queue.readyCount).toBe(0);
    });

    it('is rejected, and given back when its consumer goes, as anything that it holds', async () => {
      const scene = succeeded(args, tiny);
      const consumer = scene.consume();
      const claim = scene.claim(consumer, 1, 2, 3);
      await scene.end();
      scene.settle('reject', claim.deliveries![1]);
      consumer.detach();
      expect([scene.queue.readyCount, scene.queue.unsettledCount]).toEqual([7, 0]);
      expect(scene.log.live.has(2)).toBe(false);
      scene.queue.begin();
      scene.consume();
      await scene.end();
      expect(scene.got).toEqual(['a*', 'c*', 'd*', 'e*', 'f*', 'g*', 'h*']);
    });

    it('is not there any more once the queue was purged', async () => {
      const scene = succeeded(args, tiny);
      scene.queue.begin();
      const consumer = scene.queue.holder(spec, sink);
      const kept = scene.claim(consumer, 1);
      await scene.end();
      const claim = scene.claim(consumer, 2, 3);
      expect(scene.queue.purge()).toBe(claim.deliveries === null ? 7 : 5);
      await scene.end();
      expect(shown(kept.deliveries)).toEqual(['1a']);
      expect([...scene.log.live.keys()]).toEqual([1, ...claim.deliveries!.map(({ position }) => position)]);
    });
  });
}

describe('a claim', () => {
  it('counts against credit and window', async () => {
    const scene = succeeded();
    const window = new Window(3);
    const consumer = scene.consume({ window });
    consumer.setCredit(3);
    scene.claim(consumer, 1, 2);
    await scene.end();
    expect(window.room).toBe(1);
    scene.queue.begin();
    await scene.end();
    expect([scene.got, consumer.heldCount]).toEqual([['c*'], 3]);
  });

  it('of one who has gone leaves everything where it is', async () => {
    const scene = succeeded();
    const consumer = scene.consume();
    const claim = scene.claim(consumer, 1, 2);
    consumer.detach();
    await scene.end();
    expect([claim.deliveries, scene.queue.readyCount]).toEqual([[], 8]);
  });

  it('of a queue that is led elsewhere meanwhile is never answered', async () => {
    const scene = succeeded();
    const claim = scene.claim(scene.consume(), 1, 2);
    scene.queue.dissolve();
    await scene.end();
    expect(claim.deliveries).toBeNull();
    expect(scene.memory.usedBytes).toBe(0);
  });

  it('takes messages out of a read that is under way', async () => {
    for (const args of [{}, { 'x-max-priority': 1 }]) {
      const scene = succeeded(args);
      scene.log.pages.isHeld = true;
      const claim = scene.claim(scene.consume(), 2);
      scene.queue.begin();
      await scene.end();
      scene.log.pages.answer();
      await scene.end();
      scene.log.pages.answer();
      await scene.end();
      scene.log.pages.answer();
      await scene.end();
      expect(shown(claim.deliveries)).toEqual(['2b']);
      expect(scene.got).toEqual(['a*', 'c*', 'd*', 'e*', 'f*', 'g*', 'h*']);
    }
  });

  it('takes one from between young ones that leave memory later', async () => {
    const scene = new LedScene({}, new Memory(1_100, 2_000));
    scene.queue.begin();
    scene.publish(...bodies.slice(0, 5));
    scene.log.commit();
    const { pagedCount } = scene.queue;
    const claim = scene.claim(scene.queue.holder(spec, sink), 5);
    await scene.end();
    expect([pagedCount, shown(claim.deliveries)]).toEqual([0, ['5e']]);
    scene.publish(...bodies.slice(5));
    scene.log.commit();
    expect(scene.queue.pagedCount).toBeGreaterThan(1);
    scene.consume();
    await scene.end();
    expect(scene.got).toEqual(['a', 'b', 'c', 'd', 'f', 'g', 'h']);
  });

  it('of the oldest leaves the next one to expire in its time', async () => {
    const scene = new LedScene();
    scene.queue.begin();
    scene.publish('a');
    scene.queue.enqueue(messageOf(queueAddress('q'), 'b', { expirationMs: 50 }), null);
    scene.log.commit();
    await scene.end();
    const claim = scene.claim(scene.queue.holder(spec, sink), 1);
    await scene.clock.advance(49);
    expect([shown(claim.deliveries), scene.queue.readyCount]).toEqual([['1a'], 1]);
    await scene.clock.advance(1);
    expect(scene.queue.readyCount).toBe(0);
  });

  it('makes its consumer the one that is served where only one is', async () => {
    const scene = succeeded({ 'x-single-active-consumer': true });
    const [quick, before] = [scene.consume(), scene.consume()];
    scene.claim(before, 1);
    await scene.end();
    expect([quick.activity, before.activity]).toEqual(['waiting', 'single_active']);
    scene.queue.begin();
    await scene.end();
    expect([quick.heldCount, before.heldCount]).toEqual([0, 8]);
  });

  it('keeps how often a message was given back', async () => {
    const scene = new LedScene({ 'x-delivery-limit': 2 });
    scene.queue.begin();
    scene.publish('a');
    scene.log.commit();
    const consumer = scene.consume();
    await scene.end();
    scene.settle('release');
    await scene.end();
    scene.settle('release');
    await scene.end();
    expect(scene.log.returns.get(1)).toBe(2);
    consumer.setCredit(0);
    scene.succeed();
    const claim = scene.claim(scene.consume(), 1);
    await scene.end();
    scene.settle('release', claim.deliveries![0]);
    expect([scene.queue.statistics.dropped.delivery_limit, scene.log.live.size]).toEqual([1, 0]);
  });
});
