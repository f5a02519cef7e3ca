import type { Log } from '@chapar/platform';
import type { JsonValue } from '../ports.js';
import type { Collection, Records } from '../records.js';
import { EffectivePolicy, noPolicy } from './effective-policy.js';
import {
  type GivenPolicy,
  Policy,
  type PolicyKind,
  type PolicyRecord,
  type PolicySubject,
  policyFaults,
} from './policy.js';
import { settingsNotHonouredYet } from './policy-key.js';

/** One policy came, went (`is` null) or was replaced. */
export interface PolicyChange {
  readonly kind: PolicyKind;
  readonly was: Policy | null;
  readonly is: Policy | null;
}

/** The policies of one kind in one virtual host, in the order in which they are asked. */
class RankedPolicies {
  private readonly ranked: Policy[] = [];

  /** The first that covers it. */
  find(subject: PolicySubject): Policy | null {
    for (const policy of this.ranked) if (policy.covers(subject)) return policy;
    return null;
  }

  /** Returns the one that it replaces. */
  put(name: string, policy: Policy | null): Policy | null {
    const at = this.ranked.findIndex((each) => each.name === name);
    const was = at < 0 ? null : this.ranked.splice(at, 1)[0]!;
    if (policy !== null) {
      const place = this.ranked.findIndex((each) => policy.goesBefore(each));
      this.ranked.splice(place < 0 ? this.ranked.length : place, 0, policy);
    }
    return was;
  }

  /** What `find` would find after a change, given what it found before: at most one pattern is tried where the change does not matter. */
  findAfter({ was, is }: PolicyChange, held: Policy | null, subject: PolicySubject): Policy | null {
    if (held !== null && held === was) return this.find(subject);
    if (is === null || held?.goesBefore(is)) return held;
    return is.covers(subject) ? is : held;
  }
}

type OfVirtualHost = { readonly [K in PolicyKind]: RankedPolicies };

/** All policies of the broker, compiled, as their records say. At most one of each kind applies to a queue or exchange. */
export class Policies {
  /** Called after each change. */
  onChanged: ((vhost: string, change: PolicyChange) => void) | null = null;
  private readonly log: Log;
  private readonly isClustered: boolean;
  private readonly saidNotHonoured = new Set<string>();
  private readonly vhosts = new Map<string, OfVirtualHost>();
  private readonly combined = new WeakMap<Policy, WeakMap<Policy, EffectivePolicy>>();

  /** `isClustered`: more settings act where there are other nodes. */
  constructor(log: Log, isClustered = false) {
    this.log = log;
    this.isClustered = isClustered;
  }

  /** Takes the policies that are stored and follows their changes. */
  follow(records: Records): void {
    for (const [collection, kind] of collections) {
      for (const { names, value } of records.list(collection)) this.put(kind, names, value);
      records.watch(collection, (names, value) => {
        const change = this.put(kind, names, value);
        if (change !== null) this.onChanged?.(names[0]!, change);
      });
    }
  }

  /** What applies to a queue or exchange. */
  of(vhost: string, subject: PolicySubject): EffectivePolicy {
    const policies = this.vhosts.get(vhost);
    if (policies === undefined) return noPolicy;
    return this.combine(policies.policy.find(subject), policies.operator_policy.find(subject));
  }

  /** The same after a change, given what applied before. */
  after(vhost: string, change: PolicyChange, held: EffectivePolicy, subject: PolicySubject): EffectivePolicy {
    const policies = this.vhosts.get(vhost);
    if (policies === undefined) return noPolicy;
    const { policy, operatorPolicy } = held;
    return change.kind === 'policy'
      ? this.combine(policies.policy.findAfter(change, policy, subject), operatorPolicy)
      : this.combine(policy, policies.operator_policy.findAfter(change, operatorPolicy, subject));
  }

  private put(kind: PolicyKind, names: readonly string[], value: JsonValue | undefined): PolicyChange | null {
    const [vhost, name] = names as [string, string];
    const is = value === undefined ? null : this.compile(kind, vhost, name, value);
    let policies = this.vhosts.get(vhost);
    if (policies === undefined) {
      if (is === null) return null;
      this.vhosts.set(vhost, (policies = { policy: new RankedPolicies(), operator_policy: new RankedPolicies() }));
    }
    const was = policies[kind].put(name, is);
    return was === null && is === null ? null : { kind, was, is };
  }

  /** Null for what is no policy by today's rules: earlier versions stored what nobody had looked at. */
  private compile(kind: PolicyKind, vhost: string, name: string, value: JsonValue): Policy | null {
    const nothing = { pattern: null, definition: null, priority: null, 'apply-to': null };
    const given: GivenPolicy = { ...nothing, ...(value as object) };
    const faults = policyFaults(kind, given);
    if (faults.length === 0) {
      const policy = new Policy(kind, name, given as PolicyRecord);
      this.sayNotHonoured(policy);
      return policy;
    }
    this.log.error({ vhost, policy: name, faults }, `a stored ${kind} is not valid and was left out`);
    return null;
  }

  private sayNotHonoured({ definition }: Policy): void {
    for (const setting of settingsNotHonouredYet(definition, this.isClustered)) {
      if (this.saidNotHonoured.has(setting)) continue;
      this.saidNotHonoured.add(setting);
      this.log.warn({ setting }, `policy setting ${setting} is kept but has no effect in this version`);
    }
  }

  private combine(policy: Policy | null, operatorPolicy: Policy | null): EffectivePolicy {
    const first = policy ?? operatorPolicy;
    if (first === null) return noPolicy;
    const second = operatorPolicy ?? first;
    let withFirst = this.combined.get(first);
    if (withFirst === undefined) this.combined.set(first, (withFirst = new WeakMap()));
    let both = withFirst.get(second);
    if (both === undefined) withFirst.set(second, (both = new EffectivePolicy(policy, operatorPolicy)));
    return both;
  }
}

const collections: readonly (readonly [Collection, PolicyKind])[] = [
  ['policies', 'policy'],
  ['operator-policies', 'operator_policy'],
];
