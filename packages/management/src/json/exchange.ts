import { type Exchange, noPolicy } from '@chapar/core';
import type { Row } from './counters.js';
import { policyProperties } from './policy.js';
import { shownArguments } from './shown.js';

export function exchangeJson(exchange: Exchange): Row {
  const { autoDelete, durable, internal, name, vhost, arguments: args } = exchange.properties;
  const { publishedIn } = exchange;
  return {
    arguments: shownArguments(args),
    auto_delete: autoDelete,
    durable,
    internal,
    ...(exchange.delayed === null ? {} : { messages_delayed: exchange.delayed.count }),
    ...(publishedIn > 0 ? { message_stats: { publish_in: publishedIn } } : {}),
    name,
    ...policyOf(exchange),
    type: exchange.type.name,
    vhost,
  };
}

/** Nothing while there is none, as in the field. */
function policyOf({ policy, properties: { arguments: args }, alternate }: Exchange): Row {
  if (policy === noPolicy) return {};
  const { policy: name, ...more } = policyProperties(policy, args, { 'alternate-exchange': alternate ?? null });
  return { ...(name === null ? {} : { policy: name! }), ...more };
}
