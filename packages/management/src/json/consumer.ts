import type { Broker, ChannelView, ConsumerView } from '@chapar/core';
import type { Row } from './counters.js';
import { shownArguments } from './shown.js';

export function consumerJson(broker: Broker, channel: ChannelView, consumer: ConsumerView): Row {
  const { connection, number } = channel;
  const { queue } = consumer;
  return {
    ack_required: consumer.acknowledges,
    active: consumer.activity !== 'waiting',
    activity_status: consumer.activity,
    arguments: shownArguments(consumer.arguments),
    channel_details: {
      connection_name: connection.name,
      name: channelName(channel),
      node: broker.identity.node,
      number,
      peer_host: connection.remote.address,
      peer_port: connection.remote.port,
      user: connection.principal.user,
    },
    consumer_tag: consumer.tag,
    exclusive: consumer.exclusive,
    prefetch_count: consumer.prefetchCount,
    queue: { name: queue.name, vhost: queue.properties.vhost },
  };
}

export function channelName({ connection, number }: ChannelView): string {
  return `${connection.name} (${number})`;
}
