import type { Policies, PolicyChange } from '../policy/policies.js';
import type { PolicySubject } from '../policy/policy.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Exchange } from '../routing/exchange.js';
import { typeOf } from './queue-type.js';
import type { VirtualHost } from './virtual-host.js';

/** A queue as policies see it, there or about to be. */
export type NamedQueue = Pick<SharedQueue, 'name' | 'properties'>;

export function queueSubject({ name, properties }: NamedQueue): PolicySubject {
  return { kind: typeOf(properties.arguments) === 'quorum' ? 'quorum_queues' : 'classic_queues', name };
}

export function exchangeSubject({ name }: Exchange): PolicySubject {
  return { kind: 'exchanges', name };
}

/** A policy came, changed or went: one pass over what exists. */
export function applyPolicyChange(policies: Policies, vhost: VirtualHost, change: PolicyChange): void {
  for (const queue of vhost.queues.values()) {
    queue.applyPolicy(policies.after(vhost.name, change, queue.policy, queueSubject(queue)));
  }
  for (const queue of vhost.led.values()) {
    queue.applyPolicy(policies.after(vhost.name, change, queue.policy, queueSubject(queue)));
  }
  let isRoutedAnew = false;
  for (const exchange of vhost.exchanges.values()) {
    const { alternate } = exchange;
    exchange.policy = policies.after(vhost.name, change, exchange.policy, exchangeSubject(exchange));
    isRoutedAnew ||= exchange.alternate !== alternate;
  }
  if (isRoutedAnew) vhost.version++;
}
