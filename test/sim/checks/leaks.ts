import type { SimCluster } from '../cluster/sim-cluster.js';

/** Timers that a node without clients may have: what it does now and then. */
const timersMax = 30;
/** Of each node to each other: two lanes, with two ends each. */
const laneEndsMax = 4;

/** All clients have left: what they had must be gone, too. */
export function checkLeaks(cluster: SimCluster): void {
  const { members, ledger, peers } = cluster;
  for (const { name, node, platform } of members.values()) {
    if (node === null) continue;
    if (node.connectionCount > 0) ledger.violation(`${name} still has ${node.connectionCount} connections`);
    const { pendingTimers } = platform.clock;
    if (pendingTimers > timersMax) ledger.violation(`${name} still has ${pendingTimers} timers`);
    for (const queue of node.queues()) {
      if (queue.properties.owner !== null) ledger.violation(`${name} still has the exclusive queue ${queue.name}`);
      if (queue.consumers.size > 0) {
        ledger.violation(`${queue.name} of ${name} still has ${queue.consumers.size} consumers`);
      }
    }
  }
  const { size } = members;
  if (peers.openCount > size * (size - 1) * laneEndsMax) ledger.violation(`${peers.openCount} ends of lanes are open`);
  if (size > 1) checkEtcd(cluster);
}

function checkEtcd({ etcd, members, ledger }: SimCluster): void {
  const keys = etcd.keys.under('/chapar/').map(({ key }) => key);
  const inMemory = [...members.values()].flatMap(({ node }) => node?.queues().filter(({ logs }) => !logs) ?? []);
  const names = new Set(inMemory.map(({ name }) => name));
  for (const key of keys.filter((each) => each.startsWith('/chapar/claims/'))) {
    const name = decodeURIComponent(key.split('/').at(-1)!);
    if (!names.has(name)) ledger.violation(`the name ${name} is still claimed, by no queue`);
  }
  const nodes = keys.filter((key) => key.startsWith('/chapar/nodes/'));
  if (nodes.length !== members.size) ledger.violation(`registered are ${nodes.join(', ')}`);
}
