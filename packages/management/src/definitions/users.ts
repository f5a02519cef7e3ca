import type { Broker } from '@chapar/core';
import type { Fields } from '../fields.js';
import { badRequest } from '../problem.js';
import { shortText } from '../short-text.js';

/** A user with its hash, as exports have it, or with a password, as people write it. */
export async function importUser(broker: Broker, fields: Fields): Promise<void> {
  fields.require('name');
  const name = shortText('the name of a user', fields.text('name', ''));
  const password = fields.text('password', '');
  const passwordHash = fields.text('password_hash', '');
  if (password !== '' && passwordHash !== '') throw badRequest('both password and password_hash are given');
  await broker.users.put({
    name,
    tags: fields.words('tags'),
    ...(password === '' ? { passwordHash } : { password }),
    ...(fields.has('hashing_algorithm') ? { hashingAlgorithm: fields.text('hashing_algorithm', '') } : {}),
    limits: readLimits(fields),
  });
}

function readLimits(fields: Fields): { [limit: string]: number } {
  const limits: { [limit: string]: number } = {};
  for (const [name, value] of Object.entries(fields.table('limits'))) {
    if (typeof value !== 'number') throw badRequest(`limit ${name} must be a number`);
    limits[name] = value;
  }
  return limits;
}
