import type { Broker } from '@chapar/core';
import type { Call } from '../call.js';
import type { Peers } from '../cluster/peers.js';
import { everywhere, findScattered, listScattered, type Scope } from '../cluster/scattered.js';
import { sessionKind, wholeSessionKind } from '../cluster/session-kinds.js';
import type { Row } from '../json/counters.js';
import { notAuthorised, notFound } from '../problem.js';
import { noContent, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { reasonOf, visibleScope } from './connections.js';

/** Sessions of MQTT clients, on whichever node they are. Everybody sees their own; monitors see, and administrators may end, those of others. */
export function sessionRoutes(peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/mqtt/sessions',
      summary: 'Sessions of MQTT clients, connected or not',
      GET: { need: 'management', answer: (call) => listSessions(call, peers, {}) },
    },
    {
      path: '/api/mqtt/sessions/:vhost',
      summary: 'Those of a virtual host',
      GET: { need: 'vhost', answer: (call) => listSessions(call, peers, { vhosts: [call.vhost.name] }) },
    },
    {
      path: '/api/mqtt/sessions/:vhost/:client',
      summary:
        'One, with its subscriptions; DELETE ends it, with its connection and its messages; the reason in the header `X-Reason`',
      GET: { need: 'vhost', answer: async (call) => ok((await sessionOf(call, peers)).row) },
      DELETE: { need: 'vhost', answer: (call) => end(call, peers) },
    },
  ];
}

function listSessions(call: Call, peers: Peers, scope: Partial<Scope>): Promise<Reply> {
  return listScattered(call, peers, sessionKind, { ...visibleScope(call), ...scope });
}

/** The session of the path: 404 without one, 401 when it is somebody else's. */
async function sessionOf(call: Call, peers: Peers): Promise<{ readonly row: Row; readonly node: string }> {
  const scope = { ...everywhere, vhosts: [call.vhost.name] };
  const found = await findScattered(call.broker, peers, wholeSessionKind, scope, call.part('client'));
  if (found === null) throw notFound();
  if (call.caller.isMonitor || found.row['user'] === call.caller.user) return found;
  throw notYours();
}

/** Which session a node is asked to end, and what its client is told. A type, so that it is JSON. */
export type SessionEnd = { readonly vhost: string; readonly client: string; readonly reason: string };
export const endSession = 'mqtt-sessions.end';

async function end(call: Call, peers: Peers): Promise<Reply> {
  const { row, node } = await sessionOf(call, peers);
  if (!call.caller.isAdministrator && row['user'] !== call.caller.user) throw notYours();
  const wish: SessionEnd = { vhost: call.vhost.name, client: call.part('client'), reason: reasonOf(call) };
  if (node === call.broker.identity.node) await endHere(call.broker, wish);
  else await peers.ask(node, endSession, wish);
  return noContent;
}

export async function endHere(broker: Broker, { vhost, client, reason }: SessionEnd): Promise<void> {
  for (const session of broker.sessions) {
    if (session.clientId !== client || session.vhost !== vhost) continue;
    await session.end(reason);
    return;
  }
}

const notYours = () => notAuthorised('User not authorised to access object');
