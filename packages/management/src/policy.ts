import { type JsonValue, type PolicyKind, type PolicyRecord, policyFaults } from '@chapar/core';
import type { Fields } from './fields.js';
import { notValid } from './problem.js';

/** Reads one as administrators write it; throws Problem 400 with all that is wrong with it. */
export function readPolicy(kind: PolicyKind, fields: Fields): PolicyRecord {
  fields.require('pattern', 'definition');
  const given = {
    pattern: fields.value('pattern')!,
    definition: fields.value('definition')!,
    priority: fields.value('priority') ?? 0,
    'apply-to': fields.value('apply-to') ?? 'all',
  };
  const faults = policyFaults(kind, given);
  if (faults.length > 0) throw notValid(...faults);
  return given as PolicyRecord;
}

/** In the field's order of keys. */
export function policyJson(vhost: string, name: string, value: JsonValue): JsonValue {
  const { pattern, definition, priority, 'apply-to': applyTo } = value as PolicyRecord;
  return { vhost, name, pattern, 'apply-to': applyTo, definition, priority };
}
