import { compilePattern, type Log } from '@chapar/platform';
import type { Call } from '../call.js';
import { type CopiesView, isShard, type LeadMove, type MirroredQueues } from '../cluster/mirrored-queues.js';
import type { Peers } from '../cluster/peers.js';
import { prospectsJson, quorumStatusRows } from '../json/copies.js';
import type { Row } from '../json/counters.js';
import { badRequest, missing, notFound } from '../problem.js';
import { noContent, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { queueOf } from './queues.js';

/** Copies of queues. The paths are the field's, which has them for queues of type quorum; here they are for all that are mirrored. */
export function copyRoutes(peers: Peers, log: Log): readonly Route[] {
  const queue = '/api/queues/quorum/:vhost/:queue';
  return [
    {
      path: `${queue}/status`,
      summary: 'The copies of a mirrored queue, a row each, as `rabbitmq-queues quorum_status` shows them',
      GET: { need: 'vhost', answer: (call) => status(call, peers) },
    },
    {
      path: `${queue}/replicas/add`,
      summary: 'Puts a copy of a mirrored queue on a node: `node`',
      POST: { need: 'administrator', answer: (call) => add(call, peers) },
    },
    {
      path: `${queue}/replicas/delete`,
      summary: 'Takes the copy of a mirrored queue from a node: `node`. One that leads hands the lead over first',
      DELETE: { need: 'administrator', answer: (call) => remove(call, peers) },
    },
    {
      path: `${queue}/leader`,
      summary:
        'Hands the lead of a mirrored queue over: to `node`, or to the member in sync that leads the fewest. Ours',
      POST: { need: 'administrator', answer: (call) => handOver(call, peers) },
    },
    {
      path: `${queue}/promote`,
      summary:
        'Makes a copy lead that is not in sync, when none that is in sync is coming back: `node`; what it lacks is lost. `?dry-run=true` only tells what may be lost. Ours',
      POST: { need: 'administrator', answer: (call) => promote(call, peers) },
    },
    {
      path: '/api/queues/quorum/replicas/on/:node/grow',
      summary:
        'Puts copies of mirrored queues on a node, one after the other: `vhost_pattern`, `queue_pattern`, `strategy` (`all`, `even`)',
      POST: { need: 'administrator', answer: (call) => grow(call, peers, log) },
    },
    {
      path: '/api/queues/quorum/replicas/on/:node/shrink',
      summary: 'Takes all copies of mirrored queues from a node, one after the other',
      DELETE: { need: 'administrator', answer: (call) => shrink(call, peers, log) },
    },
    {
      path: '/api/rebalance/queues',
      summary:
        'Spreads the leads of mirrored queues evenly, a few queues a second: `vhost_pattern`, `queue_pattern`; `?dry-run=true` only tells what would move',
      POST: { need: 'administrator', answer: (call) => rebalance(call, peers) },
    },
  ];
}

/** The mirrored queue of the path; 404 without one. */
function copiesOf(call: Call, { membership }: Peers): { mirrored: MirroredQueues; view: CopiesView } {
  const { incarnation, name } = queueOf(call);
  const view = membership?.mirrored.view(incarnation) ?? null;
  if (view === null) throw missing(`queue '${name}' is not mirrored: it has no copies`);
  return { mirrored: membership!.mirrored, view };
}

async function status(call: Call, peers: Peers): Promise<Reply> {
  const { mirrored, view } = copiesOf(call, peers);
  return ok(quorumStatusRows(view, await mirrored.status(view.incarnation)));
}

async function add(call: Call, peers: Peers): Promise<Reply> {
  const { mirrored, view } = copiesOf(call, peers);
  call.body.require('node');
  await mirrored.add(view.incarnation, call.body.text('node', ''));
  return noContent;
}

async function remove(call: Call, peers: Peers): Promise<Reply> {
  const { mirrored, view } = copiesOf(call, peers);
  call.body.require('node');
  await mirrored.remove(view.incarnation, call.body.text('node', ''));
  return noContent;
}

async function handOver(call: Call, peers: Peers): Promise<Reply> {
  const { mirrored, view } = copiesOf(call, peers);
  const node = call.body.text('node', '');
  return ok({ leader: await mirrored.handOver(view.incarnation, node === '' ? null : node) });
}

async function promote(call: Call, peers: Peers): Promise<Reply> {
  const { mirrored, view } = copiesOf(call, peers);
  call.body.require('node');
  const node = call.body.text('node', '');
  const prospects = await mirrored.prospects(view.incarnation);
  if (!call.asks('dry-run')) await mirrored.promote(view.incarnation, node);
  return ok(prospectsJson(prospects, node));
}

// -- many queues ---------------------------------------------------------------------------------------------------

/** It takes its time, and the field does not wait for it either. */
const accepted: Reply = { status: 202 };

function grow(call: Call, peers: Peers, log: Log): Reply {
  const node = liveNode(call, peers);
  const { mirrored } = peers.membership!;
  const strategy = call.body.text('strategy', 'all');
  if (strategy !== 'all' && strategy !== 'even') throw badRequest(`strategy must be all or even, got '${strategy}'`);
  const isMeant = patterns(call);
  const isWanting = ({ members }: CopiesView) => strategy === 'all' || members.length % 2 === 0;
  const isOpen = (q: CopiesView) => !isShard(q) && isMeant(q) && isWanting(q) && !q.members.includes(node);
  const queues = [...mirrored.all()].filter(isOpen);
  void oneByOne(queues, log, (queue) => mirrored.add(queue.incarnation, node));
  return accepted;
}

function shrink(call: Call, { membership }: Peers, log: Log): Reply {
  const node = call.part('node');
  if (membership?.view().members.some(({ name }) => name === node) !== true) throw notFound();
  const { mirrored } = membership;
  const queues = [...mirrored.all()].filter((queue) => !isShard(queue) && queue.members.includes(node));
  void oneByOne(queues, log, (queue) => mirrored.remove(queue.incarnation, node));
  return accepted;
}

function liveNode(call: Call, peers: Peers): string {
  const node = call.part('node');
  if (peers.membership === null || !peers.isLive(node)) throw notFound();
  return node;
}

async function oneByOne(
  queues: readonly CopiesView[],
  log: Log,
  work: (queue: CopiesView) => Promise<void>,
): Promise<void> {
  for (const queue of queues) {
    const { vhost, name } = queue;
    try {
      await work(queue);
    } catch (error) {
      log.warn({ vhost, queue: name, error }, 'the copies of a queue were left as they are');
    }
  }
}

function rebalance(call: Call, { membership }: Peers): Reply {
  const isMeant = patterns(call);
  if (call.asks('dry-run')) return ok((membership?.mirrored.moves(isMeant) ?? []).map(moveJson));
  membership?.mirrored.rebalance(isMeant);
  return noContent;
}

const moveJson = ({ vhost, name, from, to }: LeadMove): Row => ({ vhost, name, from, to });

/** Whom the two patterns of the body mean; they mean everything when they are absent. */
function patterns({ body }: Call): (queue: CopiesView) => boolean {
  const vhosts = compilePattern(body.text('vhost_pattern', '.*'));
  const names = compilePattern(body.text('queue_pattern', '.*'));
  return ({ vhost, name }) => vhosts.test(vhost) && names.test(name);
}
