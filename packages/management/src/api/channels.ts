import type { Broker } from '@chapar/core';
import type { Call } from '../call.js';
import { channelKind } from '../cluster/connection-kinds.js';
import type { Peers } from '../cluster/peers.js';
import { everywhere, listScattered, type Scope } from '../cluster/scattered.js';
import { channelWithConsumers } from '../json/channel.js';
import { channelName } from '../json/consumer.js';
import type { Row } from '../json/counters.js';
import { notFound } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { connectionOf, visibleScope } from './connections.js';

export function channelRoutes(peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/channels',
      summary: 'Open channels',
      GET: { need: 'management', answer: (call) => listChannels(call, peers, {}) },
    },
    {
      path: '/api/vhosts/:vhost/channels',
      summary: 'Open channels in a virtual host',
      GET: { need: 'vhost', answer: (call) => listChannels(call, peers, { vhosts: [call.vhost.name] }) },
    },
    {
      path: '/api/connections/:connection/channels',
      summary: 'Channels of a connection',
      GET: { need: 'management', answer: (call) => ofConnection(call, peers) },
    },
    {
      path: '/api/channels/:channel',
      summary: 'A channel with its consumers, by name: the connection’s and the number in brackets',
      GET: { need: 'management', answer: (call) => get(call, peers) },
    },
  ];
}

function listChannels(call: Call, peers: Peers, scope: Partial<Scope>): Promise<Reply> {
  return listScattered(call, peers, channelKind, { ...visibleScope(call), ...scope });
}

async function ofConnection(call: Call, peers: Peers): Promise<Reply> {
  const { row } = await connectionOf(call, peers);
  return listChannels(call, peers, { connection: String(row['name']) });
}

/** What a node is asked for a channel with its consumers. */
export const oneChannel = 'channel';

async function get(call: Call, peers: Peers): Promise<Reply> {
  const name = call.part('channel');
  const [, connection] = /^(.*) \(\d+\)$/.exec(name) ?? [];
  if (connection === undefined) throw notFound();
  const scope = { ...visibleScope(call), connection };
  const own = await channelNamed(call.broker, scope, name);
  if (own !== null) return ok(own);
  const { answers } = await peers.askAll(oneChannel, { scope, name });
  for (const row of answers.values()) if (row !== null) return ok(row);
  throw notFound();
}

/** Null when it is not on this node. */
export async function channelNamed(broker: Broker, scope: Scope, name: string): Promise<Row | null> {
  const found = (await channelKind.items(broker, { ...everywhere, ...scope })).find(
    (channel) => channelName(channel) === name,
  );
  return found === undefined ? null : channelWithConsumers(broker, found);
}
