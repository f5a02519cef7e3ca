import type { Broker, SessionView } from '@chapar/core';
import type { Row } from './counters.js';

/** A session of MQTT in a list. */
export function sessionJson(broker: Broker, session: SessionView): Row {
  const { expirySeconds, disconnectedAtMs, connection } = session;
  return {
    client_id: session.clientId,
    connected: connection !== null,
    connection,
    disconnected_at: disconnectedAtMs === 0 ? null : disconnectedAtMs,
    // JSON has no word for ever.
    expiry_seconds: expirySeconds === Number.POSITIVE_INFINITY ? null : expirySeconds,
    node: broker.identity.node,
    queue: session.queue,
    subscription_count: session.subscriptionCount,
    user: session.user,
    vhost: session.vhost,
  };
}

/** One alone: with its subscriptions, which may be very many. */
export function wholeSessionJson(broker: Broker, session: SessionView): Row {
  const subscriptions = [...session.subscriptions].map(({ filter, qos }) => ({ filter, qos }));
  return { ...sessionJson(broker, session), subscriptions };
}
