import {
  type Arguments,
  type Broker,
  type ConnectionView,
  type JsonValue,
  Queue,
  type QueueRules,
  type SharedQueue,
} from '@chapar/core';
import { lengths, messageStats, type Row } from './counters.js';
import { policyProperties } from './policy.js';
import { shownArguments } from './shown.js';

/** What a queue is, without looking at what it does. */
export function queueProperties(broker: Broker, queue: SharedQueue): Row {
  const { autoDelete, durable, owner, vhost, arguments: args } = queue.properties;
  return {
    arguments: shownArguments(args),
    auto_delete: autoDelete,
    durable,
    exclusive: owner !== null,
    name: queue.name,
    node: queue.home ?? broker.identity.node,
    ...(queue.policy.policy === null ? {} : { policy: queue.policy.policy.name }),
    state: 'running',
    type: queueType(queue),
    vhost,
  };
}

/** The whole of it. Fields of the field's that mean nothing here (garbage_collection, backing_queue_status, ...) are left out. */
export function queueJson(broker: Broker, queue: SharedQueue): Row {
  // What a queue does is known where it lives.
  if (!(queue instanceof Queue)) return queueProperties(broker, queue);
  const { readyCount: ready, unsettledCount: unacknowledged, readyBytes, unsettledBytes } = queue;
  const { pagedCount, pagedBytes } = queue;
  const bytesInMemory = readyBytes + unsettledBytes - pagedBytes;
  return {
    ...queueProperties(broker, queue),
    consumers: queue.consumers.size,
    ...policyProperties(queue.policy, queue.properties.arguments, actingOf(queue.rules)),
    exclusive_consumer_tag: queue.roster.exclusive?.spec.tag ?? null,
    single_active_consumer_tag: queue.roster.single?.current?.spec.tag ?? null,
    // Bytes of the messages that it holds in memory; the field counts the process.
    memory: bytesInMemory,
    message_bytes: readyBytes + unsettledBytes,
    message_bytes_paged_out: pagedBytes,
    message_bytes_ram: bytesInMemory,
    message_bytes_ready: readyBytes,
    message_bytes_unacknowledged: unsettledBytes,
    ...lengths(ready, unacknowledged),
    ...deadLetters(queue),
    messages_paged_out: pagedCount,
    messages_ram: ready + unacknowledged - pagedCount,
    messages_ready_ram: ready - pagedCount,
    messages_unacknowledged_ram: unacknowledged,
    recoverable_slaves: null,
    ...messageStats(queue.statistics),
    ...ownerDetails(broker, queue),
  };
}

/** The field has the first two of quorum queues; they count with no other length. */
function deadLetters({ outbox, statistics }: Queue): Row {
  return {
    messages_dlx: outbox?.count ?? 0,
    message_bytes_dlx: outbox?.bytes ?? 0,
    // Of those pending: refused by their target at least once, or waiting behind one that was.
    messages_dlx_refused: outbox?.stuckCount ?? 0,
    dead_lettered: outbox?.sent ?? 0,
    dead_letters_lost: outbox?.lost ?? 0,
    messages_dropped: { ...statistics.dropped },
    publishes_refused: statistics.refused,
  };
}

/** The rules of a queue by the keys of policies. */
function actingOf(rules: QueueRules): Arguments {
  const limit = (value: number): JsonValue => (Number.isFinite(value) ? value : null);
  return {
    'message-ttl': limit(rules.ttlMs),
    expires: limit(rules.expiresMs),
    'max-length': limit(rules.lengthMax),
    'max-length-bytes': limit(rules.bytesMax),
    overflow: rules.overflow,
    'dead-letter-exchange': rules.deadLetterExchange,
    'dead-letter-routing-key': rules.deadLetterRoutingKey,
    'delivery-limit': limit(rules.deliveryLimit),
    'consumer-timeout': limit(rules.consumerTimeoutMs),
  };
}

/** For `disable_stats=true&enable_queue_totals=true`. */
export function queueTotals(queue: SharedQueue): Row {
  if (!(queue instanceof Queue)) return {};
  const { readyCount: ready, unsettledCount: unacknowledged } = queue;
  return { messages: ready + unacknowledged, messages_ready: ready, messages_unacknowledged: unacknowledged };
}

export function queueType(queue: SharedQueue): string {
  const type = queue.properties.arguments['x-queue-type'];
  return typeof type === 'string' ? type : 'classic';
}

/** Which connection an exclusive queue belongs to. */
function ownerDetails(broker: Broker, queue: Queue): Row {
  const { owner } = queue.properties;
  if (owner === null || !broker.connections.has(owner as ConnectionView)) return {};
  const { name, remote } = owner as ConnectionView;
  return { owner_pid_details: { name, peer_host: remote.address, peer_port: remote.port } };
}
