import { compilePattern, type Pattern, PatternError } from '@chapar/platform';
import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import { definitionFault } from './policy-key.js';

/** Operator policies stand beside the others: they limit what those set. Named as the field's parameters are. */
export type PolicyKind = 'policy' | 'operator_policy';

/** A policy as it is stored. */
export type PolicyRecord = {
  readonly pattern: string;
  readonly definition: Arguments;
  readonly priority: number;
  readonly 'apply-to': string;
};

/** What a policy can apply to, in the words of `apply-to`. */
export type PolicySubjectKind = 'exchanges' | 'classic_queues' | 'quorum_queues' | 'streams';

export interface PolicySubject {
  readonly kind: PolicySubjectKind;
  readonly name: string;
}

const scopes = ['all', 'exchanges', 'queues', 'classic_queues', 'quorum_queues', 'streams'];

/** A policy, ready to be asked. */
export class Policy {
  readonly kind: PolicyKind;
  readonly name: string;
  readonly definition: Arguments;
  readonly priority: number;
  readonly applyTo: string;
  private readonly pattern: Pattern;

  /** Throws PatternError. */
  constructor(kind: PolicyKind, name: string, record: PolicyRecord) {
    this.kind = kind;
    this.name = name;
    this.definition = record.definition;
    this.priority = record.priority;
    this.applyTo = record['apply-to'];
    this.pattern = compilePattern(record.pattern);
  }

  covers({ kind, name }: PolicySubject): boolean {
    const { applyTo } = this;
    const isMeant = applyTo === 'all' || applyTo === kind || (applyTo === 'queues' && kind !== 'exchanges');
    return isMeant && this.pattern.test(name);
  }

  /** The higher priority goes first; of equals, the name that sorts first (the field leaves that open). */
  goesBefore(other: Policy): boolean {
    return this.priority === other.priority ? this.name < other.name : this.priority > other.priority;
  }
}

/** A policy as an administrator wrote it, before it is known to be one. */
export interface GivenPolicy {
  readonly pattern: JsonValue;
  readonly definition: JsonValue;
  readonly priority: JsonValue;
  readonly 'apply-to': JsonValue;
}

/** All that is wrong with it, in the field's words and order; none when it can be stored. */
export function policyFaults(kind: PolicyKind, given: GivenPolicy): string[] {
  const faults = [
    definitionFault(given.definition, kind === 'operator_policy'),
    scopes.includes(given['apply-to'] as string)
      ? null
      : `apply-to '${String(given['apply-to'])}' unrecognised; should be one of: ${scopes.map((s) => `'${s}'`).join(', ')}`,
    patternFault(given.pattern),
    typeof given.priority === 'number'
      ? null
      : `priority should be a number, actually was ${JSON.stringify(given.priority)}`,
  ];
  return faults.filter((fault) => fault !== null);
}

function patternFault(pattern: JsonValue): string | null {
  if (typeof pattern !== 'string') return `pattern should be a string but was ${JSON.stringify(pattern)}`;
  try {
    compilePattern(pattern);
    return null;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return `pattern should be regular expression but is invalid: ${error.message}`;
  }
}
