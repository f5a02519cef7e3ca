import { availableParallelism } from 'node:os';
import { type Broker, exchangeTypes, type JsonValue } from '@chapar/core';
import type { MemberView } from '../cluster/membership.js';
import type { ManagementOptions } from '../options.js';
import { compareTexts } from '../sorting.js';
import type { Row } from './counters.js';
import { fieldProtocol } from './protocol.js';

export function exchangeTypesJson(): JsonValue[] {
  return [...exchangeTypes.values()].map(({ name, description }) => ({ name, description, enabled: true }));
}

/** Where this API is served. */
export function contexts(broker: Broker, options: ManagementOptions): JsonValue[] {
  return options
    .listeners()
    .filter(({ protocol }) => protocol.startsWith('management'))
    .map(({ address, port }) => ({
      description: 'Chapar Management',
      ip: address,
      node: broker.identity.node,
      path: '/',
      port: String(port),
      ssl_opts: [],
    }));
}

export function listenersJson(broker: Broker, options: ManagementOptions): JsonValue[] {
  const rows = options.listeners().map(({ protocol, address, port }) => ({
    node: broker.identity.node,
    protocol: fieldProtocol(protocol),
    ip_address: address,
    port,
    socket_opts: {},
  }));
  return rows.sort((a, b) => compareTexts(a.protocol, b.protocol) || a.port - b.port);
}

/** What is on, as the field's health checks list it, with why and since when beside it. Those of other nodes (`memory@node`) are theirs to tell. */
export function alarmsJson({ alarms, identity, platform }: Broker): Row[] {
  return alarms
    .list()
    .filter(({ isTold, source }) => isTold && !source.includes('@'))
    .map(({ source, reason, sinceMs }) => ({
      resource: source,
      node: identity.node,
      reason,
      since: sinceMs,
      age: Math.max(0, platform.clock.wallMs() - sinceMs) / 1000,
    }));
}

/** This node as the field shows one. What only an Erlang machine has (processes, ETS, file handle caches) is left out. */
export function nodeJson(broker: Broker, options: ManagementOptions): Row {
  const { alarms, identity, platform, resources, startedAtMs } = broker;
  return {
    applications: [{ name: 'chapar', description: identity.product, version: identity.version }],
    being_drained: false,
    auth_mechanisms: ['PLAIN', 'AMQPLAIN', 'EXTERNAL'].map((name) => ({
      name,
      description: `SASL ${name}`,
      enabled: true,
    })),
    cluster_links: [],
    config_files: [],
    contexts: contexts(broker, options),
    alarms: alarmsJson(broker),
    disk_free: resources.diskFreeBytes,
    disk_free_alarm: alarms.has('disk') || alarms.has('disk-full'),
    disk_free_limit: resources.limits.diskFreeBytesMin,
    durability: options.durability,
    enabled_plugins: ['rabbitmq_management'],
    exchange_types: exchangeTypesJson(),
    log_files: [],
    mem_alarm: alarms.has('memory'),
    mem_limit: resources.memoryBytesMax,
    mem_used: resources.memoryUsedBytes,
    name: identity.node,
    os_pid: String(process.pid),
    partitions: [],
    processors: availableParallelism(),
    rates_mode: 'none',
    running: true,
    sockets_used: broker.connections.size,
    type: 'disc',
    uptime: Math.max(0, platform.clock.wallMs() - startedAtMs),
  };
}

/** A node that is not running, or does not answer: what the others know of it. */
export function absentNodeJson({ name, isLive, isResting, address, version, dataId, sinceMs }: MemberView): Row {
  return {
    applications: version === '' ? [] : [{ name: 'chapar', description: 'Chapar', version }],
    name,
    partitions: [],
    running: isLive,
    type: 'disc',
    ...memberFields({ isLive, isResting, address, dataId, sinceMs }),
  };
}

/** Ours, of each node of a cluster. */
export function memberFields({
  isLive,
  isResting,
  address,
  dataId,
  sinceMs,
}: Pick<MemberView, 'isLive' | 'isResting' | 'address' | 'dataId' | 'sinceMs'>): Row {
  return {
    being_drained: isResting,
    data_id: dataId,
    peer_address: address,
    [isLive ? 'registered_since' : 'gone_since']: sinceMs,
  };
}
