import type { Arguments, EffectivePolicy, JsonValue } from '@chapar/core';
import type { Row } from './counters.js';

/** The field's three fields of what policies come to, and where each key comes from. */
export function policyProperties(policy: EffectivePolicy, args: Arguments, acting: Arguments): Row {
  return {
    policy: policy.policy?.name ?? null,
    operator_policy: policy.operatorPolicy?.name ?? null,
    effective_policy_definition: policy.definition,
    effective_policy_origin: originsOf(policy, args, acting),
  };
}

/**
 * Why a key has the value that it has: the policy it comes from, or the argument that beats it. `acting`: the values that hold where
 * arguments and policies meet.
 */
function originsOf(policy: EffectivePolicy, args: Arguments, acting: Arguments): Row {
  const origins: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(policy.definition)) {
    const holds = acting[key] ?? value;
    const argument = args[`x-${key}`] === undefined ? key : `x-${key}`;
    const { kind, name } = policy.originOf(key)!;
    origins[key] = holds === value ? { from: kind, name, value } : { from: 'argument', name: argument, value: holds };
  }
  return origins;
}
