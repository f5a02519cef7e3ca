import type { Broker, ConnectionView, VirtualHost } from '@chapar/core';
import type { Call } from '../call.js';
import { lengths, MessageCounts, type Row } from '../json/counters.js';
import { alarmsJson, contexts, exchangeTypesJson, listenersJson } from '../json/node.js';
import type { ManagementOptions } from '../options.js';
import { Pace } from '../pace.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

export function overviewRoutes(options: ManagementOptions): readonly Route[] {
  return [
    {
      path: '/api/overview',
      summary: 'This broker, and totals over what the caller may see',
      GET: { need: 'management', answer: (call) => overview(call, options) },
    },
  ];
}

async function overview(call: Call, options: ManagementOptions): Promise<Reply> {
  const { broker, caller } = call;
  const totals = caller.isMonitor
    ? await totalsOf(broker, [...broker.topology.vhosts.values()], [...broker.connections])
    : await totalsOf(
        broker,
        await caller.visibleVirtualHosts(),
        [...broker.connections].filter(({ principal }) => principal.user === caller.user),
      );
  const shared = { ...identity(broker), ...totals };
  // Where this node listens is the business of those who watch it.
  if (!caller.isMonitor) return ok(shared);
  return ok({
    ...shared,
    alarms: alarmsJson(broker),
    contexts: contexts(broker, options),
    durability: options.durability,
    listeners: listenersJson(broker, options),
  });
}

function identity({ identity: { node, clusterName, product, productVersion, version } }: Broker): Row {
  return {
    cluster_name: clusterName,
    cluster_tags: [],
    default_queue_type: 'classic',
    disable_stats: false,
    enable_queue_totals: false,
    // Tools show these; there is no Erlang here.
    erlang_version: '',
    erlang_full_version: `Node.js ${process.versions.node}`,
    exchange_types: exchangeTypesJson(),
    is_op_policy_updating_enabled: true,
    management_version: productVersion,
    node,
    node_tags: [],
    chapar_version: version,
    product_name: product,
    product_version: productVersion,
    rabbitmq_version: productVersion,
    rates_mode: 'none',
    release_series_support_status: 'supported',
    sample_retention_policies: { global: [], basic: [], detailed: [] },
    statistics_db_event_queue: 0,
  };
}

async function totalsOf(broker: Broker, vhosts: VirtualHost[], connections: ConnectionView[]): Promise<Row> {
  const pace = new Pace(broker.platform.clock);
  const counts = new MessageCounts();
  const objects = { channels: 0, connections: connections.length, consumers: 0, exchanges: 0, queues: 0 };
  let ready = 0;
  let unacknowledged = 0;
  for (const vhost of vhosts) {
    objects.exchanges += vhost.exchanges.size;
    objects.queues += vhost.queues.size;
    for (const queue of [...vhost.localQueues()]) {
      objects.consumers += queue.consumers.size;
      ready += queue.readyCount;
      unacknowledged += queue.unsettledCount;
      counts.add(queue.statistics);
      if (pace.isDue) await pace.rest();
    }
  }
  for (const connection of connections) objects.channels += connection.channelCount;
  return {
    churn_rates: {},
    message_stats: counts.json() ?? {},
    object_totals: objects,
    queue_totals: lengths(ready, unacknowledged),
  };
}
