import type { Broker, JsonValue } from '@chapar/core';
import type { Row } from '../json/counters.js';
import { alarmsJson } from '../json/node.js';
import type { ManagementOptions } from '../options.js';
import type { ClusterView, EtcdView, MemberView } from './membership.js';
import type { Peers } from './peers.js';

const kind = 'status';

/** The cluster as seen from this node, with what each of the others says of itself. */
export async function clusterStatus(
  broker: Broker,
  options: ManagementOptions,
  peers: Peers,
): Promise<{ readonly status: Row; readonly silent: readonly string[] }> {
  const { view } = peers;
  const { identity } = broker;
  const led = queuesByHome(broker);
  if (view === null) {
    const alone = { name: identity.node, running: true, here: true, version: identity.version };
    const queues = led.get(identity.node) ?? 0;
    const node = { ...alone, ready: options.isReady(), alarms: alarmsJson(broker), queues };
    return { status: { name: identity.clusterName, node: identity.node, nodes: [node] }, silent: [] };
  }
  const { answers, silent } = await peers.askAll(kind, null);
  const statusOf = ({ name, isHere }: MemberView): Row => {
    if (isHere) return { answered: true, ...statusHere(broker, options, view) };
    const answer = answers.get(name);
    return answer === undefined ? { answered: false } : { answered: true, ...(answer as Row) };
  };
  const nodes = view.members.map((member) => ({
    ...memberJson(member),
    queues: led.get(member.name) ?? 0,
    ...statusOf(member),
  }));
  const { id, prefix, revision } = view;
  return { status: { name: identity.clusterName, id, prefix, node: identity.node, revision, nodes }, silent };
}

export function answerStatus(broker: Broker, options: ManagementOptions, { membership }: Peers): void {
  membership?.answer(kind, () => statusHere(broker, options, membership.view()));
}

// ---------------------------------------------------------------------------------------------------------------

function memberJson({ name, dataId, isHere, isLive, sinceMs, address, version }: MemberView): Row {
  return { name, data_id: dataId, here: isHere, running: isLive, since: sinceMs, address, version };
}

/** What a node says of itself. */
function statusHere(broker: Broker, options: ManagementOptions, { revision, etcd, members }: ClusterView): Row {
  const links: JsonValue[] = [];
  for (const { name, link } of members) {
    if (link === null) continue;
    const { isUp, sinceMs, reason } = link;
    links.push({ to: name, up: isUp, since: sinceMs, ...(isUp ? {} : { reason }) });
  }
  return {
    ready: options.isReady(),
    // Each knows best itself since when it is registered.
    since: members.find(({ isHere }) => isHere)?.sinceMs ?? null,
    revision,
    alarms: alarmsJson(broker),
    links,
    etcd: etcdJson(etcd),
  };
}

function etcdJson(etcd: EtcdView): Row {
  const { endpoints, isReachable, sinceMs, trouble, alarms, version, databaseBytes, registration } = etcd;
  return {
    endpoints: [...endpoints],
    reachable: isReachable,
    since: sinceMs,
    trouble,
    alarms: [...alarms],
    version,
    database_bytes: databaseBytes,
    registration,
  };
}

/** How many queues each node leads, by its name. */
function queuesByHome(broker: Broker): Map<string, number> {
  const counts = new Map<string, number>();
  for (const vhost of broker.topology.vhosts.values()) {
    for (const { home } of vhost.queues.values()) {
      const node = home ?? broker.identity.node;
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
  }
  return counts;
}
