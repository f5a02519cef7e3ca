import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../ports.js';
import { EffectivePolicy, noPolicy } from './effective-policy.js';
import { Policy, type PolicyKind } from './policy.js';

type Definition = { readonly [key: string]: JsonValue };

function policy(kind: PolicyKind, definition: Definition): Policy {
  return new Policy(kind, kind === 'policy' ? 'mine' : 'theirs', {
    pattern: '',
    priority: 0,
    'apply-to': 'all',
    definition,
  });
}

const merge = (own: Definition, operators: Definition) =>
  new EffectivePolicy(policy('policy', own), policy('operator_policy', operators));

/** Policy, operator policy, both together. As rabbit_policies:merge_policy_value and its likes in 3.13 and 4.x decide. */
const merges: readonly (readonly [Definition, Definition, Definition])[] = [
  [{ 'message-ttl': 1000 }, { 'message-ttl': 500 }, { 'message-ttl': 500 }],
  [{ 'message-ttl': 100 }, { 'message-ttl': 500 }, { 'message-ttl': 100 }],
  [{ expires: 100 }, { expires: 500 }, { expires: 100 }],
  [{ 'max-length': 10 }, { 'max-length': 3 }, { 'max-length': 3 }],
  [{ 'max-length-bytes': 10 }, { 'max-length-bytes': 3 }, { 'max-length-bytes': 3 }],
  [{ 'max-in-memory-length': 10 }, { 'max-in-memory-length': 3 }, { 'max-in-memory-length': 3 }],
  [{ 'delivery-limit': 10 }, { 'delivery-limit': 3 }, { 'delivery-limit': 3 }],
  [{ 'delivery-limit': -1 }, { 'delivery-limit': 3 }, { 'delivery-limit': 3 }],
  [{ 'delivery-limit': 10 }, { 'delivery-limit': -1 }, { 'delivery-limit': 10 }],
  [{ overflow: 'drop-head' }, { overflow: 'reject-publish' }, { overflow: 'reject-publish' }],
  [{ 'queue-version': 2 }, { 'queue-version': 1 }, { 'queue-version': 1 }],
  [{ 'target-group-size': 5 }, { 'target-group-size': 3 }, { 'target-group-size': 5 }],
  [{ 'ha-mode': 'all' }, { 'ha-mode': 'exactly', 'ha-params': 2 }, { 'ha-mode': 'all', 'ha-params': 2 }],
  [
    { 'ha-mode': 'exactly', 'ha-params': 2 },
    { 'ha-mode': 'exactly', 'ha-params': 3 },
    { 'ha-mode': 'exactly', 'ha-params': 3 },
  ],
  [
    { 'ha-mode': 'nodes', 'ha-params': ['a'] },
    { 'ha-mode': 'exactly', 'ha-params': 1 },
    { 'ha-mode': 'exactly', 'ha-params': 1 },
  ],
  [
    { 'ha-mode': 'nodes', 'ha-params': ['a', 'b'] },
    { 'ha-mode': 'nodes', 'ha-params': ['c'] },
    { 'ha-mode': 'nodes', 'ha-params': ['a', 'b'] },
  ],
  [
    { 'dead-letter-exchange': 'dlx', 'message-ttl': 9 },
    { 'max-length': 5 },
    { 'dead-letter-exchange': 'dlx', 'message-ttl': 9, 'max-length': 5 },
  ],
];

describe('what policies come to', () => {
  it.each(merges)('%j under %j is %j', (own, operators, both) => {
    expect(merge(own, operators).definition).toEqual(both);
  });

  it('is the definition of the one there is, or nothing', () => {
    const one = { 'max-length': 1 };
    expect(new EffectivePolicy(policy('policy', one), null).definition).toBe(one);
    expect(new EffectivePolicy(null, policy('operator_policy', one)).definition).toBe(one);
    expect(noPolicy.definition).toEqual({});
  });

  it('tells of each key which policy it comes from', () => {
    const both = merge(
      { 'message-ttl': 100, 'max-length': 10, 'dead-letter-exchange': 'x' },
      {
        'message-ttl': 500,
        'max-length': 3,
        expires: 1,
      },
    );
    const origins = ['message-ttl', 'max-length', 'dead-letter-exchange', 'expires', 'overflow'].map(
      (key) => both.originOf(key)?.name ?? null,
    );
    expect(origins).toEqual(['mine', 'theirs', 'mine', 'theirs', null]);
  });
});
