import type { SharedQueue } from '@chapar/core';
import type { Call } from '../call.js';
import { consumersOf } from '../json/consumer.js';
import type { Row } from '../json/counters.js';
import { queueJson, queueProperties, queueTotals } from '../json/queue.js';
import { list } from '../listing.js';
import { badRequest, notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { compareTexts } from '../sorting.js';

export const queueRoutes: readonly Route[] = [
  { path: '/api/queues', summary: 'Queues of all visible virtual hosts', GET: { need: 'management', answer: getAll } },
  { path: '/api/queues/detailed', summary: 'The same', GET: { need: 'management', answer: getAll } },
  { path: '/api/queues/:vhost', summary: 'Queues of a virtual host', GET: { need: 'vhost', answer: getAll } },
  {
    path: '/api/queues/:vhost/:queue',
    summary: 'A queue. PUT: `durable`, `auto_delete`, `arguments`; DELETE: `?if-empty=true`, `?if-unused=true`',
    GET: { need: 'vhost', answer: get },
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

async function getAll(call: Call): Promise<Reply> {
  const items = (await call.virtualHosts()).flatMap((vhost) => [...vhost.queues.values()]);
  return list(call.query, call.broker.platform.clock, {
    items,
    name: (queue) => queue.name,
    order: byVirtualHostAndName,
    json: shape(call),
  });
}

export function byVirtualHostAndName(a: SharedQueue, b: SharedQueue): number {
  return compareTexts(a.properties.vhost, b.properties.vhost) || compareTexts(a.name, b.name);
}

function shape(call: Call): (queue: SharedQueue) => Row {
  const { broker } = call;
  if (!call.asks('disable_stats')) return (queue) => queueJson(broker, queue);
  if (!call.asks('enable_queue_totals')) return (queue) => queueProperties(broker, queue);
  return (queue) => ({ ...queueProperties(broker, queue), ...queueTotals(queue) });
}

/** The queue of the path: 404 without one. */
export function queueOf(call: Call): SharedQueue {
  const queue = call.vhost.queues.get(call.part('queue'));
  if (queue === undefined) throw notFound();
  return queue;
}

async function get(call: Call): Promise<Reply> {
  const queue = queueOf(call);
  const consumers = await consumersOf(call.broker, queue);
  // Who publishes and consumes how much comes with the rates.
  return ok({ consumer_details: consumers, deliveries: [], incoming: [], ...queueJson(call.broker, queue) });
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
