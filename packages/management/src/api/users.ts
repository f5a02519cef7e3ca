import type { User } from '@chapar/core';
import type { Call } from '../call.js';
import { userJson } from '../json/user.js';
import { list } from '../listing.js';
import { badRequest, notFound, refusing } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';

export const userRoutes: readonly Route[] = [
  {
    path: '/api/users',
    summary: 'Users with their password hashes',
    GET: { need: 'administrator', answer: (call) => listUsers(call, call.broker.users.list()) },
  },
  {
    path: '/api/users/without-permissions',
    summary: 'Users without permissions in any virtual host',
    GET: { need: 'administrator', answer: withoutPermissions },
  },
  {
    path: '/api/users/bulk-delete',
    summary: 'Deletes the users named in `users`',
    POST: { need: 'administrator', answer: removeMany },
  },
  {
    path: '/api/users/:user',
    summary:
      'A user. PUT: `tags` (required) and one of `password`, `password_hash` (with `hashing_algorithm`), or neither for no password',
    GET: { need: 'administrator', answer: (call) => ok(userJson(userOf(call))) },
    PUT: { need: 'administrator', answer: put },
    DELETE: { need: 'administrator', answer: remove },
  },
];

function listUsers(call: Call, items: readonly User[]): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, { items, name: ({ name }) => name, order: null, json: userJson });
}

function withoutPermissions(call: Call): Promise<Reply> {
  const { users, permissions } = call.broker;
  const known = new Set(permissions.list().map(({ user }) => user));
  return listUsers(
    call,
    users.list().filter(({ name }) => !known.has(name)),
  );
}

/** The user of the path: 404 without one. */
export function userOf(call: Call): User {
  const user = call.broker.users.get(call.part('user'));
  if (user === undefined) throw notFound();
  return user;
}

async function put(call: Call): Promise<Reply> {
  const { body, broker } = call;
  const name = shortText('the name of a user', call.part('user'));
  const existing = broker.users.get(name);
  // Tags decide what a user may do here, so nobody gets them, or loses them, by leaving them out.
  if (!body.has('tags')) throw badRequest('tags_not_present');
  const password = body.text('password', '');
  const passwordHash = body.text('password_hash', '');
  if (password !== '' && passwordHash !== '') throw badRequest('both password and password_hash are given');
  await refusing(() =>
    broker.users.put({
      name,
      tags: body.words('tags'),
      ...(password === '' ? { passwordHash } : { password }),
      ...(body.has('hashing_algorithm') ? { hashingAlgorithm: body.text('hashing_algorithm', '') } : {}),
      limits: existing?.limits ?? {},
    }),
  );
  return stored(existing === undefined);
}

async function remove(call: Call): Promise<Reply> {
  if (!(await call.broker.deleteUser(call.part('user')))) throw notFound();
  return noContent;
}

async function removeMany(call: Call): Promise<Reply> {
  const { body, broker } = call;
  body.require('users');
  for (const name of body.words('users')) await broker.deleteUser(name);
  return noContent;
}
