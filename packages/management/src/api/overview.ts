import type { Broker, JsonValue } from '@chapar/core';
import type { Call } from '../call.js';
import { type Peers, withSilent } from '../cluster/peers.js';
import { messageTotals, sumOf, totalsOf } from '../cluster/totals.js';
import type { Row } from '../json/counters.js';
import { alarmsJson, contexts, exchangeTypesJson, listenersJson } from '../json/node.js';
import type { ManagementOptions } from '../options.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

export function overviewRoutes(options: ManagementOptions, peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/overview',
      summary: 'This broker, and totals over what the caller may see',
      GET: { need: 'management', answer: (call) => overview(call, options, peers) },
    },
  ];
}

/** What nodes ask each other for: what is of interest to those who watch them. */
export const watchedParts = 'overview';

async function overview(call: Call, options: ManagementOptions, peers: Peers): Promise<Reply> {
  const { broker, caller } = call;
  const { totals, silent } = await totalsFor(call, peers);
  const shared = { ...identity(broker), ...totals };
  // Where nodes listen is the business of those who watch them.
  if (!caller.isMonitor) return withSilent(ok(shared), silent);
  const { answers } = await peers.askAll(watchedParts, null);
  const parts = [watched(broker, options), ...[...answers.values()].map((answer) => answer as Watched)];
  return withSilent(
    ok({
      ...shared,
      alarms: parts.flatMap(({ alarms }) => alarms),
      contexts: parts.flatMap(({ contexts }) => contexts),
      durability: options.durability,
      listeners: parts.flatMap(({ listeners }) => listeners),
    }),
    silent,
  );
}

type Watched = Record<'alarms' | 'contexts' | 'listeners', JsonValue[]>;

export function watched(broker: Broker, options: ManagementOptions): Watched {
  return {
    alarms: alarmsJson(broker),
    contexts: contexts(broker, options),
    listeners: listenersJson(broker, options),
  };
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

async function totalsFor(call: Call, peers: Peers): Promise<{ totals: Row; silent: readonly string[] }> {
  const { broker, caller } = call;
  const { isMonitor } = caller;
  const vhosts = isMonitor ? [...broker.topology.vhosts.values()] : await caller.visibleVirtualHosts();
  const question = { vhosts: vhosts.map(({ name }) => name), user: isMonitor ? null : caller.user };
  const { totals, silent } = await totalsOf(broker, peers, question);
  const sum = sumOf(totals.values());
  const { lengths, stats } = messageTotals(sum);
  const count = (what: 'exchanges' | 'queues') => vhosts.reduce((total, vhost) => total + vhost[what].size, 0);
  const objects = {
    channels: sum.channels,
    connections: sum.connections,
    consumers: sum.consumers,
    exchanges: count('exchanges'),
    queues: count('queues'),
  };
  return {
    totals: { churn_rates: {}, message_stats: stats ?? {}, object_totals: objects, queue_totals: lengths },
    silent,
  };
}
