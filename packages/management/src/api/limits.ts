import type { JsonValue, User } from '@chapar/core';
import type { Call } from '../call.js';
import type { Row } from '../json/counters.js';
import { type LimitNames, putLimits, readLimit, userLimits, vhostLimits } from '../limit.js';
import { list } from '../listing.js';
import { badRequest, notAuthorised } from '../problem.js';
import { noContent, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { userOf } from './users.js';

/** Limits of virtual hosts and users; a negative value is none. */
export const limitRoutes: readonly Route[] = [
  {
    path: '/api/vhost-limits',
    summary: 'Limits of virtual hosts',
    GET: { need: 'management', answer: ofVirtualHosts },
  },
  {
    path: '/api/vhost-limits/:vhost',
    summary: 'Limits of a virtual host',
    GET: { need: 'vhost', answer: ofVirtualHosts },
  },
  {
    path: '/api/vhost-limits/:vhost/:name',
    summary: '`max-connections` or `max-queues` of a virtual host: `value`',
    PUT: { need: 'administrator', answer: putOfVirtualHost },
    DELETE: { need: 'administrator', answer: removeOfVirtualHost },
  },
  {
    path: '/api/user-limits',
    summary: 'Limits of users',
    GET: { need: 'administrator', answer: (call) => listOfUsers(call, call.broker.users.list()) },
  },
  {
    path: '/api/user-limits/:user',
    summary: 'Limits of a user; everybody may see their own',
    GET: { need: 'management', answer: ofUser },
  },
  {
    path: '/api/user-limits/:user/:name',
    summary: '`max-connections` or `max-channels` of a user: `value`',
    PUT: { need: 'administrator', answer: putOfUser },
    DELETE: { need: 'administrator', answer: removeOfUser },
  },
];

function wantedValue(call: Call, known: LimitNames): [name: string, value: number] {
  const name = call.part('name');
  call.body.require('value');
  return [name, readLimit(known, name, call.body.value('value')!)];
}

// ---- virtual hosts ----------------------------------------------------------------------------------------------

async function ofVirtualHosts(call: Call): Promise<Reply> {
  const rows = (await call.virtualHosts()).map(({ name }) => vhostLimitsJson(call, name));
  return list(call.query, call.broker.platform.clock, {
    items: rows.filter((row) => row !== null),
    name: ({ vhost }) => String(vhost),
    order: null,
    json: (row) => row,
  });
}

function vhostLimitsJson({ broker }: Call, vhost: string): Row | null {
  const limits = broker.records.list('vhost-limits', vhost);
  if (limits.length === 0) return null;
  return {
    vhost,
    value: Object.fromEntries(limits.map(({ names, value }): [string, JsonValue] => [names[1]!, value])),
  };
}

async function putOfVirtualHost(call: Call): Promise<Reply> {
  const vhost = call.vhost.name;
  const [name, value] = wantedValue(call, vhostLimits);
  await call.broker.records.put('vhost-limits', [vhost, name], value);
  return noContent;
}

async function removeOfVirtualHost(call: Call): Promise<Reply> {
  await call.broker.records.delete('vhost-limits', call.vhost.name, call.part('name'));
  return noContent;
}

// ---- users ------------------------------------------------------------------------------------------------------

function listOfUsers(call: Call, users: readonly User[]): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items: users.filter(({ limits }) => Object.keys(limits).length > 0),
    name: ({ name }) => name,
    order: null,
    json: ({ name, limits }) => ({ user: name, value: limits }),
  });
}

function ofUser(call: Call): Promise<Reply> {
  const { caller } = call;
  if (!caller.isAdministrator && caller.user !== call.part('user')) throw notAuthorised('Not administrator user');
  return listOfUsers(call, [userOf(call)]);
}

async function putOfUser(call: Call): Promise<Reply> {
  const [limit, value] = wantedValue(call, userLimits);
  const user = call.broker.users.get(call.part('user'));
  if (user === undefined) throw badRequest(`no such user: '${call.part('user')}'`);
  await putLimits(call.broker.users, user, { ...user.limits, [limit]: value });
  return noContent;
}

async function removeOfUser(call: Call): Promise<Reply> {
  const user = userOf(call);
  const { [call.part('name')]: _gone, ...limits } = user.limits;
  await putLimits(call.broker.users, user, limits);
  return noContent;
}
