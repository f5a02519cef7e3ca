import type { Broker, JsonValue } from '@chapar/core';
import type { Call } from '../call.js';
import { RefusedError } from '../cluster/membership.js';
import type { Peers } from '../cluster/peers.js';
import type { Row } from '../json/counters.js';
import { badRequest, notFound } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

/** Ours: the field does this on its command line only (`rabbitmq-upgrade drain`, `revive`). */
export function maintenanceRoutes(peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/nodes/:node/maintenance',
      summary:
        'How far a node is on its way out of use: `state` (`serving`, `draining`, `drained`), leads that were moved and that are left, queues that are nowhere else',
      GET: { need: 'monitoring', answer: (call) => ask(call, peers, 'look') },
    },
    {
      path: '/api/nodes/:node/drain',
      summary:
        'Takes a node out of use: nothing new is placed there, its leads are handed over, its clients are told to go elsewhere. Answers as `maintenance` when it has begun',
      POST: { need: 'administrator', answer: (call) => ask(call, peers, 'drain') },
    },
    {
      path: '/api/nodes/:node/revive',
      summary: 'Takes a node into use again',
      POST: { need: 'administrator', answer: (call) => ask(call, peers, 'revive') },
    },
  ];
}

type What = 'look' | 'drain' | 'revive';

/** What nodes ask each other for. */
const kind = 'maintenance';

export function answerMaintenance(broker: Broker, peers: Peers): void {
  peers.membership?.answer(kind, (what) => inWords(act(broker, peers, what as What)));
}

async function ask(call: Call, peers: Peers, what: What): Promise<Reply> {
  const node = call.part('node');
  if (node === call.broker.identity.node) {
    if (peers.membership === null) throw badRequest('this node is alone: there is nobody who could take over from it');
    return ok(await act(call.broker, peers, what));
  }
  if (peers.view?.members.some(({ name }) => name === node) !== true) throw notFound();
  const answer = (await peers.ask(node, kind, what)) as { readonly done?: Row; readonly refused?: string };
  if (answer.refused !== undefined) throw new RefusedError(answer.refused);
  return ok(answer.done!);
}

/** A refusal keeps its meaning on the way. */
async function inWords(work: Promise<Row>): Promise<JsonValue> {
  try {
    return { done: await work };
  } catch (error) {
    if (error instanceof RefusedError) return { refused: error.message };
    throw error;
  }
}

async function act(broker: Broker, { membership }: Peers, what: What): Promise<Row> {
  const { mirrored } = membership!;
  if (what === 'drain') await mirrored.drain();
  if (what === 'revive') await mirrored.revive();
  const { state, moved, left } = mirrored.maintenance();
  return {
    node: broker.identity.node,
    state,
    moved,
    left: left.map((queue) => ({ ...queue })),
    ...only(broker),
    connections: broker.connections.size,
  };
}

/** Names that are shown one by one. */
const namesMax = 100;

/** Durable queues that live here and nowhere else: they are gone while the node is. */
function only(broker: Broker): Row {
  const names: Row[] = [];
  let count = 0;
  for (const vhost of broker.topology.vhosts.values()) {
    for (const queue of vhost.queues.values()) {
      if (queue.home !== null || !queue.properties.durable || queue.properties.owner !== null) continue;
      if (++count <= namesMax) names.push({ vhost: vhost.name, name: queue.name });
    }
  }
  return { only_here: count, only_here_names: names };
}
