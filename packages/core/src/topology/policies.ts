import type { EffectivePolicy } from '../policy/effective-policy.js';
import type { Policies, PolicyChange } from '../policy/policies.js';
import type { PolicySubject } from '../policy/policy.js';
import type { Queue } from '../queue/queue.js';
import { rulesOf, sameRules } from '../queue/rules.js';
import type { Exchange } from '../routing/exchange.js';
import { typeOf } from './queue-type.js';
import type { VirtualHost } from './virtual-host.js';

export function queueSubject({ name, properties }: Queue): PolicySubject {
  return { kind: typeOf(properties.arguments) === 'quorum' ? 'quorum_queues' : 'classic_queues', name };
}

export function exchangeSubject({ name }: Exchange): PolicySubject {
  return { kind: 'exchanges', name };
}

/** The queue follows this policy from now on. */
export function applyPolicy(queue: Queue, policy: EffectivePolicy): void {
  if (queue.policy === policy) return;
  queue.policy = policy;
  const rules = rulesOf(queue.properties.arguments, policy.definition);
  if (!sameRules(rules, queue.rules)) queue.applyRules(rules);
}

/** A policy came, changed or went: one pass over what exists. */
export function applyPolicyChange(policies: Policies, vhost: VirtualHost, change: PolicyChange): void {
  for (const queue of vhost.queues.values()) {
    applyPolicy(queue, policies.after(vhost.name, change, queue.policy, queueSubject(queue)));
  }
  let isRoutedAnew = false;
  for (const exchange of vhost.exchanges.values()) {
    const { alternate } = exchange;
    exchange.policy = policies.after(vhost.name, change, exchange.policy, exchangeSubject(exchange));
    isRoutedAnew ||= exchange.alternate !== alternate;
  }
  if (isRoutedAnew) vhost.version++;
}
