import type { Broker, ChannelView, JsonValue } from '@chapar/core';
import { channelName, consumerJson } from './consumer.js';
import type { Row } from './counters.js';

export function channelJson(broker: Broker, channel: ChannelView): Row {
  const { connection } = channel;
  const { name, remote, principal, vhost } = connection;
  return {
    acks_uncommitted: channel.acksUncommittedCount,
    confirm: channel.confirms,
    connection_details: { name, peer_host: remote.address, peer_port: remote.port },
    consumer_count: channel.consumerCount,
    global_prefetch_count: channel.globalPrefetchCount,
    ...channelStats(channel),
    messages_unacknowledged: channel.unacknowledgedCount,
    messages_uncommitted: channel.uncommittedCount,
    messages_unconfirmed: channel.unconfirmedCount,
    name: channelName(channel),
    node: broker.identity.node,
    number: channel.number,
    prefetch_count: channel.prefetchCount,
    state: 'running',
    transactional: channel.transactional,
    user: principal.user,
    user_who_performed_action: principal.user,
    vhost,
  };
}

export function channelWithConsumers(broker: Broker, channel: ChannelView): Row {
  const consumers: JsonValue[] = [];
  for (const consumer of channel.consumers) consumers.push(consumerJson(broker, channel, consumer));
  // Who publishes and consumes how much, by exchange and queue, comes with the rates.
  return { consumer_details: consumers, deliveries: [], publishes: [], ...channelJson(broker, channel) };
}

function channelStats(channel: ChannelView): Row {
  const { publishedCount, confirmedCount, returnedCount, deliveredCount, acknowledgedCount } = channel;
  if (publishedCount + deliveredCount + acknowledgedCount === 0) return {};
  return {
    message_stats: {
      ack: acknowledgedCount,
      confirm: confirmedCount,
      deliver_get: deliveredCount,
      publish: publishedCount,
      return_unroutable: returnedCount,
    },
  };
}
