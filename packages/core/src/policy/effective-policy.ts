import { type Arguments, noArguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import type { Policy } from './policy.js';
import { policyKeys } from './policy-key.js';

/** What policies come to for one queue or exchange. One object for all that have the same two: compare by identity. */
export class EffectivePolicy {
  readonly policy: Policy | null;
  readonly operatorPolicy: Policy | null;
  /** Both, merged key by key. */
  readonly definition: Arguments;

  constructor(policy: Policy | null, operatorPolicy: Policy | null) {
    this.policy = policy;
    this.operatorPolicy = operatorPolicy;
    this.definition = merged(policy?.definition ?? noArguments, operatorPolicy?.definition ?? noArguments);
  }

  /** Which of the two a key's value comes from; null for a key that is not set. */
  originOf(key: string): Policy | null {
    const value = this.definition[key];
    if (value === undefined) return null;
    return this.operatorPolicy?.definition[key] === value ? this.operatorPolicy : this.policy;
  }
}

/** No policy applies. */
export const noPolicy: EffectivePolicy = Object.freeze(new EffectivePolicy(null, null));

function merged(own: Arguments, operators: Arguments): Arguments {
  if (Object.keys(operators).length === 0) return own;
  if (Object.keys(own).length === 0) return operators;
  const both: Record<string, JsonValue> = { ...own, ...operators };
  for (const key of Object.keys(both)) {
    const mine = own[key];
    const theirs = operators[key];
    if (mine !== undefined && theirs !== undefined) both[key] = policyKeys.get(key)!.merge(mine, theirs);
  }
  return both;
}
