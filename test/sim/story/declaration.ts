import type { Arguments } from '@chapar/core';
import type { QueueLife } from '../checks/facts.js';
import type { Question } from '../cluster/traffic.js';
import type { QueueLine } from './story.js';

/** How a queue of a story is declared. */
export function declarationOf(queue: QueueLine): Question & { readonly kind: 'declare-queue' } {
  const { name, isDurable: durable } = queue;
  return { kind: 'declare-queue', name, durable, exclusive: false, autoDelete: false, arguments: argumentsOf(queue) };
}

function argumentsOf(queue: QueueLine): Arguments {
  const { copies, max, newest, isSingleActive, deadLettersTo, ttlMs, deliveryLimit, priorityMax } = queue;
  return {
    ...(copies !== null && { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': copies }),
    ...(max !== null && { 'x-max-length': max, 'x-overflow': 'reject-publish' }),
    ...(newest !== null && { 'x-max-length': newest, 'x-overflow': 'drop-head' }),
    ...(isSingleActive && { 'x-single-active-consumer': true }),
    ...(deadLettersTo !== null && { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': deadLettersTo }),
    ...(ttlMs !== null && { 'x-message-ttl': ttlMs }),
    ...(deliveryLimit !== null && { 'x-delivery-limit': deliveryLimit }),
    ...(priorityMax !== null && { 'x-max-priority': priorityMax }),
  };
}

/** What the ledger has to know of it. */
export function factsOf(
  queue: QueueLine,
  all: readonly QueueLine[],
): Pick<QueueLife, 'name' | 'home'> & Partial<QueueLife> {
  const { name, node, copies, isDurable, isSingleActive, deadLettersTo, newest, ttlMs, deliveryLimit } = queue;
  const sources = all.filter((each) => each.deadLettersTo === name);
  const isFedByOutbox = sources.length > 0;
  const leavesOtherwise = newest !== null || deliveryLimit !== null;
  return {
    name,
    home: copies === null ? node : '',
    diskMin: copies === null ? null : Math.ceil(copies / 2),
    isDurable,
    isOrdered: !isFedByOutbox,
    isSingleActive,
    deadLettersTo,
    isFedByOutbox,
    mayDoubleLetters: isFedByOutbox && [queue, ...sources].some((each) => each.copies === null),
    isLeaky: leavesOtherwise || ttlMs !== null,
    ttlMs: leavesOtherwise ? null : ttlMs,
  };
}
