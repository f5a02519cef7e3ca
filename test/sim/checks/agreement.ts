import type { VirtualHost } from '@chapar/core';
import type { SimCluster } from '../cluster/sim-cluster.js';

/** Everything is repaired and quiet: all nodes know of the same exchanges, queues and bindings, in the same lives. What is not so. */
export function disagreements({ members }: SimCluster): string[] {
  const views = [...members.values()].flatMap(({ name, node }) => {
    const vhost = node?.broker.topology.vhosts.get('/');
    return vhost === undefined ? [] : [{ name, known: new Set(knownBy(vhost)) }];
  });
  return views.flatMap((view) => {
    const others = views.filter((other) => other !== view);
    return others.flatMap(({ name, known }) => {
      const missing = [...view.known].filter((each) => !known.has(each));
      return missing.map((each) => `${view.name} knows ${each}, ${name} does not`);
    });
  });
}

function* knownBy({ exchanges, queues }: VirtualHost): Generator<string> {
  for (const { name, incarnation } of queues.values()) yield `queue ${name} (${incarnation})`;
  for (const { name, properties, bindings } of exchanges.values()) {
    yield `exchange ${name} (${properties.incarnation})`;
    for (const key of bindings.keys()) yield `binding of ${name}: ${key}`;
  }
}
