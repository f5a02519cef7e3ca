import type { JsonValue, VirtualHost } from '@chapar/core';
import type { Call } from '../call.js';
import { type Peers, withSilent } from '../cluster/peers.js';
import { type Totals, totalsOf } from '../cluster/totals.js';
import { isProtected, vhostJson, vhostWithTotals } from '../json/vhost.js';
import { list } from '../listing.js';
import { notFound, Problem } from '../problem.js';
import { knownQueueType } from '../queue-type.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { compareTexts } from '../sorting.js';

export const vhostRoutes = (peers: Peers): readonly Route[] => [
  {
    path: '/api/vhosts',
    summary: 'Virtual hosts',
    GET: { need: 'management', answer: (call) => getAll(call, peers) },
  },
  {
    path: '/api/vhosts/:vhost',
    summary: 'A virtual host: `description`, `tags`, `default_queue_type`; deleting it deletes all that is in it',
    GET: { need: 'administrator', answer: (call) => get(call, peers) },
    PUT: { need: 'administrator', answer: put },
    DELETE: { need: 'administrator', answer: remove },
  },
  {
    path: '/api/vhosts/:vhost/deletion/protection',
    summary: 'While it is there, the virtual host cannot be deleted (412)',
    POST: { need: 'administrator', answer: (call) => protect(call, true) },
    DELETE: { need: 'administrator', answer: (call) => protect(call, false) },
  },
];

async function get(call: Call, peers: Peers): Promise<Reply> {
  const { broker, vhost } = call;
  const { totals, silent } = await totalsOf(broker, peers, { vhosts: [vhost.name], user: null });
  return withSilent(ok(vhostWithTotals(broker, vhost, totals.get(vhost.name)!)), silent);
}

async function getAll(call: Call, peers: Peers): Promise<Reply> {
  const { broker, caller } = call;
  // Monitors may know of every virtual host, though not of what is in it.
  const items = caller.isMonitor ? [...broker.topology.vhosts.values()] : await caller.visibleVirtualHosts();
  let totals: ReadonlyMap<string, Totals> | null = null;
  let silent: readonly string[] = [];
  if (!call.asks('disable_stats')) {
    ({ totals, silent } = await totalsOf(broker, peers, { vhosts: items.map(({ name }) => name), user: null }));
  }
  const reply = await list(call.query, broker.platform.clock, {
    items,
    name: (vhost) => vhost.name,
    order: (a, b) => compareTexts(a.name, b.name),
    json: (vhost: VirtualHost): JsonValue =>
      totals === null ? vhostJson(broker, vhost) : vhostWithTotals(broker, vhost, totals.get(vhost.name)!),
  });
  return withSilent(reply, silent);
}

async function put(call: Call): Promise<Reply> {
  const { broker, body } = call;
  const name = shortText('the name of a virtual host', call.part('vhost'));
  const existing = broker.topology.vhosts.get(name)?.properties;
  const type = body.text('default_queue_type', body.text('defaultqueuetype', existing?.defaultQueueType ?? 'classic'));
  await broker.putVirtualHost(name, {
    description: body.text('description', existing?.description ?? ''),
    tags: body.has('tags') ? body.words('tags') : (existing?.tags ?? []),
    defaultQueueType: knownQueueType(type),
    protectedFromDeletion: existing?.protectedFromDeletion ?? false,
  });
  return stored(existing === undefined);
}

async function remove(call: Call): Promise<Reply> {
  const name = call.part('vhost');
  const vhost = call.broker.topology.vhosts.get(name);
  if (vhost !== undefined && isProtected(vhost)) {
    const reason = `Refusing to delete virtual host '${name}' because it is protected from deletion`;
    throw new Problem(412, 'precondition_failed', reason);
  }
  if (!(await call.broker.deleteVirtualHost(name))) throw notFound();
  return noContent;
}

async function protect({ broker, vhost }: Call, protectedFromDeletion: boolean): Promise<Reply> {
  await broker.putVirtualHost(vhost.name, { ...vhost.properties, protectedFromDeletion });
  return noContent;
}
