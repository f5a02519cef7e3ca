// A session's subscriptions as bindings of the topic exchange: of its queue for QoS 1 and 2, of its buffer-less end for QoS 0.
import {
  type Actor,
  bindingKey,
  type Exchange,
  noArguments,
  type SharedQueue,
  unbind,
  type VirtualHost,
} from '@chapar/core';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { MqttDoor } from './door.js';
import type { Session } from './session.js';
import type { Subscription } from './subscriptions.js';
import { bindingKeyOf } from './topic-bridge.js';
import { isSystemTopic } from './topic-names.js';

const keyBytesMax = 255;

/** Throws MqttError where the filter is longer than a binding key may be. */
export function filterKey(filter: string): string {
  const key = bindingKeyOf(filter);
  if (Buffer.byteLength(key) <= keyBytesMax) return key;
  throw new MqttError(REASON.filterInvalid, `a filter of more than ${keyBytesMax} bytes is not taken`);
}

/** Makes what the subscription needs; asks for the permissions. Throws MqttError, BrokerError. */
export async function bindSubscription(
  door: MqttDoor,
  actor: Actor,
  session: Session,
  { filter, qos }: Subscription,
): Promise<void> {
  const key = filterKey(filter);
  if (qos > 0) {
    const queue = await sessionQueue(actor, session);
    await bindQueue(door, actor, queue.name, key, session.permittedAs);
    return;
  }
  const exchange = actor.findExchange(door.settings.exchange);
  await actor.require('read', 'exchange', exchange.name);
  await actor.requireTopic('read', exchange, key);
  addDirect(door, session, exchange, key);
}

/** The binding of a queue, by the actor's permissions. */
export async function bindQueue(
  door: MqttDoor,
  actor: Actor,
  queue: string,
  key: string,
  permittedAs = queue,
): Promise<void> {
  const source = door.settings.exchange;
  const request = { source, kind: 'queue', destination: queue, routingKey: key, arguments: noArguments } as const;
  await actor.bind(request, permittedAs);
}

/** The session's queue; declared when it is first needed. */
export async function sessionQueue(actor: Actor, session: Session): Promise<SharedQueue> {
  const { queueName: name, isTransient, permittedAs } = session;
  const known = session.queue;
  const queue =
    known ??
    (await actor.declareQueue({
      name,
      durable: !isTransient,
      exclusive: isTransient,
      autoDelete: false,
      arguments: session.queueArguments,
      ...(name === permittedAs ? {} : { permittedAs }),
    }));
  await session.outbound.consume(queue);
  return queue;
}

/** Takes the subscription's binding away. */
export async function unbindSubscription(
  door: MqttDoor,
  session: Session,
  { filter, qos }: Subscription,
): Promise<void> {
  const { vhost } = session;
  const routingKey = bindingKeyOf(filter);
  if (qos > 0) await unbindQueue(door, vhost, session.queueName, routingKey);
  else dropDirect(door, session, routingKey);
}

export async function unbindQueue(
  door: MqttDoor,
  vhost: VirtualHost,
  destination: string,
  routingKey: string,
): Promise<void> {
  const source = door.settings.exchange;
  await unbind(door.broker.topology, vhost, { source, kind: 'queue', destination, routingKey, arguments: noArguments });
}

/** The client is there: its subscriptions of QoS 0 lead to it. */
export function bindDirect(door: MqttDoor, session: Session): void {
  const exchange = session.vhost.exchanges.get(door.settings.exchange);
  if (exchange === undefined) return;
  for (const { filter, qos } of session.subscriptions)
    if (qos === 0 && !isSystemTopic(filter)) addDirect(door, session, exchange, bindingKeyOf(filter));
}

/** The client is gone: what has no promise does not wait for it. */
export function unbindDirect(door: MqttDoor, session: Session): void {
  if (session.directEnd === null) return;
  const bindings = session.vhost.queueBindings.get(session.directEnd);
  for (const binding of [...(bindings ?? [])]) door.broker.topology.dropBinding(session.vhost, binding);
}

function addDirect({ broker }: MqttDoor, session: Session, exchange: Exchange, key: string): void {
  const { vhost, direct } = session;
  if (exchange.bindings.has(bindingKey('queue', direct.name, key, noArguments))) return;
  broker.topology.addBinding(vhost, exchange, { kind: 'queue', name: direct.name, queue: direct }, key, noArguments, 0);
}

function dropDirect({ broker, settings }: MqttDoor, { vhost, direct }: Session, key: string): void {
  const known = vhost.exchanges
    .get(settings.exchange)
    ?.bindings.get(bindingKey('queue', direct.name, key, noArguments));
  if (known !== undefined) broker.topology.dropBinding(vhost, known);
}
