import { brokerError } from '../errors.js';
import type { Later } from '../later.js';
import type { Queue } from '../queue/queue.js';
import type { Exchange } from '../routing/exchange.js';
import { metadataFailed } from './declare.js';
import { exchangeKey, queueKey } from './records.js';
import { storedBindingKeys, type Topology } from './topology.js';
import type { VirtualHost } from './virtual-host.js';

/** queue.delete. Throws 406 when a condition does not hold; the queue's messages are gone afterwards. */
export function removeQueue(
  topology: Topology,
  vhost: VirtualHost,
  queue: Queue,
  conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
): Later<void> {
  const { name } = queue;
  if (conditions.ifUnused && queue.consumers.size > 0) {
    throw brokerError('inUse', { kind: 'queue', name, vhost: vhost.name });
  }
  if (conditions.ifEmpty && queue.readyCount > 0) throw brokerError('notEmpty', { queue: name, vhost: vhost.name });
  // Somebody else was quicker, and the name may stand for another queue by now.
  if (vhost.queues.get(name) !== queue) return;
  if (!queue.logs) return topology.dropQueue(vhost, queue);
  const keys = storedBindingKeys(vhost, vhost.queueBindings.get(queue) ?? []);
  return removeRecords(topology, vhost, 'queue', name, queueKey(vhost.name, name), keys);
}

/** exchange.delete. Throws 406 when it is in use and `ifUnused`, 403 for the broker's own. */
export function removeExchange(
  topology: Topology,
  vhost: VirtualHost,
  exchange: Exchange,
  conditions: { readonly ifUnused: boolean },
): Later<void> {
  const { name } = exchange;
  if (name === '') throw brokerError('defaultExchange', {});
  if (name.startsWith('amq.')) throw brokerError('systemExchange', { exchange: name, vhost: vhost.name });
  if (conditions.ifUnused && exchange.bindings.size > 0) {
    throw brokerError('inUse', { kind: 'exchange', name, vhost: vhost.name });
  }
  if (vhost.exchanges.get(name) !== exchange) return;
  if (!exchange.properties.durable) return topology.dropExchange(vhost, exchange);
  const keys = storedBindingKeys(vhost, [...exchange.bindings.values(), ...exchange.inbound]);
  return removeRecords(topology, vhost, 'exchange', name, exchangeKey(vhost.name, name), keys);
}

async function removeRecords(
  topology: Topology,
  vhost: VirtualHost,
  kind: string,
  name: string,
  key: string,
  bindings: string[],
): Promise<void> {
  const writes = [key, ...bindings].map((each) => ({ key: each, value: undefined }));
  try {
    await topology.parts.metadata.change([], writes);
  } catch (error) {
    throw metadataFailed(kind, name, vhost, error);
  }
}
