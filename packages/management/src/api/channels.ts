import type { ChannelView, ConnectionView } from '@chapar/core';
import type { Call } from '../call.js';
import { channelJson, channelWithConsumers } from '../json/channel.js';
import { channelName } from '../json/consumer.js';
import { list } from '../listing.js';
import { Pace } from '../pace.js';
import { notFound } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';
import { connectionOf, visibleConnections } from './connections.js';

export const channelRoutes: readonly Route[] = [
  {
    path: '/api/channels',
    summary: 'Open channels',
    GET: { need: 'management', answer: (call) => listChannels(call, visibleConnections(call)) },
  },
  {
    path: '/api/vhosts/:vhost/channels',
    summary: 'Open channels in a virtual host',
    GET: { need: 'vhost', answer: ofVirtualHost },
  },
  {
    path: '/api/connections/:connection/channels',
    summary: 'Channels of a connection',
    GET: { need: 'management', answer: (call) => listChannels(call, [connectionOf(call)]) },
  },
  {
    path: '/api/channels/:channel',
    summary: 'A channel with its consumers, by name: the connection’s and the number in brackets',
    GET: { need: 'management', answer: get },
  },
];

async function listChannels(call: Call, connections: readonly ConnectionView[]): Promise<Reply> {
  const { broker } = call;
  const pace = new Pace(broker.platform.clock);
  const items: ChannelView[] = [];
  for (const connection of connections) {
    items.push(...connection.channels);
    if (pace.isDue) await pace.rest();
  }
  return list(call.query, broker.platform.clock, {
    items,
    name: channelName,
    order: compareChannels,
    json: (channel) => channelJson(broker, channel),
  });
}

function compareChannels(a: ChannelView, b: ChannelView): number {
  const [left, right] = [a.connection, b.connection];
  return compareTexts(left.vhost, right.vhost) || compareTexts(left.name, right.name) || a.number - b.number;
}

function ofVirtualHost(call: Call): Promise<Reply> {
  const { name } = call.vhost;
  return listChannels(
    call,
    visibleConnections(call).filter(({ vhost }) => vhost === name),
  );
}

function get(call: Call): Reply {
  const name = call.part('channel');
  const [, connectionName] = /^(.*) \(\d+\)$/.exec(name) ?? [];
  const connection = visibleConnections(call).find((each) => each.name === connectionName);
  for (const channel of connection?.channels ?? []) {
    if (channelName(channel) === name) return ok(channelWithConsumers(call.broker, channel));
  }
  throw notFound();
}
