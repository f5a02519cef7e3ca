import { describe, expect, it } from 'vitest';
import { LedScene } from '../../../../test/support/led-scene.js';
import type { QueueDelivery } from './delivery.js';
import { Window } from './window.js';

const sink = { deliver: () => true, detached: () => undefined };
const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
const later = expect.objectContaining({ key: 'consumerFenced' });

/** A mirrored queue that serves, with these messages, or as its next leader finds it. */
function stage(...bodies: string[]): LedScene {
  const scene = new LedScene();
  scene.queue.begin();
  scene.publish(...bodies);
  scene.log.commit();
  return scene;
}

function takeOver(scene: LedScene): LedScene {
  scene.succeed();
  scene.got.length = scene.held.length = scene.detached.length = 0;
  return scene;
}

const positions = (deliveries: readonly QueueDelivery[] | null) => deliveries?.map(({ position }) => position);

describe('a queue that has one owner after the other', () => {
  it('takes back what a consumer of the owner before holds when one of the next attaches, in its place, before that gets anything', async () => {
    const scene = stage(...'abcdef');
    const window = new Window(4);
    const first = scene.consume({ ownerOrdinal: 5, window });
    await scene.end();
    expect(scene.got.splice(0)).toEqual(['a', 'b', 'c', 'd']);
    scene.settle('accept', scene.held.splice(1, 1)[0]);
    await scene.end();
    expect(scene.got.splice(0)).toEqual(['e']);
    scene.consume({ ownerOrdinal: 6 });
    expect(scene.detached).toEqual(['fenced']);
    await scene.end();
    expect(scene.got.splice(0)).toEqual(['a*', 'c*', 'd*', 'e*', 'f']);
    expect([window.room, first.heldCount, scene.queue.counts().consumers]).toEqual([4, 0, 1]);
    scene.publish('g');
    scene.log.commit();
    expect(scene.got).toEqual(['g']);
  });

  it('hears nothing of what the one before says then', async () => {
    const scene = stage('a', 'b');
    const first = scene.consume({ ownerOrdinal: 1 });
    await scene.end();
    const late = scene.held.splice(0);
    scene.consume({ ownerOrdinal: 2 });
    await scene.end();
    for (const outcome of ['accept', 'reject', 'release'] as const)
      for (const delivery of late) first.settle(delivery as QueueDelivery, outcome);
    first.grant(10);
    first.resume();
    await scene.end();
    expect([scene.got, [...scene.log.live.keys()]]).toEqual([
      ['a', 'b', 'a*', 'b*'],
      [1, 2],
    ]);
    expect([scene.queue.unsettledCount, scene.queue.readyCount]).toEqual([2, 0]);
  });

  it('takes nobody of an owner before from then on, also when nobody consumes', async () => {
    const scene = stage();
    scene.consume({ ownerOrdinal: 2 }).detach();
    expect(() => scene.consume({ ownerOrdinal: 1 })).toThrow(later);
    expect(() => scene.queue.holder({ ...spec, ownerOrdinal: 1 }, sink)).toThrow(later);
    scene.consume({ ownerOrdinal: 2 });
    scene.consume({ ownerOrdinal: 3 });
    expect(() => scene.consume({ ownerOrdinal: 2 })).toThrow(later);
    expect(scene.detached).toEqual(['fenced']);
  });

  it('leaves consumers of the same owner, and those of none, what they hold', async () => {
    const scene = stage('a', 'b', 'c', 'd', 'e');
    scene.consume({ ownerOrdinal: 1 }).setCredit(1);
    const own = scene.consume({ ownerOrdinal: 2 });
    const nobodys = scene.consume();
    own.setCredit(2);
    nobodys.setCredit(2);
    await scene.end();
    scene.consume({ ownerOrdinal: 2 }).setCredit(0);
    expect([own.heldCount, nobodys.heldCount, scene.detached]).toEqual([2, 2, ['fenced']]);
    scene.consume({ ownerOrdinal: 3 }).setCredit(0);
    await scene.end();
    expect([own.heldCount, nobodys.heldCount, scene.queue.counts().consumers]).toEqual([0, 2, 2]);
    expect(scene.queue.readyCount).toBe(3);
  });

  it('takes back what one holds that was cancelled', async () => {
    const scene = stage('a', 'b');
    const first = scene.consume({ ownerOrdinal: 1 });
    first.setCredit(1);
    await scene.end();
    void first.stop();
    scene.consume({ ownerOrdinal: 2 });
    await scene.end();
    expect(scene.got.at(-1)).toBe('b');
    expect([first.heldCount, scene.queue.roster.outside.size]).toEqual([0, 0]);
  });

  it('serves the later one where it serves one at a time', async () => {
    const scene = new LedScene({ 'x-single-active-consumer': true });
    scene.queue.begin();
    scene.consume({ ownerOrdinal: 1 });
    scene.publish('a', 'b');
    scene.log.commit();
    const second = scene.consume({ ownerOrdinal: 2 });
    await scene.end();
    expect([scene.got, second.activity]).toEqual([['a', 'b', 'a*', 'b*'], 'single_active']);
  });

  it('is not without consumers when the later one takes the place of the last', () => {
    const scene = stage();
    let isUnused = false;
    scene.queue.onUnused = () => {
      isUnused = true;
    };
    scene.consume({ ownerOrdinal: 1 });
    const second = scene.consume({ ownerOrdinal: 2 });
    expect(isUnused).toBe(false);
    second.detach();
    expect(isUnused).toBe(true);
  });
});

describe('the next leader of such a queue', () => {
  it('gives the later owner what it held, whoever claims it first', async () => {
    const scene = takeOver(stage('a', 'b', 'c'));
    const first = scene.consume({ ownerOrdinal: 1 });
    first.setCredit(0);
    const wrong = scene.claim(first, 1, 2);
    await scene.end();
    expect(positions(wrong.deliveries)).toEqual([1, 2]);
    const second = scene.consume({ ownerOrdinal: 2 });
    const right = scene.claim(second, 1, 2);
    scene.queue.begin();
    await scene.end();
    expect(positions(right.deliveries)).toEqual([1, 2]);
    expect([scene.got, scene.detached]).toEqual([['c*'], ['fenced']]);
  });

  it('gives nothing to one before while what that claims is read', async () => {
    const scene = takeOver(stage(...'abcdefgh'));
    scene.log.pages.isHeld = true;
    const first = scene.consume({ ownerOrdinal: 1 });
    const gone = scene.queue.holder({ ...spec, ownerOrdinal: 1 }, sink);
    const wrongs = [scene.claim(first, 1, 2), scene.claim(gone, 3)];
    scene.queue.holder({ ...spec, ownerOrdinal: 2 }, sink);
    scene.log.pages.isHeld = false;
    scene.log.pages.answer();
    await scene.end();
    expect(wrongs.map(({ deliveries }) => positions(deliveries))).toEqual([[], []]);
    expect([scene.queue.readyCount, scene.queue.unsettledCount]).toEqual([8, 0]);
  });
});
