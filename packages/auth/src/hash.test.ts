import { NodeRandom } from '@chapar/platform';
import { describe, expect, test } from 'vitest';
import {
  algorithms,
  checkHash,
  fieldAlgorithm,
  fieldHash,
  hashPassword,
  scryptAlgorithm,
  verifyPassword,
} from './hash.js';

const random = new NodeRandom();

describe('the hash that the field documents', () => {
  // rabbitmq.com/docs/passwords#computing-password-hash
  const documented = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';

  test('is what we compute', () => {
    expect(fieldHash('test12', Buffer.from('908DC60A', 'hex'))).toBe(documented);
  });
  test('is what we verify', async () => {
    expect(await verifyPassword('test12', fieldAlgorithm, documented)).toBe(true);
    expect(await verifyPassword('test13', fieldAlgorithm, documented)).toBe(false);
  });
});

test.each(algorithms)('%s: the right password fits, others do not, and salts differ', async (algorithm) => {
  const password = 'pässwörd \u{1f511}';
  const hash = await hashPassword(password, random, algorithm);
  expect(await verifyPassword(password, algorithm, hash)).toBe(true);
  expect(await verifyPassword(`${password} `, algorithm, hash)).toBe(false);
  expect(await verifyPassword('', algorithm, hash)).toBe(false);
  expect(await hashPassword(password, random, algorithm)).not.toBe(hash);
});

test('the parameters of scrypt come from the hash', async () => {
  const { scryptSync } = await import('node:crypto');
  const salt = Buffer.from('0123456789abcdef');
  const key = scryptSync('pleaseletmein', salt, 32, { N: 1024, r: 4, p: 2 });
  const hash = Buffer.concat([Buffer.from([10, 4, 2, 0]), salt, key]).toString('base64');
  expect(await verifyPassword('pleaseletmein', scryptAlgorithm, hash)).toBe(true);
  expect(await verifyPassword('pleaseletmeout', scryptAlgorithm, hash)).toBe(false);
});

describe('a malformed hash is refused', () => {
  const good = fieldHash('x', Buffer.from([1, 2, 3, 4]));
  const scryptWith = (...header: number[]) => Buffer.concat([Buffer.from(header), Buffer.alloc(48)]).toString('base64');

  test.each([
    ['rabbit_password_hashing_sha1', good, 'is not a password hashing algorithm'],
    [fieldAlgorithm, `${good}!`, 'not base64'],
    [fieldAlgorithm, good.slice(0, -1), 'not base64'],
    [fieldAlgorithm, good.slice(4), 'has 36 bytes'],
    [fieldAlgorithm, '', 'has 36 bytes, this one 0'],
    ['rabbit_password_hashing_sha512', good, 'has 68 bytes, this one 36'],
    [scryptAlgorithm, good, 'has 52 bytes'],
    [scryptAlgorithm, scryptWith(20, 8, 1, 0), 'N=2^20, r=8, p=1 is not taken'],
    [scryptAlgorithm, scryptWith(14, 255, 1, 0), 'is not taken'],
    [scryptAlgorithm, scryptWith(14, 0, 1, 0), 'is not taken'],
    [scryptAlgorithm, scryptWith(14, 8, 200, 0), 'is not taken'],
    [scryptAlgorithm, scryptWith(0, 8, 1, 0), 'is not taken'],
    [scryptAlgorithm, scryptWith(14, 8, 1, 1), 'is not taken'],
  ])('%s %s', (algorithm, hash, why) => {
    expect(() => checkHash(algorithm, hash)).toThrow(RangeError);
    expect(() => checkHash(algorithm, hash)).toThrow(why);
  });
});
