import type { Broker, ChannelView, ConnectionView, ConsumerView } from '@chapar/core';
import { channelJson } from '../json/channel.js';
import { connectionJson } from '../json/connection.js';
import { channelName, consumerJson } from '../json/consumer.js';
import { Pace } from '../pace.js';
import { compareTexts } from '../sorting.js';
import type { Scattered, Scope } from './scattered.js';

/** What is with a client on some node: its connection, the channels, the consumers. */
export interface Attached {
  readonly channel: ChannelView;
  readonly consumer: ConsumerView;
}

export const connectionKind: Scattered<ConnectionView> = {
  kind: 'connections',
  items: async (broker, scope) => connectionsIn(broker, scope),
  name: ({ name }) => name,
  order: (a, b) => compareTexts(a.vhost, b.vhost) || compareTexts(a.name, b.name),
  orderColumns: [['vhost'], ['name']],
  json: connectionJson,
};

export const channelKind: Scattered<ChannelView> = {
  kind: 'channels',
  items: channelsIn,
  name: channelName,
  order: (a, b) => {
    const [left, right] = [a.connection, b.connection];
    return compareTexts(left.vhost, right.vhost) || compareTexts(left.name, right.name) || a.number - b.number;
  },
  orderColumns: [['vhost'], ['connection_details', 'name'], ['number']],
  json: channelJson,
};

export const consumerKind: Scattered<Attached> = {
  kind: 'consumers',
  items: consumersIn,
  name: ({ consumer }) => consumer.tag,
  order: (a, b) => {
    const [left, right] = [a.consumer.queue, b.consumer.queue];
    return (
      compareTexts(left.properties.vhost, right.properties.vhost) ||
      compareTexts(left.name, right.name) ||
      compareTexts(a.consumer.tag, b.consumer.tag)
    );
  },
  orderColumns: [['queue', 'vhost'], ['queue', 'name'], ['consumer_tag']],
  json: (broker, { channel, consumer }) => consumerJson(broker, channel, consumer),
};

function connectionsIn(broker: Broker, { vhosts, user, connection }: Scope): ConnectionView[] {
  const visible = vhosts === null ? null : new Set(vhosts);
  return [...broker.connections].filter(
    ({ name, principal, vhost }) =>
      (visible === null || visible.has(vhost)) &&
      (user === null || principal.user === user) &&
      (connection === null || name === connection),
  );
}

async function channelsIn(broker: Broker, scope: Scope): Promise<ChannelView[]> {
  const pace = new Pace(broker.platform.clock);
  const found: ChannelView[] = [];
  for (const connection of connectionsIn(broker, scope)) {
    found.push(...connection.channels);
    if (pace.isDue) await pace.rest();
  }
  return found;
}

/** A queue knows its consumers and not their channels, so the connections are asked, in slices. */
async function consumersIn(broker: Broker, scope: Scope): Promise<Attached[]> {
  const pace = new Pace(broker.platform.clock);
  const found: Attached[] = [];
  for (const connection of connectionsIn(broker, scope)) {
    for (const channel of connection.channels) {
      for (const consumer of channel.consumers) {
        if (scope.queue === null || consumer.queue.name === scope.queue) found.push({ channel, consumer });
      }
    }
    if (pace.isDue) await pace.rest();
  }
  return found;
}
