import type { Call } from '../call.js';
import { globalParameterJson, parameterJson } from '../json/parameter.js';
import { list } from '../listing.js';
import { notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { parametersDoNotAct, type Said } from '../said.js';

/** Parameters of plug-ins (`federation-upstream`, `shovel`, ...), per virtual host and global. */
export function parameterRoutes(said: Said): readonly Route[] {
  return [
    { path: '/api/parameters', summary: 'Parameters of all components', GET: { need: 'policymaker', answer: getAll } },
    {
      path: '/api/parameters/:component',
      summary: 'Parameters of a component',
      GET: { need: 'policymaker', answer: getAll },
    },
    {
      path: '/api/parameters/:component/:vhost',
      summary: 'Parameters of a component in a virtual host',
      GET: { need: 'policies', answer: getAll },
    },
    {
      path: '/api/parameters/:component/:vhost/:name',
      summary: 'A parameter: `value`. Stored, and without effect in this version',
      GET: { need: 'policies', answer: get },
      PUT: { need: 'policies', answer: (call) => put(call, said) },
      DELETE: { need: 'policies', answer: remove },
    },
    {
      path: '/api/global-parameters',
      summary: 'Global parameters',
      GET: { need: 'policymaker', answer: getAllGlobal },
    },
    {
      path: '/api/global-parameters/:name',
      summary: 'A global parameter: `value`. Stored, and without effect in this version',
      GET: { need: 'policymaker', answer: getGlobal },
      PUT: { need: 'policymaker', answer: (call) => putGlobal(call, said) },
      DELETE: { need: 'policymaker', answer: removeGlobal },
    },
  ];
}

async function getAll(call: Call): Promise<Reply> {
  const component = call.part('component');
  const visible = new Set((await call.virtualHosts()).map(({ name }) => name));
  const records = call.broker.records.list('parameters', ...(component === '' ? [] : [component]));
  return list(call.query, call.broker.platform.clock, {
    items: records.filter(({ names }) => visible.has(names[1]!)),
    name: ({ names }) => names[2]!,
    order: null,
    json: parameterJson,
  });
}

function namesOf(call: Call): string[] {
  return [call.part('component'), call.vhost.name, call.part('name')];
}

function get(call: Call): Reply {
  const names = namesOf(call);
  const value = call.broker.records.get('parameters', ...names);
  if (value === undefined) throw notFound();
  return ok(parameterJson({ names, value }));
}

async function put(call: Call, said: Said): Promise<Reply> {
  const { body, broker } = call;
  const names = namesOf(call);
  body.require('value');
  const isNew = broker.records.get('parameters', ...names) === undefined;
  await broker.records.put('parameters', names, body.value('value')!);
  said.warn({ component: names[0], vhost: names[1], parameter: names[2] }, parametersDoNotAct);
  return stored(isNew);
}

async function remove(call: Call): Promise<Reply> {
  if (!(await call.broker.records.delete('parameters', ...namesOf(call)))) throw notFound();
  return noContent;
}

function getAllGlobal(call: Call): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items: call.broker.records.list('global-parameters'),
    name: ({ names }) => names[0]!,
    order: null,
    json: globalParameterJson,
  });
}

function getGlobal(call: Call): Reply {
  const name = call.part('name');
  const value = call.broker.records.get('global-parameters', name);
  if (value === undefined) throw notFound();
  return ok({ name, value });
}

async function putGlobal(call: Call, said: Said): Promise<Reply> {
  const { body, broker } = call;
  const name = call.part('name');
  body.require('value');
  const isNew = broker.records.get('global-parameters', name) === undefined;
  await broker.records.put('global-parameters', [name], body.value('value')!);
  said.warn({ parameter: name }, parametersDoNotAct);
  return stored(isNew);
}

async function removeGlobal(call: Call): Promise<Reply> {
  if (!(await call.broker.records.delete('global-parameters', call.part('name')))) throw notFound();
  return noContent;
}
