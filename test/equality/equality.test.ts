import { describe, expect, test } from 'vitest';
import { chapar } from './chapar.js';
import { compare } from './comparison.js';
import { additions, blocks, texts } from './differences.js';
import { pending } from './pending.js';
import { sessions } from './sessions.js';
import { recorded, transcribe } from './transcript.js';

const found = new Set<object>();

describe('Chapar says what RabbitMQ said', () => {
  test.each(sessions.map((session) => [session.name, session] as const))('%s', async (name, session) => {
    const theirs = recorded(session);
    expect(theirs, 'RabbitMQ was never asked: README.md says how to record').not.toBeNull();
    const verdict = compare(name, theirs!, await transcribe(session, chapar));
    for (const difference of verdict.found) found.add(difference);
    if (pending[name] === undefined) expect(verdict.unexplained ?? '').toBe('');
    else expect(verdict.unexplained, `${name} passes now: take it off the list in pending.ts`).not.toBeNull();
  });
});

describe('the lists', () => {
  test('what is listed as different is different', () => {
    const listed = [...texts, ...additions, ...blocks];
    const names = listed.filter((one) => !found.has(one)).map((one) => [one.reason, one.ours]);
    expect(names, 'listed in differences.ts, and not found in any session').toEqual([]);
  });

  test('what is listed as pending is a session', () => {
    const names = sessions.map(({ name }) => name);
    expect(Object.keys(pending).filter((name) => !names.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });
});
