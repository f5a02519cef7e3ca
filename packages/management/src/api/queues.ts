import type { SharedQueue } from '@chapar/core';
import type { Call } from '../call.js';
import { consumerKind } from '../cluster/connection-kinds.js';
import { type Peers, withSilent } from '../cluster/peers.js';
import { QueueRows } from '../cluster/queue-rows.js';
import { everywhere, gatherScattered } from '../cluster/scattered.js';
import type { Columns } from '../columns.js';
import { copiesStatusJson } from '../json/copies.js';
import type { Row } from '../json/counters.js';
import { list } from '../listing.js';
import { badRequest, notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { compareTexts } from '../sorting.js';

export const queueRoutes = (peers: Peers): readonly Route[] => [
  {
    path: '/api/queues',
    summary: 'Queues of all visible virtual hosts',
    GET: { need: 'management', answer: (call) => getAll(call, peers) },
  },
  {
    path: '/api/queues/detailed',
    summary: 'The same',
    GET: { need: 'management', answer: (call) => getAll(call, peers) },
  },
  {
    path: '/api/queues/:vhost',
    summary: 'Queues of a virtual host',
    GET: { need: 'vhost', answer: (call) => getAll(call, peers) },
  },
  {
    path: '/api/queues/:vhost/:queue',
    summary: 'A queue. PUT: `durable`, `auto_delete`, `arguments`; DELETE: `?if-empty=true`, `?if-unused=true`',
    GET: { need: 'vhost', answer: (call) => get(call, peers) },
    PUT: { need: 'vhost', answer: put },
    DELETE: { need: 'vhost', answer: remove },
  },
  {
    path: '/api/queues/:vhost/:queue/contents',
    summary: 'Purges a queue',
    DELETE: { need: 'vhost', answer: purge },
  },
  {
    path: '/api/queues/:vhost/:queue/actions',
    summary: 'Taken and without effect (`sync`, `cancel_sync`)',
    POST: { need: 'administrator', answer: act },
  },
];

async function getAll(call: Call, peers: Peers): Promise<Reply> {
  const items = (await call.virtualHosts()).flatMap((vhost) => [...vhost.queues.values()]);
  const rows = new QueueRows(call.broker, peers);
  const reply = await list(call.query, call.broker.platform.clock, {
    items,
    name: (queue) => queue.name,
    order: byVirtualHostAndName,
    ...shape(call, rows),
  });
  return withSilent(reply, [...rows.silent]);
}

export function byVirtualHostAndName(a: SharedQueue, b: SharedQueue): number {
  return compareTexts(a.properties.vhost, b.properties.vhost) || compareTexts(a.name, b.name);
}

/** What is shown of each queue, and what has to be asked for it. */
function shape(call: Call, rows: QueueRows) {
  const fetch = (queues: readonly SharedQueue[], columns: Columns) => rows.fetch(queues, columns);
  if (!call.asks('disable_stats')) return { fetch, json: (queue: SharedQueue): Row => rows.json(queue) };
  if (!call.asks('enable_queue_totals')) return { json: (queue: SharedQueue): Row => rows.properties(queue) };
  const totals: Columns = [['messages'], ['messages_ready'], ['messages_unacknowledged']];
  return {
    fetch: (queues: readonly SharedQueue[]) => rows.fetch(queues, totals),
    json: (queue: SharedQueue): Row => rows.totals(queue),
  };
}

/** The queue of the path: 404 without one. */
export function queueOf(call: Call): SharedQueue {
  const queue = call.vhost.queues.get(call.part('queue'));
  if (queue === undefined) throw notFound();
  return queue;
}

async function get(call: Call, peers: Peers): Promise<Reply> {
  const queue = queueOf(call);
  const { broker } = call;
  const rows = new QueueRows(broker, peers);
  const scope = { ...everywhere, vhosts: [queue.properties.vhost], queue: queue.name };
  const mirrored = peers.membership?.mirrored ?? null;
  const isMirrored = mirrored?.view(queue.incarnation) != null;
  const [, consumers, status] = await Promise.all([
    rows.fetch([queue], null),
    gatherScattered(broker, peers, consumerKind, scope),
    isMirrored ? mirrored!.status(queue.incarnation) : null,
  ]);
  // Who publishes and consumes how much comes with the rates.
  const copies = isMirrored ? { copies: status === null ? null : copiesStatusJson(status) } : {};
  const row = { consumer_details: consumers.rows, deliveries: [], incoming: [], ...rows.json(queue), ...copies };
  return withSilent(ok(row), [...new Set([...rows.silent, ...consumers.silent])]);
}

async function put(call: Call): Promise<Reply> {
  const { body, vhost } = call;
  const name = shortText('the name of a queue', call.part('queue'));
  const isNew = !vhost.queues.has(name);
  const wish = {
    name,
    durable: body.truth('durable', false),
    exclusive: false,
    autoDelete: body.truth('auto_delete', false),
    arguments: body.table('arguments'),
  };
  const actor = await call.actor();
  await actor.declareQueue(wish);
  return stored(isNew);
}

async function remove(call: Call): Promise<Reply> {
  const queue = queueOf(call);
  const actor = await call.actor();
  await actor.deleteQueue(queue.name, { ifUnused: call.asks('if-unused'), ifEmpty: call.asks('if-empty') });
  return noContent;
}

async function purge(call: Call): Promise<Reply> {
  const queue = queueOf(call);
  const actor = await call.actor();
  await actor.purgeQueue(queue.name);
  return noContent;
}

/** Mirrors synchronise by themselves here; old scripts that ask for it are told yes. */
function act(call: Call): Reply {
  queueOf(call);
  const action = call.body.text('action', '');
  if (action === 'sync' || action === 'cancel_sync') return noContent;
  throw badRequest(`action must be sync or cancel_sync, got '${action}'`);
}
