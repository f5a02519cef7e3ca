import type { Broker, VirtualHost } from '@chapar/core';
import { lengths, MessageCounts, type Row } from './counters.js';

export function vhostJson(broker: Broker, vhost: VirtualHost): Row {
  const { description, tags, defaultQueueType } = vhost.properties;
  return {
    cluster_state: { [broker.identity.node]: 'running' },
    default_queue_type: defaultQueueType,
    description,
    metadata: vhostMetadata(vhost),
    name: vhost.name,
    protected_from_deletion: isProtected(vhost),
    tags,
    tracing: false,
  };
}

/** What administrators say of it, as exports have it. */
export function vhostMetadata(vhost: VirtualHost): Row {
  const { description, tags, defaultQueueType } = vhost.properties;
  const properties = { description, tags, default_queue_type: defaultQueueType };
  return isProtected(vhost) ? { ...properties, protected_from_deletion: true } : properties;
}

export const isProtected = ({ properties }: VirtualHost): boolean => properties.protectedFromDeletion === true;

/** With the sums over its queues and connections. */
export function vhostWithCounts(broker: Broker, vhost: VirtualHost): Row {
  let ready = 0;
  let unacknowledged = 0;
  const counts = new MessageCounts();
  for (const queue of vhost.localQueues()) {
    ready += queue.readyCount;
    unacknowledged += queue.unsettledCount;
    counts.add(queue.statistics);
  }
  const stats = counts.json();
  return {
    ...vhostJson(broker, vhost),
    ...lengths(ready, unacknowledged),
    ...traffic(broker, vhost.name),
    ...(stats === null ? {} : { message_stats: stats }),
  };
}

/** Bytes over the connections that are open; absent in the field, too, while there is none. */
function traffic(broker: Broker, vhost: string): Row {
  let received = 0;
  let sent = 0;
  let open = 0;
  for (const connection of broker.connections) {
    if (connection.vhost !== vhost) continue;
    open++;
    received += connection.receivedBytes;
    sent += connection.sentBytes;
  }
  return open === 0 ? {} : { recv_oct: received, send_oct: sent };
}
