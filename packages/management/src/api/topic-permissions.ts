import type { Call } from '../call.js';
import { type TopicPermitted, topicPermissionJson } from '../json/permission.js';
import { list } from '../listing.js';
import { notFound } from '../problem.js';
import { noContent, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';
import { existingPair } from './permissions.js';
import { userOf } from './users.js';

export const topicPermissionRoutes: readonly Route[] = [
  {
    path: '/api/topic-permissions',
    summary: 'Topic permissions of all users',
    GET: { need: 'administrator', answer: (call) => listTopics(call, call.broker.permissions.listTopics()) },
  },
  {
    path: '/api/vhosts/:vhost/topic-permissions',
    summary: 'Topic permissions in a virtual host',
    GET: { need: 'administrator', answer: inVirtualHost },
  },
  {
    path: '/api/users/:user/topic-permissions',
    summary: 'Topic permissions of a user',
    GET: { need: 'administrator', answer: ofUser },
  },
  {
    path: '/api/topic-permissions/:vhost/:user',
    summary:
      'Topic permissions of a user in a virtual host. PUT: `exchange` and the patterns `write`, `read` on routing keys',
    GET: { need: 'administrator', answer: get },
    PUT: { need: 'administrator', answer: put },
    DELETE: { need: 'administrator', answer: remove },
  },
  {
    path: '/api/topic-permissions/:vhost/:user/:exchange',
    summary: 'The one for an exchange',
    DELETE: { need: 'administrator', answer: remove },
  },
];

function listTopics(call: Call, items: readonly TopicPermitted[]): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items,
    name: ({ user }) => user,
    order: (a, b) =>
      compareTexts(a.user, b.user) || compareTexts(a.vhost, b.vhost) || compareTexts(a.exchange, b.exchange),
    json: topicPermissionJson,
  });
}

function inVirtualHost(call: Call): Promise<Reply> {
  const { name } = call.vhost;
  return listTopics(
    call,
    call.broker.permissions.listTopics().filter(({ vhost }) => vhost === name),
  );
}

function ofUser(call: Call): Promise<Reply> {
  const { name } = userOf(call);
  return listTopics(
    call,
    call.broker.permissions.listTopics().filter(({ user }) => user === name),
  );
}

/** Those of the path: 404 without any. */
function found(call: Call): TopicPermitted[] {
  const { name } = call.vhost;
  const user = call.part('user');
  const all = call.broker.permissions.listTopics().filter((each) => each.vhost === name && each.user === user);
  if (all.length === 0) throw notFound();
  return all;
}

function get(call: Call): Promise<Reply> {
  return listTopics(call, found(call));
}

async function put(call: Call): Promise<Reply> {
  const { body, broker } = call;
  const [vhost, user] = existingPair(call);
  body.require('exchange', 'write', 'read');
  const exchange = body.text('exchange', '');
  const isNew = !broker.permissions.listTopics().some((each) => each.vhost === vhost && each.user === user);
  const record = { write: body.text('write', ''), read: body.text('read', '') };
  await broker.permissions.setTopic(vhost, user, exchange, record);
  return stored(isNew);
}

async function remove(call: Call): Promise<Reply> {
  const exchange = call.part('exchange');
  const all = found(call).filter((each) => exchange === '' || each.exchange === exchange);
  if (all.length === 0) throw notFound();
  for (const each of all) await call.broker.permissions.clearTopic(each.vhost, each.user, each.exchange);
  return noContent;
}
