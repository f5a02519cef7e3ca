import type { JsonValue } from '@chapar/core';

/** Which fields an answer keeps: `name`, `message_stats.publish_details.rate`; null: all. */
export type Columns = readonly (readonly string[])[] | null;

export function readColumns(query: ReadonlyMap<string, string>): Columns {
  const given = query.get('columns');
  if (given === undefined) return null;
  return given
    .split(',')
    .map((column) => column.split('.').filter((part) => part !== ''))
    .filter((column) => column.length > 0);
}

/** The value with only these columns, in lists too. */
export function pick(value: JsonValue, columns: Columns): JsonValue {
  if (columns === null || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each: JsonValue) => pick(each, columns));
  const picked: Record<string, JsonValue> = {};
  for (const [name, each] of Object.entries(value)) {
    const named = columns.filter((column) => column[0] === name);
    if (named.length === 0) continue;
    const whole = named.some((column) => column.length === 1);
    picked[name] = pick(each as JsonValue, whole ? null : named.map((column) => column.slice(1)));
  }
  return picked;
}
