import type { VirtualHost } from '@chapar/core';
import type { SimCluster } from '../cluster/sim-cluster.js';

/** Everything is repaired and quiet: all nodes know of the same exchanges, queues and bindings, in the same lives. */
export function checkAgreement({ members, ledger }: SimCluster): void {
  const views = [...members.values()].flatMap(({ name, node }) => {
    const vhost = node?.broker.topology.vhosts.get('/');
    return vhost === undefined ? [] : [{ name, known: new Set(knownBy(vhost)) }];
  });
  const [first, ...others] = views;
  if (first === undefined) return;
  for (const other of others) {
    for (const each of first.known)
      if (!other.known.has(each)) ledger.violation(`${first.name} knows ${each}, ${other.name} does not`);
    for (const each of other.known)
      if (!first.known.has(each)) ledger.violation(`${other.name} knows ${each}, ${first.name} does not`);
  }
}

function* knownBy({ exchanges, queues }: VirtualHost): Generator<string> {
  for (const { name, incarnation } of queues.values()) yield `queue ${name} (${incarnation})`;
  for (const { name, properties, bindings } of exchanges.values()) {
    yield `exchange ${name} (${properties.incarnation})`;
    for (const key of bindings.keys()) yield `binding of ${name}: ${key}`;
  }
}
