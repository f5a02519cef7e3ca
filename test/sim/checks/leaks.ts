import type { Member } from '../cluster/member.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import { keptFor } from './keeping.js';

/** Timers that a node without clients may have: what it does now and then. */
const timersMax = 30;
/** Of each node to each other: three lanes, with two ends each. */
const laneEndsMax = 6;

/** All clients have left: what is still there and should not be. */
export function leaks(cluster: SimCluster): string[] {
  const { members, peers } = cluster;
  const found = [...members.values()].flatMap((member) => leaksOf(member));
  const { size } = members;
  if (peers.openCount > size * (size - 1) * laneEndsMax) found.push(`${peers.openCount} ends of lanes are open`);
  return size > 1 ? [...found, ...leaksInEtcd(cluster)] : found;
}

function leaksOf({ name, node, platform }: Member): string[] {
  if (node === null) return [];
  const found: string[] = [];
  if (node.connectionCount > 0) found.push(`${name} still has ${node.connectionCount} connections`);
  const { pendingTimers } = platform.clock;
  if (pendingTimers > timersMax) found.push(`${name} still has ${pendingTimers} timers`);
  for (const { name: queue, properties, consumers } of node.queues()) {
    if (properties.owner !== null) found.push(`${name} still has the exclusive queue ${queue}`);
    if (consumers.size > 0) found.push(`${queue} of ${name} still has ${consumers.size} consumers`);
  }
  return [...found, ...keptFor(node)];
}

function leaksInEtcd({ etcd, members }: SimCluster): string[] {
  const keys = etcd.keys.under('/chapar/').map(({ key }) => key);
  const inMemory = [...members.values()].flatMap(({ node }) => node?.queues().filter(({ logs }) => !logs) ?? []);
  const names = new Set(inMemory.map(({ name }) => name));
  const claimed = keys
    .filter((key) => key.startsWith('/chapar/claims/'))
    .map((key) => decodeURIComponent(key.split('/').at(-1)!));
  const found = claimed
    .filter((name) => !names.has(name))
    .map((name) => `the name ${name} is claimed, and by no queue`);
  const nodes = keys.filter((key) => key.startsWith('/chapar/nodes/'));
  if (nodes.length !== members.size) found.push(`registered are ${nodes.join(', ')}`);
  return found;
}
