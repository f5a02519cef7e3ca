import { DirectRouter } from './direct.js';
import { FanoutRouter } from './fanout.js';
import { HeadersRouter, invalidHeadersBinding } from './headers.js';
import type { ExchangeType } from './router.js';
import { TopicRouter } from './topic.js';

/** The types of exchange that can be declared. A new one is a file beside this one and a line here. */
const all: readonly ExchangeType[] = [
  {
    name: 'direct',
    description: 'routing key equals binding key',
    usesHeaders: false,
    create: () => new DirectRouter(),
  },
  { name: 'fanout', description: 'to every binding', usesHeaders: false, create: () => new FanoutRouter() },
  { name: 'topic', description: 'words with * and #', usesHeaders: false, create: () => new TopicRouter() },
  {
    name: 'headers',
    description: 'headers, all or any',
    usesHeaders: true,
    create: () => new HeadersRouter(),
    invalidBinding: invalidHeadersBinding,
  },
];

export const exchangeTypes: ReadonlyMap<string, ExchangeType> = new Map(all.map((type) => [type.name, type]));
