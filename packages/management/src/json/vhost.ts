import type { Broker, VirtualHost } from '@chapar/core';
import { messageTotals, type Totals } from '../cluster/totals.js';
import type { Row } from './counters.js';

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

/** With the sums over its queues and connections, on all nodes. */
export function vhostWithTotals(broker: Broker, vhost: VirtualHost, totals: Totals): Row {
  const { lengths, stats } = messageTotals(totals);
  return {
    ...vhostJson(broker, vhost),
    ...lengths,
    ...traffic(totals),
    ...(stats === null ? {} : { message_stats: stats }),
  };
}

/** Bytes over the connections that are open; absent in the field, too, while there is none. */
function traffic({ connections, receivedBytes, sentBytes }: Totals): Row {
  return connections === 0 ? {} : { recv_oct: receivedBytes, send_oct: sentBytes };
}
