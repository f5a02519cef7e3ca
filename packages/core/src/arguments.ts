import type { JsonValue } from './ports.js';

/**
 * The arguments of queues, exchanges, bindings and consumers, and the headers that routing looks at. Plain JSON values; what JSON has
 * no word for is tagged by the doors: `{ "$integer": "9007199254740993" }`, `{ "$timestamp": seconds }`, `{ "$bytes": base64 }`,
 * `{ "$number": "NaN" }`; a peer's own table that looks like one has another `$` before its key.
 */
export type Arguments = { readonly [name: string]: JsonValue };

export const noArguments: Arguments = Object.freeze(Object.create(null) as Arguments);

/** Numbers are equal by value whatever width they came in; tables by their keys, whatever their order. */
export function equalValues(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return canonical(a) === canonical(b);
}

export function equalArguments(a: Arguments, b: Arguments): boolean {
  return a === b || canonical(a) === canonical(b);
}

/** JSON with sorted keys: equal values have equal texts. */
export function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const table = value as Arguments;
  const fields = Object.keys(table).sort();
  return `{${fields.map((name) => `${JSON.stringify(name)}:${canonical(table[name]!)}`).join(',')}}`;
}

/** As error texts show it: `'60000'`, `'true'`, `none`. */
export function shownValue(value: JsonValue | undefined): string {
  if (value === undefined) return 'none';
  return typeof value === 'object' ? `'${canonical(value)}'` : `'${value}'`;
}
