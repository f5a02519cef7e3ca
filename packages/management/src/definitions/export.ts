import type { Binding, Broker, Exchange, JsonValue, SharedQueue, VirtualHost } from '@chapar/core';
import type { Row } from '../json/counters.js';
import { globalParameterJson, parameterJson } from '../json/parameter.js';
import { permissionJson, topicPermissionJson } from '../json/permission.js';
import { queueType } from '../json/queue.js';
import { shownArguments } from '../json/shown.js';
import { userJson } from '../json/user.js';
import { vhostMetadata } from '../json/vhost.js';
import { Pace } from '../pace.js';
import { policyJson } from '../policy.js';

/** A section of the file: what it is called, and its definitions, made while they are written. */
type Section = readonly [key: string, definitions: Iterable<JsonValue>];

/** Everything but messages, in the field's shape. */
export function exportAll(broker: Broker): AsyncIterable<string> {
  const vhosts = [...broker.topology.vhosts.values()];
  const head: Row = {
    ...versions(broker),
    rabbitmq_definition_format: 'cluster',
    original_cluster_name: broker.identity.clusterName,
  };
  const sections: Section[] = [
    ['users', broker.users.list().map(userJson)],
    ['vhosts', vhosts.map(vhostDefinition)],
    ['permissions', broker.permissions.list().map(permissionJson)],
    ['topic_permissions', broker.permissions.listTopics().map(topicPermissionJson)],
    ['parameters', vhosts.flatMap(({ name }) => parametersOf(broker, name))],
    ['global_parameters', broker.records.list('global-parameters').map(globalParameterJson)],
    ['policies', vhosts.flatMap(({ name }) => policiesOf(broker, name))],
    ...topologySections(vhosts, true),
  ];
  return write(broker, head, sections);
}

/** What is in one virtual host; definitions do not name it, so that they fit another. */
export function exportVirtualHost(broker: Broker, vhost: VirtualHost): AsyncIterable<string> {
  const { name } = vhost;
  const head: Row = {
    ...versions(broker),
    rabbitmq_definition_format: 'single_virtual_host',
    original_vhost_name: name,
    metadata: vhostMetadata(vhost),
    description: vhost.properties.description,
  };
  const sections: Section[] = [
    ['parameters', parametersOf(broker, name).map(withoutVirtualHost)],
    ['policies', policiesOf(broker, name).map(withoutVirtualHost)],
    ...topologySections([vhost], false),
  ];
  return write(broker, head, sections);
}

function versions({ identity: { product, productVersion, version } }: Broker): Row {
  return {
    rabbit_version: productVersion,
    rabbitmq_version: productVersion,
    product_name: product,
    product_version: productVersion,
    chapar_version: version,
  };
}

// ---- definitions ------------------------------------------------------------------------------------------------

function vhostDefinition(vhost: VirtualHost): Row {
  const { description, tags } = vhost.properties;
  return { name: vhost.name, description, tags, metadata: vhostMetadata(vhost) };
}

/** With limits and operator policies, which the field keeps among the parameters. */
function parametersOf(broker: Broker, vhost: string): JsonValue[] {
  const parameters = broker.records.list('parameters').filter(({ names }) => names[1] === vhost);
  const limits = broker.records.list('vhost-limits', vhost);
  const value = Object.fromEntries(limits.map(({ names, value }) => [names[1]!, value]));
  const operator = broker.records.list('operator-policies', vhost);
  return [
    ...parameters.map(parameterJson),
    ...(limits.length === 0 ? [] : [{ value, vhost, component: 'vhost-limits', name: 'limits' }]),
    ...operator.map(({ names, value }) => ({ value, vhost, component: 'operator_policy', name: names[1]! })),
  ];
}

function policiesOf(broker: Broker, vhost: string): JsonValue[] {
  return broker.records.list('policies', vhost).map(({ names, value }) => policyJson(vhost, names[1]!, value));
}

function withoutVirtualHost(definition: JsonValue): JsonValue {
  const { vhost: _, ...others } = definition as Row;
  return others;
}

// ---- topology ---------------------------------------------------------------------------------------------------

function topologySections(vhosts: readonly VirtualHost[], named: boolean): Section[] {
  const each = function* <T>(items: (vhost: VirtualHost) => Iterable<T>, json: (item: T) => Row): Iterable<JsonValue> {
    for (const vhost of vhosts) {
      for (const item of items(vhost)) yield named ? { ...json(item), vhost: vhost.name } : json(item);
    }
  };
  return [
    ['queues', each(queuesOf, queueDefinition)],
    ['exchanges', each(exchangesOf, exchangeDefinition)],
    ['bindings', each(bindingsOf, bindingDefinition)],
  ];
}

/** All but exclusive ones, which live and die with a connection. */
function queuesOf(vhost: VirtualHost): SharedQueue[] {
  return [...vhost.queues.values()].filter(({ properties: { owner } }) => owner === null);
}

/** All but the broker's own. */
function exchangesOf(vhost: VirtualHost): Exchange[] {
  return [...vhost.exchanges.values()].filter(({ name }) => name !== '' && !name.startsWith('amq.'));
}

function* bindingsOf(vhost: VirtualHost): Iterable<Binding> {
  for (const exchange of [...vhost.exchanges.values()]) {
    for (const binding of [...exchange.bindings.values()]) {
      const { kind, name } = binding.destination;
      const queue = kind === 'queue' ? vhost.queues.get(name) : undefined;
      if (kind === 'exchange' || (queue !== undefined && queue.properties.owner === null)) yield binding;
    }
  }
}

function queueDefinition(queue: SharedQueue): Row {
  const { durable, autoDelete, arguments: args } = queue.properties;
  const type = queueType(queue);
  return { name: queue.name, type, durable, auto_delete: autoDelete, arguments: shownArguments(args) };
}

function exchangeDefinition({ name, type, properties }: Exchange): Row {
  const { durable, autoDelete, internal, arguments: args } = properties;
  return { name, type: type.name, durable, auto_delete: autoDelete, internal, arguments: shownArguments(args) };
}

function bindingDefinition({ source, destination, routingKey, arguments: args }: Binding): Row {
  return {
    source: source.name,
    destination: destination.name,
    destination_type: destination.kind,
    routing_key: routingKey,
    arguments: shownArguments(args),
  };
}

// ---- text -------------------------------------------------------------------------------------------------------

const pieceLength = 65_536;

async function* write(broker: Broker, head: Row, sections: readonly Section[]): AsyncGenerator<string> {
  const pace = new Pace(broker.platform.clock);
  let piece = JSON.stringify(head).slice(0, -1);
  for (const [key, definitions] of sections) {
    piece += `,${JSON.stringify(key)}:[`;
    let separator = '';
    for (const definition of definitions) {
      piece += separator + JSON.stringify(definition);
      separator = ',';
      if (piece.length >= pieceLength) {
        yield piece;
        piece = '';
      }
      if (pace.isDue) await pace.rest();
    }
    piece += ']';
  }
  yield `${piece}}`;
}
