import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../ports.js';
import { noRules, type QueueRules, rulesOf } from './rules.js';

type Table = { readonly [key: string]: JsonValue };

/** Arguments, merged policy, what comes of them; as RabbitMQ's queue types look up each. */
const cases: readonly (readonly [Table, Table, Partial<QueueRules>])[] = [
  [{}, {}, {}],
  [{ 'x-message-ttl': 5 }, {}, { ttlMs: 5 }],
  [{}, { 'message-ttl': 5 }, { ttlMs: 5 }],
  [{ 'x-message-ttl': 5 }, { 'message-ttl': 9 }, { ttlMs: 5 }],
  [{ 'x-message-ttl': 9 }, { 'message-ttl': 5 }, { ttlMs: 5 }],
  [{ 'x-message-ttl': 9 }, { 'message-ttl': 0 }, { ttlMs: 0 }],
  [{ 'x-expires': 9 }, { expires: 5 }, { expiresMs: 5 }],
  [{ 'x-max-length': 9 }, { 'max-length': 0 }, { lengthMax: 0 }],
  [{ 'x-max-length': 0 }, { 'max-length': 9 }, { lengthMax: 0 }],
  [{ 'x-max-length-bytes': 9 }, { 'max-length-bytes': 5 }, { bytesMax: 5 }],
  [{ 'x-max-length': 9 }, { 'max-length-bytes': 5 }, { lengthMax: 9, bytesMax: 5 }],
  [{ 'x-consumer-timeout': 9 }, { 'consumer-timeout': 5 }, { consumerTimeoutMs: 5 }],
  [{ 'x-overflow': 'drop-head' }, { overflow: 'reject-publish' }, { overflow: 'drop-head' }],
  [{}, { overflow: 'reject-publish' }, { overflow: 'reject-publish' }],
  [
    { 'x-queue-type': 'quorum', 'x-overflow': 'drop-head' },
    { overflow: 'reject-publish' },
    { overflow: 'reject-publish' },
  ],
  [{ 'x-dead-letter-exchange': 'a' }, { 'dead-letter-exchange': 'b' }, { deadLetterExchange: 'a' }],
  [{ 'x-dead-letter-exchange': '' }, { 'dead-letter-exchange': 'b' }, { deadLetterExchange: '' }],
  [{}, { 'dead-letter-exchange': 'b' }, { deadLetterExchange: 'b' }],
  [
    { 'x-dead-letter-exchange': 'a' },
    { 'dead-letter-routing-key': 'k' },
    { deadLetterExchange: 'a', deadLetterRoutingKey: 'k' },
  ],
  [{ 'x-delivery-limit': 3 }, { 'delivery-limit': 5 }, { deliveryLimit: 3 }],
  [{ 'x-delivery-limit': 5 }, { 'delivery-limit': 3 }, { deliveryLimit: 3 }],
  [{ 'x-delivery-limit': -1 }, { 'delivery-limit': 3 }, { deliveryLimit: 3 }],
  [{ 'x-delivery-limit': 0 }, { 'delivery-limit': -1 }, { deliveryLimit: 0 }],
  [{ 'x-delivery-limit': -1 }, {}, {}],
  [{}, { 'delivery-limit': 3 }, { deliveryLimit: 3 }],
  [{}, { 'ha-mode': 'all', 'alternate-exchange': 'x' }, {}],
];

describe('rules of a queue', () => {
  it.each(cases)('%j with the policy %j: %j', (args, policy, expected) => {
    expect(rulesOf(args, policy)).toEqual({ ...noRules, ...expected });
  });

  it('are the shared ones when there are none', () => {
    expect(rulesOf({ 'x-delivery-limit': -1 }, { 'queue-mode': 'lazy' })).toBe(noRules);
  });
});
