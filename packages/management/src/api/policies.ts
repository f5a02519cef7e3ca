import type { Collection, StoredRecord } from '@chapar/core';
import type { Call } from '../call.js';
import { list } from '../listing.js';
import { policyJson, readPolicy } from '../policy.js';
import { notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Endpoint, Need, Route } from '../route.js';

/** Policies and operator policies: the same in shape, different in who may set them. */
export const policyRoutes: readonly Route[] = [
  ...routesOf('policies', 'policies'),
  ...routesOf('operator-policies', 'administrator'),
];

type Policies = Extract<Collection, 'policies' | 'operator-policies'>;

function routesOf(collection: Policies, change: Need): Route[] {
  const all: Endpoint['answer'] = (call) => getAll(call, collection);
  const kind = collection === 'policies' ? 'policies' : 'operator policies';
  return [
    {
      path: `/api/${collection}`,
      summary: `All ${kind}`,
      GET: { need: 'management', answer: all },
    },
    {
      path: `/api/${collection}/:vhost`,
      summary: `The ${kind} of a virtual host`,
      GET: { need: 'vhost', answer: all },
    },
    {
      path: `/api/${collection}/:vhost/:name`,
      summary: `One of the ${kind}: \`pattern\`, \`definition\`, \`priority\`, \`apply-to\`; see QUEUES.md`,
      GET: { need: collection === 'policies' ? 'policies' : 'vhost', answer: (call) => get(call, collection) },
      PUT: { need: change, answer: (call) => put(call, collection) },
      DELETE: { need: change, answer: (call) => remove(call, collection) },
    },
  ];
}

async function getAll(call: Call, collection: Policies): Promise<Reply> {
  const vhosts = await call.virtualHosts();
  return list<StoredRecord>(call.query, call.broker.platform.clock, {
    items: vhosts.flatMap(({ name }) => call.broker.records.list(collection, name)),
    name: ({ names }) => names[1]!,
    order: null,
    json: ({ names, value }) => policyJson(names[0]!, names[1]!, value),
  });
}

function get(call: Call, collection: Policies): Reply {
  const vhost = call.vhost.name;
  const name = call.part('name');
  const value = call.broker.records.get(collection, vhost, name);
  if (value === undefined) throw notFound();
  return ok(policyJson(vhost, name, value));
}

async function put(call: Call, collection: Policies): Promise<Reply> {
  const { records } = call.broker;
  const names = [call.vhost.name, call.part('name')];
  const policy = readPolicy(collection === 'policies' ? 'policy' : 'operator_policy', call.body);
  const isNew = records.get(collection, ...names) === undefined;
  await records.put(collection, names, policy);
  return stored(isNew);
}

async function remove(call: Call, collection: Policies): Promise<Reply> {
  if (!(await call.broker.records.delete(collection, call.vhost.name, call.part('name')))) throw notFound();
  return noContent;
}
