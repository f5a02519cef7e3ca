import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bindingKeyOf, routingKeyOf, topicOf } from './topic-bridge.js';
import { isTopicFilter, isTopicName, matchesFilter } from './topic-names.js';
import { FilterTrie } from './topic-trie.js';

const character = fc.constantFrom('a', 'b', '.', '*', '%', '2', 'E', '/', ' ', 'ä', '$');
const topic = fc.array(character, { minLength: 1, maxLength: 12 }).map((each) => each.join(''));
const level = fc.oneof(
  fc.constantFrom('+', 'a', 'b', '', '.', '*', '%23'),
  topic.map((each) => each.replaceAll('/', '')),
);
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, many]) => [...levels, ...(many ? ['#'] : [])].join('/'))
  .filter(isTopicFilter);

test('a topic is what it was when it has been a routing key', () => {
  fc.assert(fc.property(topic.filter(isTopicName), (each) => topicOf(routingKeyOf(each)) === each));
});

test('different topics have different keys', () => {
  fc.assert(fc.property(topic, topic, (a, b) => a === b || routingKeyOf(a) !== routingKeyOf(b)));
});

test('any key is a topic without wildcards and NUL', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (key) => isTopicName(topicOf(key)) && !topicOf(key).includes('\0')),
  );
});

test('a filter matches by AMQP as it does by MQTT, but for $-topics', () => {
  const matches = (key: string, words: string): boolean => {
    const literal = (word: string) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    let pattern = '';
    key.split('.').forEach((word, at) => {
      if (word === '#') pattern += at === 0 ? '(?:[^.]*(?:\\.[^.]*)*)?' : '(?:\\.[^.]*)*';
      else pattern += `${at === 0 ? '' : '\\.'}${word === '*' ? '[^.]*' : literal(word)}`;
    });
    return new RegExp(`^${pattern}$`, 's').test(words);
  };
  fc.assert(
    fc.property(
      filter,
      topic.filter((each) => !each.startsWith('$')),
      (wanted, name) => {
        const byAmqp = matches(bindingKeyOf(wanted), routingKeyOf(name));
        return byAmqp === matchesFilter(wanted.split('/'), name.split('/'));
      },
    ),
    { numRuns: 1000 },
  );
});

test('the trie finds what matches one by one, also after others were deleted', () => {
  fc.assert(
    fc.property(
      fc.array(filter, { maxLength: 12 }),
      fc.array(filter, { maxLength: 4 }),
      topic,
      (filters, gone, name) => {
        const trie = new FilterTrie<string>();
        for (const each of filters) trie.set(each, each);
        for (const each of gone) trie.delete(each);
        const found: string[] = [];
        trie.match(name, (each) => found.push(each));
        const expected = [...new Set(filters)].filter(
          (each) => !gone.includes(each) && matchesFilter(each.split('/'), name.split('/')),
        );
        expect(found.sort()).toEqual(expected.sort());
      },
    ),
    { numRuns: 500 },
  );
});

test('examples', () => {
  expect(routingKeyOf('a.b/c*d/%/#')).toBe('a%2Eb.c%2Ad.%25.%23');
  expect(bindingKeyOf('a.b/+/#')).toBe('a%2Eb.*.#');
  expect(topicOf('a/b.c+d.e#f')).toBe('a%2Fb/c%2Bd/e%23f');
});
