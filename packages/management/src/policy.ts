import type { Arguments, JsonValue } from '@chapar/core';
import { compilePattern } from '@chapar/platform';
import type { Fields } from './fields.js';
import { badRequest } from './problem.js';

const scopes = ['all', 'exchanges', 'queues', 'classic_queues', 'quorum_queues', 'streams'];

/** A policy as it is stored: what rules match, and what they set. It acts from a later version on. */
export type PolicyRecord = {
  readonly pattern: string;
  readonly definition: Arguments;
  readonly priority: number;
  readonly 'apply-to': string;
};

/** Reads one as administrators write it; throws Problem 400 or PatternError for what cannot be one. */
export function readPolicy(fields: Fields): PolicyRecord {
  fields.require('pattern', 'definition');
  const applyTo = fields.text('apply-to', 'all');
  if (!scopes.includes(applyTo)) throw badRequest(`apply-to must be one of ${scopes.join(', ')}, got '${applyTo}'`);
  const pattern = fields.text('pattern', '');
  compilePattern(pattern);
  return {
    pattern,
    definition: fields.table('definition'),
    priority: fields.integer('priority', 0),
    'apply-to': applyTo,
  };
}

/** In the field's order of keys. */
export function policyJson(vhost: string, name: string, value: JsonValue): JsonValue {
  const { pattern, definition, priority, 'apply-to': applyTo } = value as PolicyRecord;
  return { vhost, name, pattern, 'apply-to': applyTo, definition, priority };
}
