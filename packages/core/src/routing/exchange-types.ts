import { consistentHashType } from './consistent-hash.js';
import { delayedMessageType } from './delayed-message.js';
import { directType } from './direct.js';
import { fanoutType } from './fanout.js';
import { headersType } from './headers.js';
import { modulusHashType } from './modulus-hash.js';
import { randomType } from './random.js';
import type { ExchangeType } from './router.js';
import { topicType } from './topic.js';

/** The types of exchange that can be declared. A new one is a file beside this one and a line here. */
const types: readonly ExchangeType[] = [
  directType,
  fanoutType,
  topicType,
  headersType,
  consistentHashType,
  modulusHashType,
  randomType,
];

export const exchangeTypes: ReadonlyMap<string, ExchangeType> = new Map(
  [...types, delayedMessageType(types)].map((type) => [type.name, type]),
);
