import type { JsonValue } from '@chapar/core';

export type DefinitionKind =
  | 'user'
  | 'vhost'
  | 'permission'
  | 'topic_permission'
  | 'parameter'
  | 'global_parameter'
  | 'policy'
  | 'exchange'
  | 'queue'
  | 'binding';

/** One definition of a file, by what names it. */
export interface DefinitionName {
  readonly kind: DefinitionKind;
  readonly name: string;
  /** Absent for what belongs to no virtual host. */
  readonly vhost?: string;
}

/** What became of a definition. */
export interface Verdict {
  /** `kept`: it was there with other properties that cannot be changed, and was left as it is, as the field does. */
  readonly became: 'taken' | 'kept' | 'refused';
  readonly definition: DefinitionName;
  /** Empty for what was taken. */
  readonly reason: string;
}

/** What became of a file of definitions. */
export class ImportReport {
  taken = 0;
  readonly kept: Verdict[] = [];
  readonly refused: Verdict[] = [];

  add(verdict: Verdict): void {
    if (verdict.became === 'taken') this.taken++;
    else this[verdict.became].push(verdict);
  }

  /** For people: how many, and the first few by name. */
  get summary(): string {
    const shown = this.refused.slice(0, 5).map(({ definition, reason }) => `${shownName(definition)}: ${reason}`);
    const more = this.refused.length > shown.length ? `; and ${this.refused.length - shown.length} more` : '';
    return `${this.refused.length} of ${this.taken + this.kept.length + this.refused.length} definitions were refused: ${shown.join('; ')}${more}`;
  }

  json(): { readonly [name: string]: JsonValue } {
    return { taken: this.taken, kept: this.kept.map(entryJson), refused: this.refused.map(entryJson) };
  }
}

function entryJson({ definition, reason }: Verdict): JsonValue {
  const { kind, name, vhost } = definition;
  return { kind, name, ...(vhost === undefined ? {} : { vhost }), reason };
}

function shownName({ kind, name, vhost }: DefinitionName): string {
  return `${kind.replace('_', ' ')} '${name}'${vhost === undefined ? '' : ` in vhost '${vhost}'`}`;
}
