import { describe, expect, it } from 'vitest';
import type { Arguments } from '../arguments.js';
import { EffectivePolicy } from './effective-policy.js';
import { type MirroringWish, mirroringWish } from './mirroring.js';
import { Policy } from './policy.js';

const wish = (args: Arguments, policy: Arguments, more: { durable?: boolean; owner?: object } = {}) =>
  mirroringWish({ durable: true, owner: null, arguments: args, ...more }, policy);

const quorum = { 'x-queue-type': 'quorum' };

describe('what a queue wishes of its copies', () => {
  for (const [what, args, policy, expected] of [
    ['nothing', {}, {}, null],
    ['nothing for a policy about something else', {}, { 'max-length': 1, 'min-in-sync': 2 }, null],
    ['one on each node', {}, { 'ha-mode': 'all' }, { copies: 'all', min: null }],
    ['as many as the policy says', {}, { 'ha-mode': 'exactly', 'ha-params': 2 }, { copies: 2, min: null }],
    ['the nodes that it names', {}, { 'ha-mode': 'nodes', 'ha-params': ['a', 'b'] }, { copies: ['a', 'b'], min: null }],
    [
      'the same for a classic queue that says so',
      { 'x-queue-type': 'classic' },
      { 'ha-mode': 'all' },
      { copies: 'all', min: null },
    ],
    ['how many must be in sync', {}, { 'ha-mode': 'all', 'min-in-sync': 2 }, { copies: 'all', min: 2 }],
    [
      'the same however it is synchronized',
      {},
      { 'ha-mode': 'all', 'ha-sync-mode': 'manual' },
      { copies: 'all', min: null },
    ],
    ['three for a quorum queue', quorum, {}, { copies: 3, min: null }],
    ['as many as a quorum queue says', { ...quorum, 'x-quorum-initial-group-size': 5 }, {}, { copies: 5, min: null }],
    [
      'its own for a quorum queue, whatever ha-mode says',
      quorum,
      { 'ha-mode': 'exactly', 'ha-params': 2, 'min-in-sync': 3 },
      { copies: 3, min: 3 },
    ],
    ['nothing by parameters that are of another mode', {}, { 'ha-mode': 'exactly', 'ha-params': ['a'] }, null],
  ] as const satisfies readonly (readonly [string, Arguments, Arguments, MirroringWish | null])[]) {
    it(what, () => expect(wish(args, policy)).toEqual(expected));
  }

  it('nothing where it is exclusive or transient', () => {
    expect(wish({}, { 'ha-mode': 'all' }, { durable: false })).toBeNull();
    expect(wish({}, { 'ha-mode': 'all' }, { owner: {} })).toBeNull();
  });

  it('what a policy and an operator policy come to', () => {
    const policy = (kind: 'policy' | 'operator_policy', definition: Arguments) =>
      new Policy(kind, 'p', { pattern: '', definition, priority: 0, 'apply-to': 'queues' });
    const both = new EffectivePolicy(
      policy('policy', { 'ha-mode': 'exactly', 'ha-params': 2, 'min-in-sync': 1 }),
      policy('operator_policy', { 'ha-mode': 'exactly', 'ha-params': 3, 'min-in-sync': 2 }),
    );
    expect(wish({}, both.definition)).toEqual({ copies: 3, min: 2 });
  });
});
