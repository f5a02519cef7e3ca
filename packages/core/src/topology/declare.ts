import { type Arguments, equalValues, shownValue } from '../arguments.js';
import { type BrokerError, brokerError } from '../errors.js';
import { andThen, type Later } from '../later.js';
import { type Guard, GuardFailedError, type JsonValue, type Write } from '../ports.js';
import type { QueueProperties } from '../queue/queue-properties.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Exchange } from '../routing/exchange.js';
import { exchangeTypes } from '../routing/exchange-types.js';
import type { ArgumentFault } from '../routing/router.js';
import { comparedQueueArguments, faultyQueueArgument } from './queue-arguments.js';
import { askedType, typeOf, withDefaultType } from './queue-type.js';
import { claimKey, type ExchangeRecord, exchangeKey, type QueueRecord, queueKey, vhostKey } from './records.js';
import { isStored, type Topology } from './topology.js';
import type { VirtualHost } from './virtual-host.js';

export interface QueueDeclaration {
  readonly name: string;
  /** The broker made the name (`serverNamed`), which may therefore begin with `amq.`. */
  readonly serverNamed: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that the queue is exclusive to; null: not exclusive. */
  readonly owner: object | null;
  readonly arguments: Arguments;
}

export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Arguments;
}

/** Declares are few at a time; a name that somebody else is declaring is waited for, then judged as existing. */
const underWay = new WeakMap<VirtualHost, Map<string, Promise<unknown>>>();

/** How often a declaration is tried that others are always quicker with, or whose record is there and cannot be shown. */
const triesMax = 3;

// ---- queues -----------------------------------------------------------------------------------------------------

/** queue.declare: finds an equivalent queue or makes one. `limit`: queues that the virtual host may have. */
export function declareQueue(
  topology: Topology,
  vhost: VirtualHost,
  asked: QueueDeclaration,
  limit = Number.POSITIVE_INFINITY,
  tries = 1,
): Later<SharedQueue> {
  const { name } = asked;
  assertNotDeleted(vhost);
  const existing = vhost.queues.get(name);
  if (existing !== undefined) {
    assertOwner(existing, asked.owner, true);
    assertSameQueue(vhost, existing, asked);
    existing.assertReachable();
    existing.used();
    return existing;
  }
  if (name.startsWith('amq.') && !asked.serverNamed) throw brokerError('reservedName', { kind: 'queue', name });
  const declaration = withDefaultType(vhost, asked);
  assertQueueArguments(vhost, name, declaration);
  const busy = underWay.get(vhost)?.get(queueKey(vhost.name, name));
  if (busy !== undefined) return busy.then(() => declareQueue(topology, vhost, asked, limit, tries));
  if (limit !== Number.POSITIVE_INFINITY && vhost.queues.size + queuesUnderWay(vhost) >= limit)
    throw brokerError('queueLimit', { queue: name, vhost: vhost.name, limit });
  const { durable, autoDelete, owner, arguments: args } = declaration;
  const incarnation = topology.parts.random.uuid();
  const properties = { name, vhost: vhost.name, durable, autoDelete, owner, arguments: args, incarnation };
  const again = () => declareQueue(topology, vhost, asked, limit, tries + 1);
  if (isStored(properties)) return storeQueue(topology, vhost, properties, tries, again);
  const { residence } = topology;
  if (residence === null) return topology.addQueue(vhost, properties);
  if (asked.serverNamed) return shown(topology, topology.addQueue(vhost, properties));
  const claimed = noting(vhost, queueKey(vhost.name, name), residence.claim(vhost.name, name, incarnation));
  return claimed.then(
    (isOurs) => {
      if (isOurs && !vhost.deleted) return shown(topology, topology.addQueue(vhost, properties));
      assertTriesLeft(tries, 'queue', name, vhost);
      return again();
    },
    (error: unknown) => {
      throw metadataFailed('queue', name, vhost, error);
    },
  );
}

function storeQueue(
  topology: Topology,
  vhost: VirtualHost,
  properties: QueueProperties,
  tries: number,
  again: () => Later<SharedQueue>,
): Later<SharedQueue> {
  const { residence } = topology;
  const { name, incarnation, autoDelete, arguments: args } = properties;
  const mirroring = residence?.mirrored(properties, topology.policyOf({ name, properties })) ?? null;
  let place: Pick<QueueRecord, 'home' | 'mirrored'> = {};
  if (mirroring !== null) place = { mirrored: true };
  else if (residence !== null) place = { home: residence.place(properties) };
  const record: QueueRecord = { incarnation, autoDelete, arguments: args, ...place };
  const key = queueKey(vhost.name, name);
  // Of those that no record holds a claim holds the name.
  const claim: Guard[] = residence === null ? [] : [{ key: claimKey(vhost.name, name), revision: 'absent' }];
  const guards = [...claim, ...(mirroring?.guards ?? [])];
  return store(topology, vhost, 'queue', name, key, record, guards, mirroring?.writes).then(() => {
    const made = vhost.queues.get(name);
    if (made?.incarnation === incarnation) return shown(topology, made);
    assertTriesLeft(tries, 'queue', name, vhost);
    return again();
  });
}

/** What was made, once every node that can be reached knows of it. */
function shown<T>(topology: Topology, made: T): Later<T> {
  return topology.residence === null ? made : andThen(topology.residence.seen(), () => made);
}

function queuesUnderWay(vhost: VirtualHost): number {
  const prefix = queueKey(vhost.name, '');
  return [...(underWay.get(vhost)?.keys() ?? [])].filter((key) => key.startsWith(prefix)).length;
}

/** A peer other than the owner must not touch an exclusive queue; `strict`: and the owner must not find a shared one. */
export function assertOwner(queue: SharedQueue, asker: object | null, strict = false): void {
  const { owner, name, vhost } = queue.properties;
  if (owner === asker || (owner === null && !strict)) return;
  throw brokerError('resourceLocked', { queue: name, vhost });
}

function assertQueueArguments(vhost: VirtualHost, name: string, declaration: QueueDeclaration): void {
  const fault = faultyQueueArgument(declaration.arguments);
  if (fault !== null) throw brokerError('invalidArgument', { kind: 'queue', name, vhost: vhost.name, ...fault });
  const type = declaration.arguments['x-queue-type'];
  if (type === undefined || type === 'classic') return;
  const refuse = (reason: string) =>
    brokerError('unsupportedQueueType', { type: String(type), queue: name, vhost: vhost.name, reason });
  if (type !== 'quorum') throw refuse(type === 'stream' ? 'streams are not built yet' : 'it is not known');
  const wrong = (property: string, reason: string) =>
    brokerError('invalidProperty', { property, kind: 'queue', name, vhost: vhost.name, reason });
  if (!declaration.durable) throw wrong('non-durable', 'a quorum queue is durable');
  if (declaration.autoDelete) throw wrong('auto-delete', 'a quorum queue cannot be auto-delete');
  if (declaration.owner !== null) throw wrong('exclusive-owner', 'a quorum queue cannot be exclusive');
}

function assertSameQueue(vhost: VirtualHost, queue: SharedQueue, declared: QueueDeclaration): void {
  const current = queue.properties;
  const compare = (argument: string, received: JsonValue | undefined, is: JsonValue | undefined): void => {
    if (!equalValues(received, is)) throw inequivalent('queue', current.name, current.vhost, argument, received, is);
  };
  compare('durable', declared.durable, current.durable);
  compare('auto_delete', declared.autoDelete, current.autoDelete);
  for (const name of comparedQueueArguments) {
    if (name !== 'x-queue-type') compare(name, declared.arguments[name], current.arguments[name]);
  }
  compare('x-queue-type', askedType(vhost, declared.arguments, current.arguments), typeOf(current.arguments));
}

/** A name for a queue that was declared without one; in a cluster it says on which node the queue lives. */
export function serverName({ residence, parts }: Topology): string {
  const tag = residence === null ? '' : `${residence.tag}.`;
  return `amq.gen-${tag}${parts.random.bytes(16).toString('base64url')}`;
}

// ---- exchanges --------------------------------------------------------------------------------------------------

/** exchange.declare: finds an equivalent exchange or makes one. */
export function declareExchange(
  topology: Topology,
  vhost: VirtualHost,
  declaration: ExchangeDeclaration,
  tries = 1,
): Later<Exchange> {
  const { name, type, durable, autoDelete, internal, arguments: args } = declaration;
  assertNotDeleted(vhost);
  if (name === '') throw brokerError('defaultExchange', {});
  const exchangeType = exchangeTypes.get(type);
  if (exchangeType === undefined) throw brokerError('unknownExchangeType', { type });
  const existing = vhost.exchanges.get(name);
  if (existing !== undefined) {
    assertSameExchange(existing, declaration);
    return existing;
  }
  if (name.startsWith('amq.')) throw brokerError('reservedName', { kind: 'exchange', name });
  const fault = invalidAlternate(args) ?? exchangeType.invalidArguments?.(args) ?? null;
  if (fault !== null) throw brokerError('invalidArgument', { kind: 'exchange', name, vhost: vhost.name, ...fault });
  const busy = underWay.get(vhost)?.get(exchangeKey(vhost.name, name));
  if (busy !== undefined) return busy.then(() => declareExchange(topology, vhost, declaration, tries));
  const incarnation = topology.parts.random.uuid();
  if (!durable && topology.residence === null) {
    return topology.addExchange(vhost, type, {
      name,
      vhost: vhost.name,
      durable,
      autoDelete,
      internal,
      arguments: args,
      incarnation,
    })!;
  }
  const lifetime = durable ? {} : { transient: true };
  const record: ExchangeRecord = { incarnation, type, autoDelete, internal, arguments: args, ...lifetime };
  return store(topology, vhost, 'exchange', name, exchangeKey(vhost.name, name), record).then(() => {
    const made = vhost.exchanges.get(name);
    if (made?.properties.incarnation === incarnation) return shown(topology, made);
    assertTriesLeft(tries, 'exchange', name, vhost);
    return declareExchange(topology, vhost, declaration, tries + 1);
  });
}

function invalidAlternate({ 'alternate-exchange': alternate }: Arguments): ArgumentFault | null {
  if (alternate === undefined || typeof alternate === 'string') return null;
  return { argument: 'alternate-exchange', reason: `expected a string, got ${shownValue(alternate)}` };
}

function assertSameExchange(exchange: Exchange, declared: ExchangeDeclaration): void {
  const current = exchange.properties;
  const compare = (argument: string, received: JsonValue | undefined, is: JsonValue | undefined): void => {
    if (equalValues(received, is)) return;
    throw inequivalent('exchange', current.name, current.vhost, argument, received, is);
  };
  compare('type', declared.type, exchange.type.name);
  compare('durable', declared.durable, current.durable);
  compare('auto_delete', declared.autoDelete, current.autoDelete);
  compare('internal', declared.internal, current.internal);
  for (const name of ['alternate-exchange', ...(exchange.type.comparedArguments ?? [])])
    compare(name, declared.arguments[name], current.arguments[name]);
}

// ---- both -------------------------------------------------------------------------------------------------------

function inequivalent(
  kind: string,
  name: string,
  vhost: string,
  argument: string,
  received: JsonValue | undefined,
  current: JsonValue | undefined,
): BrokerError {
  const shown = { received: shownValue(received), current: shownValue(current) };
  return brokerError('inequivalent', { argument, kind, name, vhost, ...shown });
}

/** What is asked of a virtual host that was deleted meanwhile is asked by a connection that is being closed for it. */
export function assertNotDeleted(vhost: VirtualHost): void {
  if (vhost.deleted) throw brokerError('vhostDeleted', { vhost: vhost.name });
}

function assertTriesLeft(tries: number, kind: string, name: string, vhost: VirtualHost): void {
  if (tries < triesMax || vhost.deleted) return;
  throw metadataFailed(kind, name, vhost, 'its record is there already and cannot be shown');
}

/** Writes a record that must be new. Somebody else's being there first is no error: the caller looks again. */
async function store(
  topology: Topology,
  vhost: VirtualHost,
  kind: string,
  name: string,
  key: string,
  record: object,
  further: readonly Guard[] = [],
  beside: readonly Write[] = [],
): Promise<void> {
  const write: Write = { key, value: record as JsonValue & object };
  const guards: Guard[] = [{ key: vhostKey(vhost.name), revision: 'present' }, { key, revision: 'absent' }, ...further];
  try {
    await noting(vhost, key, topology.parts.metadata.change(guards, [write, ...beside]));
  } catch (error) {
    if (!(error instanceof GuardFailedError)) throw metadataFailed(kind, name, vhost, error);
    if (error.key === vhostKey(vhost.name)) throw brokerError('vhostDeleted', { vhost: vhost.name });
  }
}

/** Notes that a name is being declared, as long as it is. */
async function noting<T>(vhost: VirtualHost, key: string, work: Promise<T>): Promise<T> {
  let names = underWay.get(vhost);
  if (names === undefined) underWay.set(vhost, (names = new Map()));
  // Those who wait only want to know that it is over.
  names.set(key, work.then(ignore, ignore));
  try {
    return await work;
  } finally {
    names.delete(key);
  }
}

const ignore = (): void => undefined;

/** The store's failure as the peer sees it. */
export function metadataFailed(kind: string, name: string, vhost: VirtualHost, error: unknown): BrokerError {
  const reason = error instanceof Error ? error.message : String(error);
  return brokerError('metadataUnavailable', { kind, name, vhost: vhost.name, reason });
}
