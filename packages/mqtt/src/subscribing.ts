// SUBSCRIBE and UNSUBSCRIBE (§3.8 to §3.11).
import { type Actor, BrokerError } from '@chapar/core';
import { suback, unsuback } from './codec/answers.js';
import { MqttError, protocolError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import { type FilterWish, readSubscribe, readUnsubscribe } from './codec/subscribe.js';
import type { Connection } from './connection.js';
import type { Session } from './session.js';
import { bindSubscription, filterKey, unbindSubscription } from './subscription-bindings.js';
import type { Subscription } from './subscriptions.js';
import { isSystemTopic, isTopicFilter, sharedFilter } from './topic-names.js';

/** Who subscribes. */
interface Subscriber {
  readonly session: Session;
  readonly actor: Actor;
}

/** What is answered when it is all done: the granted QoS of each filter, or why not. Retained messages follow. */
export async function subscribe(
  connection: Connection,
  { session, actor }: Subscriber,
  chunk: Buffer,
  at: number,
  bodyAt: number,
  next: number,
): Promise<void> {
  const { version } = connection;
  const { packetId, filters, subscriptionId } = readSubscribe(chunk, at, bodyAt, next, version);
  const reasons: number[] = [];
  const fresh: { subscription: Subscription; isNew: boolean; retainHandling: number }[] = [];
  for (const wish of filters) {
    try {
      const subscription = subscriptionOf(session.isBridge ? ofBridge(wish) : wish, subscriptionId);
      const isNew = await add(connection, actor, session, subscription);
      fresh.push({ subscription, isNew, retainHandling: wish.retainHandling });
      reasons.push(subscription.qos);
    } catch (error) {
      reasons.push(failure(error));
    }
    if (connection.isOver) return;
  }
  if (fresh.length > 0) await kept(connection, session);
  // Queues have said so one by one; of buffer-less ends the other nodes know by now, too.
  const seen = connection.door.broker.topology.residence?.seen();
  if (seen !== undefined) await seen;
  if (connection.isOver) return;
  connection.output.append(suback(version, packetId, reasons));
  // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; shared ones get none. §4.8.2
  const replayed = fresh.filter(
    ({ subscription, isNew, retainHandling }) =>
      subscription.group === null && retainHandling !== 2 && (retainHandling !== 1 || isNew),
  );
  if (replayed.length === 0) return;
  // Whatever was published on another node before this one's subscription had effect there has to be among them.
  const settled = connection.door.retained.settled();
  if (settled instanceof Promise) await settled;
  for (const { subscription } of replayed) {
    if (connection.isOver) return;
    connection.door.replay(connection, subscription);
  }
}

/** Before 5.0 a bridge cannot ask for what it needs, lest messages go round and round between two brokers, and relies on its mark. */
function ofBridge(wish: FilterWish): FilterWish {
  return { ...wish, noLocal: sharedFilter(wish.filter) === null, retainAsPublished: true };
}

/** Throws MqttError for what ends the connection or is refused alone. */
function subscriptionOf(wish: FilterWish, subscriptionId: number): Subscription {
  const { filter, qos, noLocal, retainAsPublished } = wish;
  const shared = sharedFilter(filter);
  if (shared === null && !isTopicFilter(filter))
    throw new MqttError(REASON.filterInvalid, `'${filter}' is no topic filter`);
  // [MQTT-3.8.3-4]
  if (shared !== null && noLocal) throw protocolError('No Local on a shared subscription');
  return { filter, qos, noLocal, retainAsPublished, subscriptionId, group: shared?.group ?? null };
}

/** True when there was no such subscription before; one that was is replaced. [MQTT-3.8.4-3] */
async function add(
  connection: Connection,
  actor: Actor,
  session: Session,
  subscription: Subscription,
): Promise<boolean> {
  const { door } = connection;
  const { filter, group, qos } = subscription;
  const { subscriptions, shares } = session;
  const isNew = group === null ? subscriptions.get(filter) === undefined : !shares.has(filter);
  if (isNew && subscriptions.size + shares.size >= connection.listener.limits.subscriptionsMax)
    throw new MqttError(REASON.quotaExceeded, 'too many subscriptions');
  if (group !== null) {
    await door.shared.join(actor, session, subscription);
    session.share(subscription);
    return isNew;
  }
  const before = subscriptions.get(filter);
  if (isSystemTopic(filter)) {
    const exchange = actor.findExchange(door.settings.exchange);
    await actor.require('read', 'exchange', exchange.name);
    await actor.requireTopic('read', exchange, filterKey(filter));
  } else {
    await bindSubscription(door, actor, session, subscription);
    if (before !== undefined && (before.qos === 0) !== (qos === 0)) {
      subscriptions.set(subscription);
      await unbindSubscription(door, session, before);
    }
  }
  subscriptions.set(subscription);
  if (isSystemTopic(filter)) door.system.changed(session);
  return isNew;
}

/** A session that outlives its connection is answered when its subscriptions do, too. */
function kept({ door }: Connection, session: Session): Promise<void> | void {
  if (session.isTransient) return;
  return door.directory.keep(session);
}

/** Why one filter is not taken; what is wrong with the whole packet is thrown on. */
function failure(error: unknown): number {
  if (error instanceof MqttError && error.reason !== REASON.protocolError && error.reason !== REASON.malformedPacket)
    return error.reason;
  if (!(error instanceof BrokerError)) throw error;
  if (error.key === 'accessRefused' || error.key === 'topicAccessRefused') return REASON.notAuthorized;
  return error.key === 'queueLimit' ? REASON.quotaExceeded : REASON.implementationSpecific;
}

export async function unsubscribe(
  connection: Connection,
  { session }: Subscriber,
  chunk: Buffer,
  at: number,
  bodyAt: number,
  next: number,
): Promise<void> {
  const { version } = connection;
  const { packetId, filters } = readUnsubscribe(chunk, at, bodyAt, next, version);
  const reasons: number[] = [];
  for (const filter of filters) reasons.push(await remove(connection, session, filter));
  await kept(connection, session);
  if (!connection.isOver) connection.output.append(unsuback(version, packetId, reasons));
}

async function remove({ door }: Connection, session: Session, filter: string): Promise<number> {
  if (session.unshare(filter)) {
    await door.shared.part(session, filter);
    return REASON.success;
  }
  const subscription = session.subscriptions.get(filter);
  if (subscription === undefined) return REASON.noSubscriptionExisted;
  session.subscriptions.delete(filter);
  if (isSystemTopic(filter)) door.system.changed(session);
  else await unbindSubscription(door, session, subscription);
  return REASON.success;
}
