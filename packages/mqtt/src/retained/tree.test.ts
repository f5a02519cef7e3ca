import { Address, DIALECT_MQTT, Message } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { storedForm } from '../stored-publish.js';
import { matchesFilter } from '../topic-names.js';
import { RetainedTree } from './tree.js';
import { encodeValue, endsAtMs, keptValue, messageOf } from './value.js';

const addressOf = (topic: string) => new Address('amq.topic', topic);

function message(text: string, expirationMs = -1, receivedAtMs = 1_000): Message {
  const bytes = Buffer.from(text);
  const form = storedForm(1, true, Buffer.alloc(0));
  const { length } = bytes;
  const made = new Message(
    addressOf('k'),
    DIALECT_MQTT,
    true,
    -1,
    expirationMs,
    form,
    0,
    form.length,
    0,
    0,
    [bytes],
    length,
  );
  made.receivedAtMs = receivedAtMs;
  return made;
}

const valueFor = (text: string, expirationMs = -1, receivedAtMs = 1_000) =>
  keptValue(encodeValue(message(text, expirationMs, receivedAtMs)));

function treeOf(topics: readonly string[], nowMs = () => 0): RetainedTree {
  const tree = new RetainedTree(nowMs);
  for (const [i, topic] of topics.entries()) tree.set(topic, valueFor(topic), i + 1);
  return tree;
}

const found = (tree: RetainedTree, filter: string) =>
  [...tree.matching(filter)].flatMap((each) => (each === null ? [] : [each.topic])).sort();

/** Topics of up to four levels out of few names, empty ones and `$` among them, in an order of chance. */
function topicsByChance(random: () => number, count: number): string[] {
  const names = ['a', 'b', '', '$x', 'long name', 'é'];
  const one = () => names[Math.floor(random() * names.length)]!;
  const topics = Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(random() * 4) }, one).join('/'),
  );
  return [...new Set(topics)].filter((topic) => topic !== '');
}

function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the tree of retained messages', () => {
  it('finds what the rules of filters find, whatever was put and deleted', () => {
    const filters = [
      '#',
      '+',
      '+/+',
      'a/#',
      '+/b',
      'a/+/b',
      '+/+/#',
      '/#',
      '/+',
      '$x/#',
      '$x/+',
      '+/$x',
      'a',
      'a/b/a/b',
      '+/é/#',
    ];
    let finds = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = chance(seed);
      const topics = topicsByChance(random, 60);
      const tree = treeOf(topics);
      const left = topics.filter((topic, i) => {
        const stays = random() < 0.6;
        if (!stays) expect(tree.delete(topic)).toBe(i + 1);
        return stays;
      });
      expect(tree.count).toBe(left.length);
      for (const [i, topic] of topics.entries()) expect(tree.positionOf(topic)).toBe(left.includes(topic) ? i + 1 : 0);
      for (const filter of filters) {
        const hidden = (topic: string) => /^[+#]/.test(filter) && topic.startsWith('$');
        const expected = left.filter((topic) => !hidden(topic) && matchesFilter(filter.split('/'), topic.split('/')));
        expect(found(tree, filter), `${seed} ${filter}`).toEqual(expected.sort());
        finds += expected.length;
      }
      const standing = [...tree.standing((position) => position % 2 === 0)].map(({ topic }) => topic);
      expect(standing.sort()).toEqual(left.filter((topic) => topics.indexOf(topic) % 2 === 1).sort());
    }
    expect(finds).toBeGreaterThan(2_000);
  });

  it('is left empty by who takes everything out again', () => {
    const topics = ['a', 'a/b', 'a/b/c', 'a/c', 'd/e/f'];
    const tree = treeOf(topics);
    for (const topic of topics) tree.delete(topic);
    expect(tree.delete('a')).toBe(0);
    expect(tree.count).toBe(0);
    // No level is left that would have to be looked at: two steps find the end.
    expect([...tree.expired()].length).toBeLessThanOrEqual(2);
  });

  it('stops between finds that are far from each other, and goes on', () => {
    const topics = Array.from({ length: 5_000 }, (_, i) => `s${i % 7}/${i}/x`);
    const tree = treeOf([...topics, 's3/9999/y']);
    const seen = [...tree.matching('+/+/y')];
    expect(seen.filter((each) => each !== null).map(({ topic }) => topic)).toEqual(['s3/9999/y']);
    // Ten thousand levels, at most 64 of them in one go.
    expect(seen.length).toBeGreaterThan(10_000 / 64 / 2);
    expect([...tree.matching('s3/9999/y')].length).toBe(1);
  });

  it('is walked on while topics come and go', () => {
    const tree = treeOf(Array.from({ length: 100 }, (_, i) => `a/${i}`));
    const walk = tree.matching('a/+');
    for (let i = 0; i < 10; i++) walk.next();
    for (let i = 5; i < 50; i++) tree.delete(`a/${i}`);
    tree.set('a/new', valueFor('n'), 500);
    const rest = [...walk].flatMap((each) => (each === null ? [] : [each.topic]));
    expect(rest).toEqual([...Array.from({ length: 50 }, (_, i) => `a/${i + 50}`), 'a/new']);
  });

  it('passes over what has expired, and tells it to who sweeps', () => {
    let nowMs = 10_999;
    const tree = new RetainedTree(() => nowMs);
    tree.set('short', valueFor('s', 10_000), 1);
    tree.set('long', valueFor('l', 20_000), 2);
    tree.set('ever', valueFor('e'), 3);
    const swept = () => [...tree.expired()].flatMap((each) => (each === null ? [] : [each]));
    expect([found(tree, '#'), swept()]).toEqual([['ever', 'long', 'short'], []]);
    nowMs = 11_000;
    expect(found(tree, '#')).toEqual(['ever', 'long']);
    expect(swept()).toEqual([{ topic: 'short', position: 1 }]);
  });
});

describe('a retained value', () => {
  it.each([0, 3, 900, 5_000])('comes out as it went in, with %i bytes', (bytes) => {
    const text = 'ÿ\0é'.repeat(bytes / 3);
    for (const expirationMs of [-1, 0, 86_400_000]) {
      const value = keptValue(encodeValue(message(text, expirationMs, 1_700_000_000_123)));
      const again = messageOf(addressOf('t'), value);
      expect(again).toMatchObject({
        expirationMs,
        receivedAtMs: 1_700_000_000_123,
        bodyBytes: Buffer.byteLength(text),
      });
      expect(again.body().toString()).toBe(text);
      expect(endsAtMs(value)).toBe(expirationMs < 0 ? Number.POSITIVE_INFINITY : 1_700_000_000_123 + expirationMs);
    }
  });

  it('pins no memory but its own', () => {
    const large = keptValue(Buffer.alloc(100_000).subarray(10, 5_000));
    expect((large as Buffer).buffer.byteLength).toBe(4_990);
    expect(typeof keptValue(Buffer.alloc(100_000).subarray(10, 200))).toBe('string');
  });

  it('has no topic, which is its key', () => {
    const topic = 'a/long/topic';
    const packet = Buffer.concat([Buffer.from([0x31, 20, 0, topic.length]), Buffer.from(topic), Buffer.from('body')]);
    const end = packet.length;
    const came = new Message(addressOf('k'), DIALECT_MQTT, true, -1, -1, packet, 0, end - 4, end - 4, end, null, 4);
    const value = encodeValue(came);
    expect(value.includes(topic)).toBe(false);
    expect(messageOf(addressOf('k'), value).body().toString()).toBe('body');
  });
});
