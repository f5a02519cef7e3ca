import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import type { QueueDeclaration } from './declare.js';
import type { VirtualHost } from './virtual-host.js';

/** What a queue is that says nothing. */
const fallback = 'classic';

/**
 * A declaration that names no type takes the default of the virtual host, which is recorded as if it had been asked for. As in the field,
 * a queue that cannot be of that type (transient, exclusive, auto-delete) is classic; so are those whose names the broker makes.
 */
export function withDefaultType(vhost: VirtualHost, declaration: QueueDeclaration): QueueDeclaration {
  const { name, durable, autoDelete, owner, serverNamed, arguments: args } = declaration;
  const type = vhost.properties.defaultQueueType;
  if (args['x-queue-type'] !== undefined || type === fallback) return declaration;
  const isNamedByUs = serverNamed && name.startsWith('amq.gen-');
  if (!durable || autoDelete || owner !== null || isNamedByUs) return declaration;
  return { ...declaration, arguments: { ...args, 'x-queue-type': type } };
}

/** The type that a declaration asks of a queue that is there: without one it takes a classic one, and one of the default type. */
export function askedType(vhost: VirtualHost, declared: Arguments, current: Arguments): JsonValue {
  const given = declared['x-queue-type'];
  if (given !== undefined) return given;
  const is = typeOf(current);
  return is === vhost.properties.defaultQueueType ? is : fallback;
}

export const typeOf = (args: Arguments): JsonValue => args['x-queue-type'] ?? fallback;
