import { createSimPlatform } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { SteppedMetadata } from '../../../../test/support/stepped-metadata.js';
import type { JsonValue } from '../ports.js';
import { Records } from '../records.js';
import { noPolicy } from './effective-policy.js';
import { Policies, type PolicyChange } from './policies.js';
import type { PolicySubject } from './policy.js';

const platform = createSimPlatform(1);
const classic = (name: string): PolicySubject => ({ kind: 'classic_queues', name });
const record = (pattern: string, more: { [key: string]: JsonValue } = {}): JsonValue => ({
  pattern,
  priority: 0,
  'apply-to': 'all',
  definition: { 'max-length': 1 },
  ...more,
});

describe('policies', () => {
  let records: Records;
  let policies: Policies;
  const nameOf = (subject: PolicySubject) => policies.of('/', subject).policy?.name ?? null;

  beforeEach(async () => {
    records = new Records(new SteppedMetadata());
    await records.open();
    policies = new Policies(platform.log);
    policies.follow(records);
  });

  it('apply one at a time: the highest priority, then the name', async () => {
    await records.put('policies', ['/', 'b'], record('^q'));
    await records.put('policies', ['/', 'a'], record('^q'));
    await records.put('policies', ['/', 'z'], record('^q', { priority: -1 }));
    expect(nameOf(classic('q'))).toBe('a');
    await records.put('policies', ['/', 'z'], record('^q', { priority: 1 }));
    expect(nameOf(classic('q'))).toBe('z');
    expect(nameOf(classic('other'))).toBeNull();
    await records.delete('policies', '/', 'z');
    expect(nameOf(classic('q'))).toBe('a');
  });

  it('of another virtual host do not apply', async () => {
    await records.put('policies', ['other', 'a'], record('.*'));
    expect(policies.of('/', classic('q'))).toBe(noPolicy);
  });

  it.each([
    ['all', ['exchanges', 'classic_queues', 'quorum_queues', 'streams']],
    ['exchanges', ['exchanges']],
    ['queues', ['classic_queues', 'quorum_queues', 'streams']],
    ['classic_queues', ['classic_queues']],
    ['quorum_queues', ['quorum_queues']],
    ['streams', ['streams']],
  ])('that apply to %s cover %j', async (applyTo, kinds) => {
    await records.put('policies', ['/', 'a'], record('', { 'apply-to': applyTo }));
    const all = ['exchanges', 'classic_queues', 'quorum_queues', 'streams'] as const;
    expect(all.filter((kind) => nameOf({ kind, name: 'q' }) !== null)).toEqual(kinds);
  });

  it('and operator policies apply together', async () => {
    await records.put(
      'policies',
      ['/', 'mine'],
      record('.*', { definition: { 'max-length': 9, overflow: 'drop-head' } }),
    );
    await records.put('operator-policies', ['/', 'theirs'], record('.*', { definition: { 'max-length': 5 } }));
    const both = policies.of('/', classic('q'));
    expect([both.policy?.name, both.operatorPolicy?.name]).toEqual(['mine', 'theirs']);
    expect(both.definition).toEqual({ 'max-length': 5, overflow: 'drop-head' });
    expect(policies.of('/', classic('p'))).toBe(both);
  });

  it('that were stored before anybody looked at them and are none are left out, and said', async () => {
    await records.put('policies', ['/', 'bad'], record('('));
    await records.put('policies', ['/', 'worse'], record('.*', { definition: { nonsense: 1 } }));
    expect(policies.of('/', classic('q'))).toBe(noPolicy);
    const text = JSON.stringify(platform.log.lines);
    expect(text).toContain('is not valid and was left out');
  });

  it('with settings that do not act yet say so once', async () => {
    const lines = () => platform.log.lines.filter(({ message }) => message.includes('ha-mode is kept'));
    for (const name of ['a', 'b'])
      await records.put('policies', ['/', name], record('', { definition: { 'ha-mode': 'all' } }));
    expect(lines()).toHaveLength(1);
  });

  it('are found after each change as if all were asked again', async () => {
    const { random } = platform;
    const subjects = Array.from(
      { length: 24 },
      (_, i): PolicySubject => ({
        kind: i % 3 === 0 ? 'exchanges' : i % 3 === 1 ? 'classic_queues' : 'quorum_queues',
        name: `${'ab'[i % 2]}${i % 4}`,
      }),
    );
    let held = subjects.map((subject) => policies.of('/', subject));
    policies.onChanged = (vhost: string, change: PolicyChange) => {
      held = subjects.map((subject, i) => policies.after(vhost, change, held[i]!, subject));
    };
    const pick = <T>(from: readonly T[]): T => from[random.integer(from.length)]!;
    for (let i = 0; i < 300; i++) {
      const collection = pick(['policies', 'operator-policies'] as const);
      const name = pick(['p', 'q', 'r', 's']);
      if (random.integer(3) === 0) await records.delete(collection, '/', name);
      else {
        const applyTo = pick(['all', 'exchanges', 'queues', 'classic_queues', 'quorum_queues']);
        const pattern = pick(['^a', '^b', '1$', '.*', '^[ab][02]']);
        await records.put(
          collection,
          ['/', name],
          record(pattern, { priority: random.integer(3), 'apply-to': applyTo, definition: { 'max-length': i } }),
        );
      }
      expect(held).toEqual(subjects.map((subject) => policies.of('/', subject)));
    }
  });
});
