import type { Broker } from '@chapar/core';
import type { Call } from '../call.js';
import { connectionKind } from '../cluster/connection-kinds.js';
import type { Peers } from '../cluster/peers.js';
import { everywhere, findScattered, listScattered, type Scope } from '../cluster/scattered.js';
import type { Row } from '../json/counters.js';
import { notAuthorised, notFound } from '../problem.js';
import { noContent, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

/** Everybody sees their own connections; monitors see, and administrators may close, those of others. On whichever node they are. */
export function connectionRoutes(peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/connections',
      summary: 'Open connections',
      GET: { need: 'management', answer: (call) => listConnections(call, peers, {}) },
    },
    {
      path: '/api/vhosts/:vhost/connections',
      summary: 'Open connections to a virtual host',
      GET: { need: 'vhost', answer: (call) => listConnections(call, peers, { vhosts: [call.vhost.name] }) },
    },
    {
      path: '/api/connections/username/:user',
      summary: 'Open connections of a user; DELETE closes them, with the reason in the header `X-Reason`',
      GET: { need: 'management', answer: (call) => ofUser(call, peers) },
      DELETE: { need: 'management', answer: (call) => closeOfUser(call, peers) },
    },
    {
      path: '/api/connections/:connection',
      summary: 'A connection; DELETE closes it, with the reason in the header `X-Reason`',
      GET: { need: 'management', answer: async (call) => ok((await connectionOf(call, peers)).row) },
      DELETE: { need: 'management', answer: (call) => close(call, peers) },
    },
  ];
}

/** Those of the caller, or everybody's for monitors. */
export function visibleScope({ caller }: Call): Scope {
  return caller.isMonitor ? everywhere : { ...everywhere, user: caller.user };
}

function listConnections(call: Call, peers: Peers, scope: Partial<Scope>): Promise<Reply> {
  return listScattered(call, peers, connectionKind, { ...visibleScope(call), ...scope });
}

function ofUser(call: Call, peers: Peers): Promise<Reply> {
  const user = call.part('user');
  if (!call.caller.isMonitor && user !== call.caller.user) throw notYours();
  return listConnections(call, peers, { user });
}

/** The connection of the path: 404 without one, 401 when it is somebody else's. */
export async function connectionOf(call: Call, peers: Peers): Promise<{ readonly row: Row; readonly node: string }> {
  const connection = call.part('connection');
  const scope = { ...everywhere, connection };
  const found = await findScattered(call.broker, peers, connectionKind, scope, connection);
  if (found === null) throw notFound();
  if (call.caller.isMonitor || found.row['user'] === call.caller.user) return found;
  throw notYours();
}

/** Which connections a node is asked to close, and what their clients are told. A type, so that it is JSON. */
export type Closing = { readonly connection: string | null; readonly user: string; readonly reason: string };
export const closeConnections = 'connections.close';

async function close(call: Call, peers: Peers): Promise<Reply> {
  const { row, node } = await connectionOf(call, peers);
  const user = String(row['user']);
  assertMayClose(call, user);
  const closing: Closing = { connection: String(row['name']), user, reason: reasonOf(call) };
  if (node === call.broker.identity.node) closeHere(call.broker, closing);
  else await peers.ask(node, closeConnections, closing);
  return noContent;
}

async function closeOfUser(call: Call, peers: Peers): Promise<Reply> {
  const user = call.part('user');
  assertMayClose(call, user);
  const closing: Closing = { connection: null, user, reason: reasonOf(call) };
  closeHere(call.broker, closing);
  const { silent } = await peers.askAll(closeConnections, closing);
  // Somebody who locks a user out must know where that failed.
  for (const node of silent) await peers.ask(node, closeConnections, closing);
  return noContent;
}

export function closeHere(broker: Broker, { connection, user, reason }: Closing): void {
  broker.closeWhere(
    ({ name, principal }) => principal.user === user && (connection === null || name === connection),
    reason,
  );
}

function assertMayClose({ caller }: Call, user: string): void {
  if (!caller.isAdministrator && user !== caller.user) throw notYours();
}

const notYours = () => notAuthorised('User not authorised to access object');

/** What the peer is told. */
export function reasonOf(call: Call): string {
  const given = call.headers['x-reason'];
  return typeof given === 'string' && given !== '' ? given : 'Closed via management plugin';
}
