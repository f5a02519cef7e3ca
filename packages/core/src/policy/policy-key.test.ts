import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../ports.js';
import { definitionFault } from './policy-key.js';

/** What RabbitMQ 3.10.8 answers to these, with JSON where it shows Erlang terms; what it does not know yet follows its later sources. */
const faulty: readonly (readonly [JsonValue, string])[] = [
  [{}, 'no policy provided'],
  // 500 there.
  ['x', 'definition must be a dictionary: "x"'],
  [[1], 'definition must be a dictionary: [1]'],
  [null, 'definition must be a dictionary: null'],
  [{ foo: 1 }, '{"foo":1} are not recognised policy settings'],
  [{ foo: 1, bar: 'x' }, '{"foo":1,"bar":"x"} are not recognised policy settings'],
  [{ foo: 1, 'message-ttl': 'x' }, '"x" is not a valid message TTL'],
  [{ 'message-ttl': 'x' }, '"x" is not a valid message TTL'],
  [{ 'message-ttl': -1 }, '-1 is not a valid message TTL'],
  [{ 'message-ttl': 1.5 }, '1.5 is not a valid message TTL'],
  [{ 'message-ttl': null }, 'null is not a valid message TTL'],
  [{ 'message-ttl': true }, 'true is not a valid message TTL'],
  [{ 'message-ttl': [1, 'a'] }, '[1,"a"] is not a valid message TTL'],
  [{ expires: 0 }, '0 is not a valid queue expiry'],
  [{ 'max-length': -1 }, '-1 is not a valid maximum length'],
  [{ 'max-length-bytes': -1 }, '-1 is not a valid maximum length in bytes'],
  [{ 'max-in-memory-length': -1 }, '-1 is not a valid maximum memory in bytes'],
  [{ 'max-in-memory-bytes': -1 }, '-1 is not a valid maximum memory in bytes'],
  [{ overflow: 'x' }, '"x" is not a valid overflow value'],
  [{ 'dead-letter-exchange': 1 }, '1 is not a valid dead letter exchange name'],
  [{ 'dead-letter-routing-key': 1 }, '1 is not a valid dead letter routing key'],
  [{ 'dead-letter-strategy': 1 }, '1 is not a valid dead letter strategy'],
  [{ 'delivery-limit': 'a' }, '"a" is not a valid delivery limit'],
  [{ 'consumer-timeout': -1 }, '-1 is not a valid consumer timeout'],
  [{ 'alternate-exchange': 1 }, '1 is not a valid alternate exchange name'],
  [{ 'queue-mode': 1 }, '1 is not a valid queue-mode value'],
  [{ 'queue-version': 3 }, '3 is not a valid queue-version value'],
  [{ 'queue-version': '2' }, '"2" is not a valid queue-version value'],
  [{ 'queue-leader-locator': 'x' }, '"x" is not a valid queue leader locator value'],
  [{ 'queue-master-locator': 'x' }, '"x" invalid queue-master-locator value'],
  [{ 'initial-cluster-size': -1 }, '-1 is not a valid cluster size'],
  [{ 'stream-filter-size-bytes': 256 }, '256 is not a valid filter size. Valid range is 16-255'],
  [{ 'max-age': 'x' }, '"x" is not a valid max age'],
  [{ 'ha-mode': 'x' }, '"x" is not a valid ha-mode value'],
  [{ 'ha-mode': 'exactly' }, 'ha-mode="exactly" takes an integer, none given'],
  [{ 'ha-mode': 'exactly', 'ha-params': 0 }, 'ha-mode="exactly" takes an integer, 0 given'],
  [{ 'ha-mode': 'nodes', 'ha-params': [] }, 'ha-mode="nodes" list must be non-empty'],
  [{ 'ha-mode': 'nodes', 'ha-params': [1] }, 'ha-mode="nodes" takes a list of strings, [1] was not a string'],
  [{ 'ha-mode': 'nodes', 'ha-params': 1 }, 'ha-mode="nodes" takes a list, 1 given'],
  [{ 'ha-mode': 'all', 'ha-params': 1 }, 'ha-mode="all" does not take parameters'],
  [{ 'ha-params': 1 }, 'ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown'],
  [
    { 'ha-sync-mode': 'automatic' },
    'ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown',
  ],
  [{ 'ha-mode': 'all', 'ha-sync-mode': 'x' }, 'ha-sync-mode must be "manual" or "automatic", got "x"'],
  [{ 'ha-mode': 'all', 'ha-sync-batch-size': 'x' }, 'ha-sync-batch-size takes an integer greater than 0, "x" given'],
  [
    { 'ha-mode': 'all', 'ha-promote-on-shutdown': 'x' },
    'ha-promote-on-shutdown must be "always" or "when-synced", got "x"',
  ],
  [
    { 'ha-mode': 'all', 'ha-promote-on-failure': 'x' },
    'ha-promote-on-failure must be "always" or "when-synced", got "x"',
  ],
  [
    { 'federation-upstream': 'a', 'federation-upstream-set': 'all' },
    'cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together',
  ],
];

const sound: readonly JsonValue[] = [
  { 'message-ttl': 0, expires: 1, 'max-length': 0, 'max-length-bytes': 0, overflow: 'reject-publish-dlx' },
  { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'x', 'dead-letter-strategy': 'at-least-once' },
  { 'dead-letter-routing-key': 'x' },
  { 'delivery-limit': -1, 'consumer-timeout': 1, 'alternate-exchange': 'x' },
  { 'queue-mode': 'lazy', 'queue-version': 2, 'queue-leader-locator': 'balanced', 'max-age': '1Y' },
  { 'ha-mode': 'all', 'ha-sync-mode': 'automatic', 'ha-promote-on-shutdown': 'always' },
  { 'ha-mode': 'exactly', 'ha-params': 2 },
  { 'ha-mode': 'nodes', 'ha-params': ['a@b'] },
  { 'queue-master-locator': 'min-masters', 'min-in-sync': 2 },
  { 'federation-upstream-set': 'all', 'message-deduplication': true },
];

describe('a definition', () => {
  it.each(faulty)('%j is refused: %s', (definition, fault) => {
    expect(definitionFault(definition, false)).toBe(fault);
  });

  it.each(sound)('%j is taken', (definition) => {
    expect(definitionFault(definition, false)).toBeNull();
  });

  it.each(['message-ttl', 'expires', 'max-length', 'max-length-bytes', 'delivery-limit'])(
    '%s is taken of operators',
    (key) => {
      expect(definitionFault({ [key]: 4 }, true)).toBeNull();
    },
  );

  it('of operators has the keys that limit, and the refusal names them', () => {
    expect(definitionFault({ 'dead-letter-exchange': 'x', 'message-ttl': 1 }, true)).toMatch(
      /^\{"dead-letter-exchange":"x"\} are not recognised policy settings; operator policies take message-ttl, expires, /,
    );
  });
});
