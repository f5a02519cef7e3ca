import type { Arguments } from '../arguments.js';
import { brokerError } from '../errors.js';
import type { Later } from '../later.js';
import { type Guard, GuardFailedError, type JsonValue } from '../ports.js';
import { Queue } from '../queue/queue.js';
import { type Binding, bindingKey, type Destination } from '../routing/binding.js';
import type { Exchange } from '../routing/exchange.js';
import { assertNotDeleted, metadataFailed } from './declare.js';
import { bindingRecordKey, exchangeKey, queueKey, vhostKey } from './records.js';
import { isStored, type Topology } from './topology.js';
import type { VirtualHost } from './virtual-host.js';

/** What a binding is made or found by. */
export interface BindingRequest {
  readonly source: string;
  readonly kind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: Arguments;
}

/** queue.bind and exchange.bind. Binding twice is one binding. */
export function bind(topology: Topology, vhost: VirtualHost, request: BindingRequest): Later<void> {
  assertNotDeleted(vhost);
  const source = findSource(vhost, request);
  const destination = findDestination(vhost, request);
  const { kind, routingKey, arguments: args } = request;
  const fault = source.type.invalidBinding?.(routingKey, args, source.properties.arguments) ?? null;
  if (fault !== null) {
    throw brokerError('invalidArgument', { kind: 'exchange', name: source.name, vhost: vhost.name, ...fault });
  }
  if (source.bindings.has(bindingKey(kind, destination.name, routingKey, args))) return;
  const { residence } = topology;
  if (residence !== null && livesElsewhere(destination)) return residence.bindAtHome(destination.queue, request);
  const destinationIncarnation = incarnationIfStored(topology, destination);
  if (!isStoredExchange(topology, source) || destinationIncarnation === null) {
    topology.addBinding(vhost, source, destination, routingKey, args, 0);
    return residence?.seen();
  }
  const record = {
    sourceIncarnation: source.properties.incarnation,
    destinationIncarnation,
    routingKey,
    arguments: args,
  };
  const key = bindingRecordKey(vhost.name, source.name, kind, destination.name, routingKey, args);
  return change(topology, vhost, source, destination, guards(vhost, source, destination), key, record);
}

/** queue.unbind and exchange.unbind. A binding that is not there is no error, nor is an end that is not there. */
export function unbind(topology: Topology, vhost: VirtualHost, request: BindingRequest): Later<void> {
  const { kind, destination, routingKey, arguments: args } = request;
  if (request.source === '') throw brokerError('defaultExchange', {});
  const binding = vhost.exchanges.get(request.source)?.bindings.get(bindingKey(kind, destination, routingKey, args));
  return binding === undefined ? undefined : removeBinding(topology, vhost, binding);
}

export function removeBinding(topology: Topology, vhost: VirtualHost, binding: Binding): Later<void> {
  const { source, destination, routingKey, arguments: args } = binding;
  const { residence } = topology;
  if (residence !== null && livesElsewhere(destination)) {
    const { kind, name } = destination;
    const request = { source: source.name, kind, destination: name, routingKey, arguments: args };
    return residence.unbindAtHome(destination.queue, request);
  }
  if (binding.revision === 0) {
    topology.dropBinding(vhost, binding);
    return residence?.seen();
  }
  const key = bindingRecordKey(vhost.name, source.name, destination.kind, destination.name, routingKey, args);
  return change(topology, vhost, source, destination, [], key, undefined);
}

function findSource(vhost: VirtualHost, { source }: BindingRequest): Exchange {
  if (source === '') throw brokerError('defaultExchange', {});
  const exchange = vhost.exchanges.get(source);
  if (exchange === undefined) throw brokerError('exchangeNotFound', { exchange: source, vhost: vhost.name });
  return exchange;
}

function findDestination(vhost: VirtualHost, { kind, destination: name }: BindingRequest): Destination {
  if (kind === 'queue') {
    const queue = vhost.queues.get(name);
    if (queue === undefined) throw brokerError('queueNotFound', { queue: name, vhost: vhost.name });
    return { kind, name, queue };
  }
  if (name === '') throw brokerError('defaultExchange', {});
  const exchange = vhost.exchanges.get(name);
  if (exchange === undefined) throw brokerError('exchangeNotFound', { exchange: name, vhost: vhost.name });
  return { kind, name, exchange };
}

/** A queue of another node that no record holds: its bindings are its home's, as the queue is. */
function livesElsewhere(destination: Destination): destination is Destination & { readonly kind: 'queue' } {
  if (destination.kind !== 'queue' || destination.queue instanceof Queue) return false;
  return destination.queue.home !== null && !isStored(destination.queue.properties);
}

/** Null when metadata has no record of the destination, and so none of a binding to it. */
function incarnationIfStored(topology: Topology, destination: Destination): string | null {
  if (destination.kind === 'queue') {
    const { properties, incarnation } = destination.queue;
    return isStored(properties) ? incarnation : null;
  }
  const { exchange } = destination;
  return isStoredExchange(topology, exchange) ? exchange.properties.incarnation : null;
}

function isStoredExchange(topology: Topology, exchange: Exchange): boolean {
  return isPredeclared(exchange) || topology.revisionOf(exchange) > 0;
}

/** The virtual host and both ends must still be there when the binding is written; pre-declared exchanges have no record. */
function guards(vhost: VirtualHost, source: Exchange, destination: Destination): Guard[] {
  const keys = [vhostKey(vhost.name)];
  if (!isPredeclared(source)) keys.push(exchangeKey(vhost.name, source.name));
  if (destination.kind === 'queue') keys.push(queueKey(vhost.name, destination.name));
  else if (!isPredeclared(destination.exchange)) keys.push(exchangeKey(vhost.name, destination.name));
  return keys.map((key) => ({ key, revision: 'present' }));
}

const isPredeclared = (exchange: Exchange): boolean => exchange.properties.incarnation === exchange.name;

async function change(
  topology: Topology,
  vhost: VirtualHost,
  source: Exchange,
  destination: Destination,
  when: Guard[],
  key: string,
  record: JsonValue | undefined,
): Promise<void> {
  try {
    await topology.parts.metadata.change(when, [{ key, value: record }]);
    await topology.residence?.seen();
  } catch (error) {
    if (error instanceof GuardFailedError) throw endMissing(vhost, source, destination, error.key);
    throw metadataFailed('exchange', source.name, vhost, error);
  }
}

/** Which end was deleted meanwhile, by the guard that failed. */
function endMissing({ name: vhost }: VirtualHost, source: Exchange, destination: Destination, key: string) {
  if (key === vhostKey(vhost)) return brokerError('vhostDeleted', { vhost });
  if (key === queueKey(vhost, destination.name))
    return brokerError('queueNotFound', { queue: destination.name, vhost });
  const { name: exchange } = key === exchangeKey(vhost, source.name) ? source : destination;
  return brokerError('exchangeNotFound', { exchange, vhost });
}
