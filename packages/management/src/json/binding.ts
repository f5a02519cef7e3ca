import { type Arguments, type Binding, noArguments, type SharedQueue } from '@chapar/core';
import type { Row } from './counters.js';
import { shownArguments } from './shown.js';

/** An arrow as the API names it. */
export interface Arrow {
  readonly vhost: string;
  readonly source: string;
  readonly kind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: Arguments;
  readonly propertiesKey: string;
}

export function arrowOf(vhost: string, binding: Binding): Arrow {
  const { source, destination, routingKey, arguments: args } = binding;
  const { kind, name } = destination;
  const propertiesKey = propertiesKeyOf(binding);
  return { vhost, source: source.name, kind, destination: name, routingKey, arguments: args, propertiesKey };
}

/** Every queue is bound to the default exchange by its name; nobody can change that, and no binding is kept for it. */
export function defaultArrow(vhost: string, queue: SharedQueue): Arrow {
  const { name } = queue;
  const propertiesKey = quotePlus(name);
  return {
    vhost,
    source: '',
    kind: 'queue',
    destination: name,
    routingKey: name,
    arguments: noArguments,
    propertiesKey,
  };
}

export function bindingJson(arrow: Arrow): Row {
  return {
    source: arrow.source,
    vhost: arrow.vhost,
    destination: arrow.destination,
    destination_type: arrow.kind,
    routing_key: arrow.routingKey,
    arguments: shownArguments(arrow.arguments),
    properties_key: arrow.propertiesKey,
  };
}

/**
 * What names a binding among those of one source and destination: `~` for no key and no arguments, the quoted key, or key~hash. The
 * hash differs from RabbitMQ's (which is of Erlang terms), so clients read it from here and cannot make it up.
 */
export function propertiesKeyOf({ routingKey, arguments: args, propertiesKey }: Binding): string {
  if (Object.keys(args).length === 0) return routingKey === '' ? '~' : quotePlus(routingKey);
  return `${quotePlus(routingKey)}~${propertiesKey.slice(routingKey.length + 1)}`;
}

/** As forms encode, with `~` encoded too, since it separates. */
function quotePlus(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
