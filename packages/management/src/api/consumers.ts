import type { ChannelView, ConsumerView } from '@chapar/core';
import type { Call } from '../call.js';
import { consumerJson } from '../json/consumer.js';
import { list } from '../listing.js';
import { Pace } from '../pace.js';
import type { Reply } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';

export const consumerRoutes: readonly Route[] = [
  { path: '/api/consumers', summary: 'Consumers', GET: { need: 'management', answer: getAll } },
  { path: '/api/consumers/:vhost', summary: 'Consumers in a virtual host', GET: { need: 'vhost', answer: getAll } },
];

interface Attached {
  readonly channel: ChannelView;
  readonly consumer: ConsumerView;
}

async function getAll(call: Call): Promise<Reply> {
  const { broker } = call;
  const visible = new Set((await call.virtualHosts()).map(({ name }) => name));
  const pace = new Pace(broker.platform.clock);
  const items: Attached[] = [];
  for (const connection of [...broker.connections]) {
    if (!visible.has(connection.vhost)) continue;
    for (const channel of connection.channels) {
      for (const consumer of channel.consumers) items.push({ channel, consumer });
    }
    if (pace.isDue) await pace.rest();
  }
  return list(call.query, broker.platform.clock, {
    items,
    name: ({ consumer }) => consumer.tag,
    order: compareAttached,
    json: ({ channel, consumer }) => consumerJson(broker, channel, consumer),
  });
}

function compareAttached(a: Attached, b: Attached): number {
  const [left, right] = [a.consumer.queue, b.consumer.queue];
  return (
    compareTexts(left.properties.vhost, right.properties.vhost) ||
    compareTexts(left.name, right.name) ||
    compareTexts(a.consumer.tag, b.consumer.tag)
  );
}
