import type { Exchange } from '@chapar/core';
import type { Call } from '../call.js';
import { exchangeJson } from '../json/exchange.js';
import { list } from '../listing.js';
import { badRequest, notFound } from '../problem.js';
import { noContent, ok, type Reply, stored } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { compareTexts } from '../sorting.js';

export const exchangeRoutes: readonly Route[] = [
  {
    path: '/api/exchanges',
    summary: 'Exchanges of all visible virtual hosts',
    GET: { need: 'management', answer: getAll },
  },
  { path: '/api/exchanges/:vhost', summary: 'Exchanges of a virtual host', GET: { need: 'vhost', answer: getAll } },
  {
    path: '/api/exchanges/:vhost/:exchange',
    summary:
      'An exchange. PUT: `type`, `durable`, `auto_delete`, `internal`, `arguments`; DELETE: `?if-unused=true`. `amq.default` names the default exchange',
    GET: { need: 'vhost', answer: get },
    PUT: { need: 'vhost', answer: put },
    DELETE: { need: 'vhost', answer: remove },
  },
  {
    path: '/api/exchanges/:vhost/:exchange/delayed',
    summary: 'Drops the messages that wait in an exchange of type `x-delayed-message` until they are due',
    DELETE: { need: 'vhost', answer: purgeDelayed },
  },
];

async function getAll(call: Call): Promise<Reply> {
  const items = (await call.virtualHosts()).flatMap((vhost) => [...vhost.exchanges.values()]);
  return list(call.query, call.broker.platform.clock, {
    items,
    name: (exchange) => exchange.name,
    order: (a, b) => compareTexts(a.properties.vhost, b.properties.vhost) || compareTexts(a.name, b.name),
    json: exchangeJson,
  });
}

/** The exchange of the path: 404 without one. */
export function exchangeOf(call: Call): Exchange {
  const exchange = call.vhost.exchanges.get(call.exchangePart('exchange'));
  if (exchange === undefined) throw notFound();
  return exchange;
}

function get(call: Call): Reply {
  // Who publishes here, and where it goes, comes with the rates.
  return ok({ ...exchangeJson(exchangeOf(call)), incoming: [], outgoing: [] });
}

async function put(call: Call): Promise<Reply> {
  const { body, vhost } = call;
  const name = shortText('the name of an exchange', call.exchangePart('exchange'));
  const isNew = !vhost.exchanges.has(name);
  const wish = {
    name,
    type: body.text('type', 'direct'),
    durable: body.truth('durable', false),
    autoDelete: body.truth('auto_delete', false),
    internal: body.truth('internal', false),
    arguments: body.table('arguments'),
  };
  const actor = await call.actor();
  await actor.declareExchange(wish);
  return stored(isNew);
}

async function purgeDelayed(call: Call): Promise<Reply> {
  const { name, delayed } = exchangeOf(call);
  if (delayed === null)
    throw badRequest(`exchange '${name}' is not of type x-delayed-message, so no messages wait in it`);
  const actor = await call.actor();
  await actor.purgeDelayed(name);
  return noContent;
}

async function remove(call: Call): Promise<Reply> {
  const exchange = exchangeOf(call);
  const actor = await call.actor();
  await actor.deleteExchange(exchange.name, { ifUnused: call.asks('if-unused') });
  return noContent;
}
