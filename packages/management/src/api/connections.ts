import type { ConnectionView } from '@chapar/core';
import type { Call } from '../call.js';
import { connectionJson } from '../json/connection.js';
import { list } from '../listing.js';
import { notAuthorised, notFound } from '../problem.js';
import { noContent, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';

/** Everybody sees their own connections; monitors see, and administrators may close, those of others. */
export const connectionRoutes: readonly Route[] = [
  {
    path: '/api/connections',
    summary: 'Open connections',
    GET: { need: 'management', answer: (call) => listConnections(call, () => true) },
  },
  {
    path: '/api/vhosts/:vhost/connections',
    summary: 'Open connections to a virtual host',
    GET: { need: 'vhost', answer: ofVirtualHost },
  },
  {
    path: '/api/connections/username/:user',
    summary: 'Open connections of a user; DELETE closes them, with the reason in the header `X-Reason`',
    GET: { need: 'management', answer: ofUser },
    DELETE: { need: 'management', answer: closeOfUser },
  },
  {
    path: '/api/connections/:connection',
    summary: 'A connection; DELETE closes it, with the reason in the header `X-Reason`',
    GET: { need: 'management', answer: (call) => ok(connectionJson(call.broker, connectionOf(call))) },
    DELETE: { need: 'management', answer: close },
  },
];

/** Those of the caller, or everybody's for monitors. */
export function visibleConnections(call: Call): ConnectionView[] {
  const { broker, caller } = call;
  const all = [...broker.connections];
  return caller.isMonitor ? all : all.filter(({ principal }) => principal.user === caller.user);
}

function listConnections(call: Call, which: (connection: ConnectionView) => boolean): Promise<Reply> {
  const { broker } = call;
  return list(call.query, broker.platform.clock, {
    items: visibleConnections(call).filter(which),
    name: ({ name }) => name,
    order: (a, b) => compareTexts(a.vhost, b.vhost) || compareTexts(a.name, b.name),
    json: (connection) => connectionJson(broker, connection),
  });
}

function ofVirtualHost(call: Call): Promise<Reply> {
  const { name } = call.vhost;
  return listConnections(call, ({ vhost }) => vhost === name);
}

function ofUser(call: Call): Promise<Reply> {
  const user = call.part('user');
  if (!call.caller.isMonitor && user !== call.caller.user) throw notYours();
  return listConnections(call, ({ principal }) => principal.user === user);
}

/** The connection of the path: 404 without one, 401 when it is somebody else's. */
export function connectionOf(call: Call): ConnectionView {
  const name = call.part('connection');
  for (const connection of call.broker.connections) {
    if (connection.name !== name) continue;
    if (call.caller.isMonitor || connection.principal.user === call.caller.user) return connection;
    throw notYours();
  }
  throw notFound();
}

function close(call: Call): Reply {
  const connection = connectionOf(call);
  assertMayClose(call, connection.principal.user);
  connection.close(reasonOf(call));
  return noContent;
}

function closeOfUser(call: Call): Reply {
  const user = call.part('user');
  assertMayClose(call, user);
  call.broker.closeWhere(({ principal }) => principal.user === user, reasonOf(call));
  return noContent;
}

function assertMayClose({ caller }: Call, user: string): void {
  if (!caller.isAdministrator && user !== caller.user) throw notYours();
}

const notYours = () => notAuthorised('User not authorised to access object');

/** What the peer is told. */
function reasonOf(call: Call): string {
  const given = call.headers['x-reason'];
  return typeof given === 'string' && given !== '' ? given : 'Closed via management plugin';
}
