import { type Arguments, bind, declareExchange, declareQueue, type VirtualHost } from '@chapar/core';
import type { Fields } from '../fields.js';
import { badRequest } from '../problem.js';
import { shortText } from '../short-text.js';
import { type ImportTarget, vhostOf } from './target.js';

// Whoever imports is an administrator, and the field asks for no permissions on names here; so the rules of declaring apply, and the
// checks of permissions do not.

export async function importExchange(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('name', 'type');
  const vhost = vhostOf(target, fields);
  const name = shortText('the name of an exchange', fields.text('name', ''));
  // Old exports name the broker's own; they are there.
  if (name === '' || (name.startsWith('amq.') && vhost.exchanges.has(name))) return;
  await declareExchange(target.broker.topology, vhost, {
    name,
    type: fields.text('type', ''),
    durable: fields.truth('durable', true),
    autoDelete: fields.truth('auto_delete', false),
    internal: fields.truth('internal', false),
    arguments: fields.table('arguments'),
  });
}

export async function importQueue(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('name');
  const vhost = vhostOf(target, fields);
  const limit = target.broker.limits.queuesMax(vhost.name);
  const declaration = {
    name: shortText('the name of a queue', fields.text('name', '')),
    // A queue that its broker named keeps its name.
    serverNamed: true,
    durable: fields.truth('durable', true),
    autoDelete: fields.truth('auto_delete', false),
    owner: null,
    arguments: typed(vhost, fields.text('type', ''), fields.table('arguments')),
  };
  if (declaration.name === '') throw badRequest('a queue needs a name');
  await declareQueue(target.broker.topology, vhost, declaration, limit);
}

/** RabbitMQ 4.x writes the type beside the arguments, too. What a queue is by default needs no argument. */
function typed({ properties: { defaultQueueType } }: VirtualHost, type: string, args: Arguments): Arguments {
  const isDefault = type === 'classic' && defaultQueueType === 'classic';
  return type === '' || isDefault || Object.hasOwn(args, 'x-queue-type') ? args : { ...args, 'x-queue-type': type };
}

export async function importBinding(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('destination');
  const vhost = vhostOf(target, fields);
  const kind = fields.text('destination_type', 'queue');
  if (kind !== 'queue' && kind !== 'exchange')
    throw badRequest(`destination_type must be queue or exchange, got '${kind}'`);
  const source = fields.text('source', '');
  // Every queue is bound to the default exchange; old exports say so.
  if (source === '') return;
  await bind(target.broker.topology, vhost, {
    source,
    kind,
    destination: fields.text('destination', ''),
    routingKey: shortText('a routing key', fields.text('routing_key', '')),
    arguments: fields.table('arguments'),
  });
}
