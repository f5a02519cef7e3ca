import { describe, expect, it } from 'vitest';
import { LedScene as Scene } from '../../../../test/support/led-scene.js';
import { Memory } from './memory.js';

describe('a mirrored queue', () => {
  it('delivers and confirms what is committed, in its order, and nothing else', async () => {
    const scene = new Scene();
    scene.queue.begin();
    scene.consume();
    scene.publish('a', 'b', 'c');
    await scene.end();
    expect([scene.got, scene.told]).toEqual([[], []]);
    expect([scene.queue.readyCount, scene.queue.arriving!.count, scene.queue.arriving!.bytes]).toEqual([0, 3, 3]);
    scene.log.commit(2);
    expect([scene.got, scene.told]).toEqual([
      ['a', 'b'],
      ['a committed', 'b committed'],
    ]);
    expect(scene.queue.arriving!.count).toBe(1);
    scene.log.commit();
    expect(scene.got).toEqual(['a', 'b', 'c']);
    for (const outcome of ['accept', 'reject', 'release'] as const) scene.settle(outcome);
    await scene.end();
    expect([...scene.log.live.keys()]).toEqual([3]);
    expect(scene.got.at(-1)).toBe('c*');
  });

  it.each([{ 'x-single-active-consumer': true }, {}])(
    'hands out nothing while another node may lead it: %o',
    async (args) => {
      const scene = new Scene(args);
      const { log, queue } = scene;
      queue.begin();
      scene.consume();
      log.isSure = false;
      scene.publish('a', 'b');
      log.commit();
      await scene.end();
      expect([scene.got, queue.readyCount]).toEqual([[], 2]);
      queue.doubt.ask();
      await scene.end();
      expect(scene.got).toEqual([]);
      log.isSure = true;
      queue.doubt.ask();
      await scene.end();
      expect(scene.got).toEqual(['a', 'b']);
      log.isSure = false;
      scene.publish('c');
      log.commit();
      await scene.end();
      expect(scene.got).toEqual(['a', 'b']);
    },
  );

  it('answers who asks for one message when nobody else can lead it', async () => {
    const scene = new Scene();
    scene.queue.begin();
    scene.publish('a');
    scene.log.commit();
    scene.log.isSure = false;
    let isAnswered = false;
    const got = Promise.resolve(scene.queue.get(null)).then((each) => {
      isAnswered = true;
      return each;
    });
    await scene.end();
    expect(isAnswered).toBe(false);
    scene.log.isSure = true;
    scene.queue.doubt.ask();
    expect((await got)?.message.body().toString()).toBe('a');
  });

  it('answers who waits for a message of a queue that is led elsewhere meanwhile', async () => {
    const scene = new Scene();
    scene.queue.begin();
    scene.publish('a');
    scene.log.commit();
    scene.log.isSure = false;
    const got = Promise.resolve(scene.queue.get(null));
    scene.queue.dissolve();
    expect(await got).toBeNull();
  });

  it('settles what a consumer without acknowledgements gets when it is committed', async () => {
    const scene = new Scene();
    scene.queue.begin();
    scene.consume({ acknowledges: false });
    scene.publish('a', 'b');
    scene.log.commit(1);
    expect([...scene.log.live.keys()]).toEqual([2]);
    scene.log.commit();
    expect(scene.log.live.size).toBe(0);
  });

  it('gets, purges, expires and drops committed messages alone', async () => {
    const scene = new Scene({ 'x-message-ttl': 50, 'x-max-length': 2 });
    scene.queue.begin();
    scene.publish('a', 'b', 'c', 'd');
    expect(scene.queue.get(null)).toBeNull();
    expect(scene.queue.purge()).toBe(0);
    await scene.clock.advance(60);
    expect(scene.queue.arriving!.count).toBe(4);
    scene.log.commit(3);
    // The time counts from when they came.
    await scene.end();
    expect([scene.queue.readyCount, scene.queue.arriving!.count]).toEqual([0, 1]);
    const { expired, maxlen } = scene.queue.statistics.dropped;
    expect(expired + maxlen).toBe(3);
    expect([...scene.log.live.keys()]).toEqual([4]);
  });

  it('counts what arrives against its limits, and drops heads of what is committed', () => {
    const refusing = new Scene({ 'x-max-length': 2, 'x-overflow': 'reject-publish' });
    refusing.queue.begin();
    refusing.publish('a', 'b', 'c');
    expect(refusing.told).toEqual(['c queue-full']);
    refusing.log.commit();
    refusing.publish('d');
    expect(refusing.told).toEqual(['c queue-full', 'a committed', 'b committed', 'd queue-full']);
    const bytes = new Scene({ 'x-max-length-bytes': 4, 'x-overflow': 'reject-publish' });
    bytes.publish('aaa', 'bb', 'c');
    expect(bytes.told).toEqual(['bb queue-full']);
    const dropping = new Scene({ 'x-max-length': 2 });
    dropping.queue.begin();
    dropping.publish('a', 'b', 'c', 'd');
    dropping.log.commit(3);
    expect([...dropping.log.live.keys()]).toEqual([2, 3, 4]);
    dropping.log.commit();
    expect([...dropping.log.live.keys()]).toEqual([3, 4]);
  });

  it('gives no verdict when its log fails: others may have the messages', () => {
    const scene = new Scene();
    scene.queue.begin();
    let failures = 0;
    scene.queue.onLogFailed = () => failures++;
    scene.publish('a');
    scene.log.fail();
    scene.publish('b');
    expect([scene.told, failures, scene.log.last]).toEqual([[], 1, 1]);
  });

  it('counts what arrives in the memory of the node', () => {
    const scene = new Scene({}, new Memory(1_000_000, 1_000_000));
    scene.publish('a', 'b');
    expect(scene.memory.usedBytes).toBeGreaterThan(0);
    scene.queue.dissolve();
    expect(scene.memory.usedBytes).toBe(0);
  });
});

describe('a mirrored queue that has not begun', () => {
  it('takes publishes and consumers, and delivers, gets, drops and purges nothing', async () => {
    const scene = new Scene({ 'x-message-ttl': 10, 'x-max-length': 1, 'x-expires': 5 });
    let ended = 0;
    scene.queue.onUnused = () => ended++;
    scene.queue.onExpired = () => ended++;
    const first = scene.consume();
    scene.publish('a', 'b');
    scene.log.commit();
    let got: unknown = 'nothing yet';
    let purged: unknown = 'nothing yet';
    void Promise.resolve(scene.queue.get(null)).then((each) => (got = each));
    void Promise.resolve(scene.queue.purge()).then((count) => (purged = count));
    first.detach();
    await scene.clock.advance(20);
    expect([scene.got, got, purged, ended, scene.queue.readyCount]).toEqual([[], 'nothing yet', 'nothing yet', 0, 2]);
    expect(scene.told).toEqual(['a committed', 'b committed']);
    scene.queue.begin();
    await scene.end();
    expect([got, purged, ended]).toEqual([null, 0, 1]);
    expect(scene.queue.statistics.dropped).toMatchObject({ maxlen: 1, expired: 1 });
  });

  it('serves all who came, in turns, from its beginning on', async () => {
    const scene = new Scene();
    const window = [1, 2].map(() => scene.consume());
    scene.publish('a', 'b', 'c', 'd');
    scene.log.commit();
    expect(scene.got).toEqual([]);
    scene.queue.begin();
    await scene.end();
    expect(scene.got).toEqual(['a', 'b', 'c', 'd']);
    expect(window.map(({ heldCount }) => heldCount)).toEqual([2, 2]);
    expect(scene.queue.isHeld).toBe(false);
  });

  it('begins with what its predecessor had, flagged, and loses what was not committed', async () => {
    const scene = new Scene();
    scene.queue.begin();
    scene.consume();
    scene.publish('a', 'b', 'c');
    scene.log.commit(2);
    scene.settle('accept');
    scene.succeed();
    scene.got.length = 0;
    scene.consume();
    scene.publish('d');
    scene.log.commit();
    await scene.end();
    expect(scene.got).toEqual([]);
    scene.queue.begin();
    await scene.end();
    expect(scene.got).toEqual(['b*', 'd']);
  });

  it('lets what expired before go when it begins', async () => {
    const scene = new Scene({ 'x-message-ttl': 100 });
    scene.queue.begin();
    scene.publish('a');
    await scene.clock.advance(60);
    scene.publish('b');
    scene.log.commit();
    scene.succeed();
    await scene.clock.advance(50);
    expect(scene.queue.readyCount).toBe(2);
    scene.queue.begin();
    await scene.end();
    expect([scene.queue.readyCount, scene.queue.statistics.dropped.expired]).toEqual([1, 1]);
    await scene.clock.advance(50);
    expect(scene.queue.readyCount).toBe(0);
  });
});

describe('a mirrored queue that is led elsewhere', () => {
  it('ends without a verdict, and says nothing more to its log', async () => {
    const scene = new Scene();
    scene.queue.begin();
    const consumer = scene.consume();
    scene.publish('a', 'b');
    scene.log.commit(1);
    scene.told.length = 0;
    const [held] = scene.held;
    scene.queue.dissolve();
    scene.log.isOver = true;
    expect([scene.detached, scene.told]).toEqual([['moved'], []]);
    scene.publish('c');
    scene.settle('reject', held);
    consumer.grant(1);
    consumer.detach();
    expect(scene.queue.get(null)).toBeNull();
    expect(scene.queue.purge()).toBe(0);
    scene.queue.begin();
    scene.log.onCommitted?.(2);
    await scene.clock.advance(1_000);
    expect([scene.told, scene.got]).toEqual([[], ['a']]);
    expect([scene.queue.unsettledCount, scene.queue.arriving!.count]).toEqual([1, 0]);
  });

  it('wakes whoever waits for its beginning', async () => {
    const scene = new Scene();
    scene.publish('a');
    scene.log.commit();
    const got = scene.queue.get(null);
    const begun = scene.queue.begun();
    scene.queue.dissolve();
    expect(await got).toBeNull();
    await begun;
  });
});
