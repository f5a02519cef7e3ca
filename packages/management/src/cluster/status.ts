import type { Broker, JsonValue } from '@chapar/core';
import type { Row } from '../json/counters.js';
import { alarmsJson } from '../json/node.js';
import type { ManagementOptions } from '../options.js';
import type { ClusterView, EtcdView, MemberView } from './membership.js';
import { isShard } from './mirrored-queues.js';
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
  const led = queuesByHome(broker, peers);
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
  const copies = copiesByNode(peers);
  const nodes = view.members.map((member) => ({
    ...memberJson(member),
    queues: led.get(member.name) ?? 0,
    copies: copies.get(member.name) ?? 0,
    ...statusOf(member),
  }));
  const { id, prefix, revision } = view;
  const mirrored = mirroredJson(peers);
  return { status: { name: identity.clusterName, id, prefix, node: identity.node, revision, mirrored, nodes }, silent };
}

export function answerStatus(broker: Broker, options: ManagementOptions, { membership }: Peers): void {
  membership?.answer(kind, () => statusHere(broker, options, membership.view()));
}

// ---------------------------------------------------------------------------------------------------------------

function memberJson({ name, dataId, isHere, isLive, isResting, sinceMs, address, version }: MemberView): Row {
  const state = { here: isHere, running: isLive, maintenance: isResting };
  return { name, data_id: dataId, ...state, since: sinceMs, address, version };
}

/** How mirrored queues are, all in all. */
function mirroredJson({ membership }: Peers): Row {
  const counts = { queues: 0, shards: 0, without_leader: 0, below_min: 0, fewer_copies: 0 };
  for (const copies of membership?.mirrored.all() ?? []) {
    const { leader, online, inSync, min, members, wanted } = copies;
    if (isShard(copies)) counts.shards++;
    else counts.queues++;
    if (leader === null || !online.includes(leader)) counts.without_leader++;
    if (inSync.filter((node) => online.includes(node)).length < min) counts.below_min++;
    if (inSync.length < members.length || members.length < (wanted ?? 0)) counts.fewer_copies++;
  }
  return counts;
}

function copiesByNode({ membership }: Peers): Map<string, number> {
  const counts = new Map<string, number>();
  for (const copies of membership?.mirrored.all() ?? [])
    for (const node of isShard(copies) ? [] : copies.members) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}

/** What a node says of itself. */
function statusHere(broker: Broker, options: ManagementOptions, { revision, etcd, members }: ClusterView): Row {
  const links: JsonValue[] = [];
  for (const { name, link } of members) {
    if (link === null) continue;
    const { isUp, sinceMs, reason, dropped } = link;
    links.push({ to: name, up: isUp, since: sinceMs, dropped, ...(isUp ? {} : { reason }) });
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
function queuesByHome(broker: Broker, { membership }: Peers): Map<string, number> {
  const counts = new Map<string, number>();
  for (const vhost of broker.topology.vhosts.values()) {
    for (const { home, incarnation } of vhost.queues.values()) {
      const view = membership?.mirrored.view(incarnation) ?? null;
      const node = view === null ? (home ?? broker.identity.node) : (view.leader ?? '');
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
  }
  return counts;
}
