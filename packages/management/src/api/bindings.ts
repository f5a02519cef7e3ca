import { type Binding, type BindingRequest, equalArguments, type VirtualHost } from '@chapar/core';
import type { Call } from '../call.js';
import { type Arrow, arrowOf, bindingJson, defaultArrow, propertiesKeyOf } from '../json/binding.js';
import { list } from '../listing.js';
import { Pace } from '../pace.js';
import { notFound } from '../problem.js';
import { createdAt, noContent, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { compareTexts } from '../sorting.js';
import { exchangeOf } from './exchanges.js';
import { queueOf } from './queues.js';

export const bindingRoutes: readonly Route[] = [
  {
    path: '/api/bindings',
    summary: 'Bindings of all visible virtual hosts',
    GET: { need: 'management', answer: getAll },
  },
  { path: '/api/bindings/:vhost', summary: 'Bindings of a virtual host', GET: { need: 'vhost', answer: getAll } },
  ...between('q', 'queue'),
  ...between('e', 'exchange'),
  {
    path: '/api/queues/:vhost/:queue/bindings',
    summary: 'Bindings that lead to a queue',
    GET: { need: 'vhost', answer: ofQueue },
  },
  {
    path: '/api/exchanges/:vhost/:exchange/bindings/source',
    summary: 'Bindings that start at an exchange',
    GET: { need: 'vhost', answer: fromExchange },
  },
  {
    path: '/api/exchanges/:vhost/:exchange/bindings/destination',
    summary: 'Bindings that lead to an exchange',
    GET: { need: 'vhost', answer: toExchange },
  },
];

/** The routes of bindings from an exchange to one kind of destination. */
function between(letter: 'q' | 'e', kind: 'queue' | 'exchange'): Route[] {
  const path = `/api/bindings/:vhost/e/:source/${letter}/:destination`;
  return [
    {
      path,
      summary: `Bindings from an exchange to ${kind === 'queue' ? 'a queue' : 'an exchange'}. POST: \`routing_key\`, \`arguments\`; the answer's \`Location\` names the binding`,
      GET: { need: 'vhost', answer: (call) => getBetween(call, kind) },
      POST: { need: 'vhost', answer: (call) => post(call, kind) },
    },
    {
      path: `${path}/:props`,
      summary: 'One of them, by its `properties_key` (`~`: no key and no arguments)',
      GET: { need: 'vhost', answer: (call) => get(call, kind) },
      DELETE: { need: 'vhost', answer: (call) => remove(call, kind) },
    },
  ];
}

// ---- lists ------------------------------------------------------------------------------------------------------

async function getAll(call: Call): Promise<Reply> {
  const pace = new Pace(call.broker.platform.clock);
  const arrows: Arrow[] = [];
  for (const vhost of await call.virtualHosts()) {
    for (const queue of [...vhost.queues.values()]) {
      arrows.push(defaultArrow(vhost.name, queue));
      if (pace.isDue) await pace.rest();
    }
    for (const exchange of [...vhost.exchanges.values()]) {
      for (const binding of exchange.bindings.values()) arrows.push(arrowOf(vhost.name, binding));
      if (pace.isDue) await pace.rest();
    }
  }
  return listArrows(call, arrows);
}

function listArrows(call: Call, items: readonly Arrow[]): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items,
    name: (arrow) => arrow.destination,
    order: compareArrows,
    json: bindingJson,
  });
}

function compareArrows(a: Arrow, b: Arrow): number {
  return (
    compareTexts(a.vhost, b.vhost) ||
    compareTexts(a.source, b.source) ||
    compareTexts(a.kind, b.kind) ||
    compareTexts(a.destination, b.destination) ||
    compareTexts(a.routingKey, b.routingKey) ||
    compareTexts(a.propertiesKey, b.propertiesKey)
  );
}

function ofQueue(call: Call): Promise<Reply> {
  const queue = queueOf(call);
  const { vhost } = call;
  const bindings = [...(vhost.queueBindings.get(queue) ?? [])].map((binding) => arrowOf(vhost.name, binding));
  return listArrows(call, [defaultArrow(vhost.name, queue), ...bindings]);
}

function fromExchange(call: Call): Promise<Reply> {
  const { vhost } = call;
  const exchange = exchangeOf(call);
  const arrows =
    exchange.name === ''
      ? [...vhost.queues.values()].map((queue) => defaultArrow(vhost.name, queue))
      : [...exchange.bindings.values()].map((binding) => arrowOf(vhost.name, binding));
  return listArrows(call, arrows);
}

function toExchange(call: Call): Promise<Reply> {
  const { vhost } = call;
  return listArrows(
    call,
    [...exchangeOf(call).inbound].map((binding) => arrowOf(vhost.name, binding)),
  );
}

// ---- one source and destination ---------------------------------------------------------------------------------

function getBetween(call: Call, kind: 'queue' | 'exchange'): Promise<Reply> {
  const { vhost } = call;
  return listArrows(call, arrowsBetween(call, vhost, kind));
}

function arrowsBetween(call: Call, vhost: VirtualHost, kind: 'queue' | 'exchange'): Arrow[] {
  const arrows = bindingsBetween(call, vhost, kind).map((binding) => arrowOf(vhost.name, binding));
  const queue = kind === 'queue' ? vhost.queues.get(call.part('destination')) : undefined;
  if (call.exchangePart('source') === '' && queue !== undefined) arrows.push(defaultArrow(vhost.name, queue));
  return arrows;
}

/** From the end that has fewer. */
function bindingsBetween(call: Call, vhost: VirtualHost, kind: 'queue' | 'exchange'): Binding[] {
  const source = call.exchangePart('source');
  if (kind === 'queue') {
    const queue = vhost.queues.get(call.part('destination'));
    const bindings = queue === undefined ? undefined : vhost.queueBindings.get(queue);
    return [...(bindings ?? [])].filter((binding) => binding.source.name === source);
  }
  const exchange = vhost.exchanges.get(call.exchangePart('destination'));
  return [...(exchange?.inbound ?? [])].filter((binding) => binding.source.name === source);
}

async function post(call: Call, kind: 'queue' | 'exchange'): Promise<Reply> {
  const { body, vhost } = call;
  const request: BindingRequest = {
    source: call.exchangePart('source'),
    kind,
    destination: kind === 'queue' ? call.part('destination') : call.exchangePart('destination'),
    routingKey: shortText('a routing key', body.text('routing_key', '')),
    arguments: body.table('arguments'),
  };
  const actor = await call.actor();
  await actor.bind(request);
  const made = bindingsBetween(call, vhost, kind).filter(({ routingKey }) => routingKey === request.routingKey);
  const binding = made.find((each) => equalArguments(each.arguments, request.arguments));
  if (binding === undefined) throw notFound();
  // Relative to the request's own path, as the field writes it.
  const parts = [call.part('destination'), propertiesKeyOf(binding)];
  return createdAt(parts.map(encodeURIComponent).join('/'));
}

function get(call: Call, kind: 'queue' | 'exchange'): Reply {
  const { vhost } = call;
  const props = call.part('props');
  const found = arrowsBetween(call, vhost, kind).find((arrow) => isNamed(arrow, props));
  if (found === undefined) throw notFound();
  return ok(bindingJson(found));
}

async function remove(call: Call, kind: 'queue' | 'exchange'): Promise<Reply> {
  const { vhost } = call;
  const props = call.part('props');
  const found = bindingsBetween(call, vhost, kind).find((binding) => isNamed(arrowOf(vhost.name, binding), props));
  if (found === undefined) throw notFound();
  const { source, destination, routingKey, arguments: args } = found;
  const actor = await call.actor();
  const { name } = destination;
  await actor.unbind({ source: source.name, kind, destination: name, routingKey, arguments: args });
  return noContent;
}

/** Clients that put the routing key into the path as it is, without quoting it a second time, are understood too. */
function isNamed(arrow: Arrow, props: string): boolean {
  if (arrow.propertiesKey === props) return true;
  return arrow.routingKey === props && Object.keys(arrow.arguments).length === 0;
}
