import type { Exchange } from '@chapar/core';
import type { Row } from './counters.js';
import { shownArguments } from './shown.js';

export function exchangeJson(exchange: Exchange): Row {
  const { autoDelete, durable, internal, name, vhost, arguments: args } = exchange.properties;
  const { publishedIn } = exchange;
  return {
    arguments: shownArguments(args),
    auto_delete: autoDelete,
    durable,
    internal,
    ...(publishedIn > 0 ? { message_stats: { publish_in: publishedIn } } : {}),
    name,
    type: exchange.type.name,
    vhost,
  };
}
