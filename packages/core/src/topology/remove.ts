import { brokerError } from '../errors.js';
import { andThen, type Later } from '../later.js';
import { type Guard, GuardFailedError, type Write } from '../ports.js';
import { Queue } from '../queue/queue.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Binding } from '../routing/binding.js';
import type { Exchange } from '../routing/exchange.js';
import { metadataFailed } from './declare.js';
import { bindingRecordKey, exchangeKey, queueKey } from './records.js';
import type { Topology } from './topology.js';
import type { VirtualHost } from './virtual-host.js';

/** Records of bindings that go together with their end, and with each other. A change has at most 126 guards and writes in etcd; a mirrored queue's companions are few. */
const bindingsMax = 100;

/** queue.delete. Throws 406 when a condition does not hold; the queue's messages are gone afterwards. Returns how many were ready. */
export function removeQueue(
  topology: Topology,
  vhost: VirtualHost,
  queue: SharedQueue,
  conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
): Later<number> {
  const { name } = queue;
  const { residence } = topology;
  if (!(queue instanceof Queue)) {
    queue.assertReachable();
    return residence!.deleteAtHome(queue, conditions);
  }
  // Before it has begun nobody knows who uses it.
  if (queue.isHeld) return queue.begun().then(() => removeQueue(topology, vhost, queue, conditions));
  if (conditions.ifUnused && queue.consumers.size > 0) {
    throw brokerError('inUse', { kind: 'queue', name, vhost: vhost.name });
  }
  const count = queue.readyCount;
  if (conditions.ifEmpty && count > 0) throw brokerError('notEmpty', { queue: name, vhost: vhost.name });
  // Somebody else was quicker, and the name may stand for another queue by now.
  const named = vhost.named(queue);
  if (named === undefined) return count;
  if (!queue.logs) {
    topology.dropQueue(vhost, queue);
    return residence === null ? count : andThen(residence.seen(), () => count);
  }
  const bindings = [...(vhost.queueBindings.get(named) ?? [])];
  const key = queueKey(vhost.name, name);
  const companions = queue.isMirrored ? residence!.companions(named) : [];
  return removeRecords(topology, vhost, 'queue', named, key, bindings, companions).then(() => count);
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
  if (topology.revisionOf(exchange) === 0) return topology.dropExchange(vhost, exchange);
  const bindings = new Set([...exchange.bindings.values(), ...exchange.inbound]);
  return removeRecords(topology, vhost, 'exchange', exchange, exchangeKey(vhost.name, name), [...bindings]);
}

/**
 * Removes the record of a queue or exchange, if it is still this one's, and those of its bindings. Bindings of an end that is gone are
 * void already, so what does not fit into one change may follow.
 */
async function removeRecords(
  topology: Topology,
  vhost: VirtualHost,
  kind: string,
  what: SharedQueue | Exchange,
  key: string,
  bindings: readonly Binding[],
  companions: readonly Write[] = [],
): Promise<void> {
  const records = bindings.filter(({ revision }) => revision > 0).map((binding) => recordOf(vhost, binding));
  const { metadata, log } = topology.parts;
  try {
    // Those of the first change need no guard of their own: a binding that came anew names the same end, which goes.
    const first = records.slice(0, bindingsMax).map((record) => ({ key: record.key, value: undefined }));
    await metadata.change(
      [{ key, revision: topology.revisionOf(what) }],
      [{ key, value: undefined }, ...companions, ...first],
    );
    await topology.residence?.seen();
  } catch (error) {
    // Somebody else has removed it.
    if (error instanceof GuardFailedError) return;
    throw metadataFailed(kind, what.name, vhost, error);
  }
  sweep(topology, records.slice(bindingsMax)).catch((error: unknown) => {
    log.debug({ error }, 'records of bindings that are void could not be removed');
  });
}

async function sweep(topology: Topology, records: readonly (Guard & { readonly revision: number })[]): Promise<void> {
  for (let from = 0; from < records.length; from += bindingsMax) {
    let chunk = records.slice(from, from + bindingsMax);
    while (chunk.length > 0) {
      try {
        await topology.parts.metadata.change(
          chunk,
          chunk.map(({ key }) => ({ key, value: undefined })),
        );
        break;
      } catch (error) {
        // It is gone, or binds an end of the same name by now.
        if (!(error instanceof GuardFailedError)) throw error;
        chunk = chunk.filter(({ key }) => key !== error.key);
      }
    }
  }
}

function recordOf(vhost: VirtualHost, binding: Binding): { readonly key: string; readonly revision: number } {
  const { source, destination, routingKey, arguments: args, revision } = binding;
  const { kind, name } = destination;
  return { key: bindingRecordKey(vhost.name, source.name, kind, name, routingKey, args), revision };
}
