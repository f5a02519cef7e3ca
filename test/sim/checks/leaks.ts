import type { SimCluster } from '../cluster/sim-cluster.js';

/** Timers that a node without clients may have: what it does now and then. */
const timersMax = 30;

/** All clients have left: what they had must be gone, too. */
export function checkLeaks({ members, ledger }: SimCluster): void {
  for (const { name, node, platform } of members.values()) {
    if (node === null) continue;
    if (node.connectionCount > 0) ledger.violation(`${name} still has ${node.connectionCount} connections`);
    const { pendingTimers } = platform.clock;
    if (pendingTimers > timersMax) ledger.violation(`${name} still has ${pendingTimers} timers`);
    for (const queue of node.queues()) {
      if (queue.properties.owner !== null) ledger.violation(`${name} still has the exclusive queue ${queue.name}`);
      if (queue.consumers.size > 0)
        ledger.violation(`${queue.name} of ${name} still has ${queue.consumers.size} consumers`);
    }
  }
}
