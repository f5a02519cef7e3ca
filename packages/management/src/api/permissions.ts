import type { Call } from '../call.js';
import { type Permitted, permissionJson } from '../json/permission.js';
import { list } from '../listing.js';
import { badRequest, notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';
import { userOf } from './users.js';

export const permissionRoutes: readonly Route[] = [
  {
    path: '/api/permissions',
    summary: 'Permissions of all users',
    GET: { need: 'administrator', answer: (call) => listPermissions(call, () => true) },
  },
  {
    path: '/api/vhosts/:vhost/permissions',
    summary: 'Permissions in a virtual host',
    GET: {
      need: 'administrator',
      answer: (call) => {
        const { name } = call.vhost;
        return listPermissions(call, ({ vhost }) => vhost === name);
      },
    },
  },
  {
    path: '/api/users/:user/permissions',
    summary: 'Permissions of a user',
    GET: {
      need: 'administrator',
      answer: (call) => {
        const { name } = userOf(call);
        return listPermissions(call, ({ user }) => user === name);
      },
    },
  },
  {
    path: '/api/permissions/:vhost/:user',
    summary: 'Permissions of a user in a virtual host: the patterns `configure`, `write`, `read` (RE2)',
    GET: { need: 'administrator', answer: (call) => ok(permissionJson(permittedOf(call))) },
    PUT: { need: 'administrator', answer: put },
    DELETE: { need: 'administrator', answer: remove },
  },
];

function listPermissions(call: Call, which: (each: Permitted) => boolean): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items: call.broker.permissions.list().filter(which),
    name: ({ user }) => user,
    order: (a, b) => compareTexts(a.user, b.user) || compareTexts(a.vhost, b.vhost),
    json: permissionJson,
  });
}

/** The permissions of the path: 404 without them. */
function permittedOf(call: Call): Permitted {
  const vhost = call.vhost.name;
  const user = call.part('user');
  const record = call.broker.permissions.get(vhost, user);
  if (record === undefined) throw notFound();
  return { vhost, user, record };
}

async function put(call: Call): Promise<Reply> {
  const { body, broker } = call;
  const [vhost, user] = existingPair(call);
  body.require('configure', 'write', 'read');
  const isNew = broker.permissions.get(vhost, user) === undefined;
  const record = { configure: body.text('configure', ''), write: body.text('write', ''), read: body.text('read', '') };
  await broker.permissions.set(vhost, user, record);
  return stored(isNew);
}

/** Virtual host and user of the path: 400 in the field's words unless both are there. */
export function existingPair(call: Call): [vhost: string, user: string] {
  const vhost = call.part('vhost');
  const user = call.part('user');
  const { topology, users } = call.broker;
  if (topology.vhosts.has(vhost) && users.get(user) !== undefined) return [vhost, user];
  throw badRequest('vhost_or_user_not_found');
}

async function remove(call: Call): Promise<Reply> {
  const { vhost, user } = permittedOf(call);
  await call.broker.permissions.clear(vhost, user);
  return noContent;
}
