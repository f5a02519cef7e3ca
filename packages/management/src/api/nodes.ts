import type { JsonValue } from '@chapar/core';
import type { Call } from '../call.js';
import type { Losses, MemberView } from '../cluster/membership.js';
import { type Peers, withSilent } from '../cluster/peers.js';
import type { Row } from '../json/counters.js';
import { memoryJson } from '../json/memory.js';
import { absentNodeJson, memberFields, nodeJson } from '../json/node.js';
import { list } from '../listing.js';
import type { ManagementOptions } from '../options.js';
import { badRequest, notFound } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';

export function nodeRoutes(options: ManagementOptions, peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/nodes',
      summary: 'The nodes of the cluster; those that are gone have `running` false',
      GET: { need: 'monitoring', answer: (call) => getAll(call, options, peers) },
    },
    {
      path: '/api/nodes/:node',
      summary:
        'A node; `?memory=true` adds where its memory is. DELETE (by name or data id): the cluster forgets one that is gone, with the durable queues that live there, which are named in the answer; `?dry-run=true` only names them',
      GET: { need: 'monitoring', answer: (call) => get(call, options, peers) },
      DELETE: { need: 'administrator', answer: (call) => forget(call, peers) },
    },
    {
      path: '/api/nodes/:node/memory',
      summary: 'Where the memory of a node is',
      GET: { need: 'monitoring', answer: (call) => getMemory(call, peers) },
    },
  ];
}

/** What nodes ask each other for. */
export const oneNode = 'node';
export const memoryOfNode = 'node.memory';

async function getAll(call: Call, options: ManagementOptions, peers: Peers): Promise<Reply> {
  const { broker } = call;
  const { answers, silent } = await peers.askAll(oneNode, null);
  const own = nodeJson(broker, options);
  const members = peers.view?.members ?? [];
  const rows = members.map((member) => rowOf(member, member.isHere ? own : answers.get(member.name)));
  const reply = await list(call.query, broker.platform.clock, {
    items: rows.length === 0 ? [own] : rows,
    name: (row) => String(row['name']),
    order: (a, b) => compareTexts(String(a['name']), String(b['name'])),
    json: (row) => row,
  });
  return withSilent(reply, silent);
}

function rowOf(member: MemberView, answer: JsonValue | undefined): Row {
  return answer === undefined ? absentNodeJson(member) : { ...(answer as Row), ...memberFields(member) };
}

async function get(call: Call, options: ManagementOptions, peers: Peers): Promise<Reply> {
  const name = call.part('node');
  const member = peers.view?.members.find((each) => each.name === name);
  const isHere = name === call.broker.identity.node;
  if (member === undefined && !isHere) throw notFound();
  if (isHere) {
    const row = nodeJson(call.broker, options);
    return ok({
      ...(member === undefined ? row : rowOf(member, row)),
      ...(call.asks('memory') ? { memory: memoryJson() } : {}),
    });
  }
  if (!member!.isLive) return ok(absentNodeJson(member!));
  const { answers, silent } = await peers.askAll(oneNode, null, [name]);
  const memory = call.asks('memory') ? { memory: await peers.ask(name, memoryOfNode, null) } : {};
  return withSilent(ok({ ...rowOf(member!, answers.get(name)), ...memory }), silent);
}

async function getMemory(call: Call, peers: Peers): Promise<Reply> {
  const name = call.part('node');
  if (name === call.broker.identity.node) return ok({ memory: memoryJson() });
  if (!peers.isLive(name)) throw notFound();
  return ok({ memory: await peers.ask(name, memoryOfNode, null) });
}

async function forget(call: Call, { membership }: Peers): Promise<Reply> {
  const member = call.part('node');
  if (membership === null) throw badRequest('this node is alone: there is no cluster that could forget a node');
  const losses = await membership.losses(member);
  if (losses === null) throw notFound();
  return ok(lossesJson(call.asks('dry-run') ? losses : await membership.forget(member)));
}

function lossesJson({ name, dataId, queues }: Losses): Row {
  return { name, data_id: dataId, queues_lost: queues.map((queue) => ({ ...queue })) };
}
