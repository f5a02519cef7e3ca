import type { Arguments, JsonValue } from '@chapar/core';

/** Arguments as the field shows them: what JSON has no word for (see `Arguments`) becomes the nearest value that it has. */
export function shownArguments(args: Arguments): JsonValue {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, shownValue(value)]));
}

function shownValue(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each: JsonValue) => shownValue(each));
  const table = value as Arguments;
  const [name, ...others] = Object.keys(table);
  if (name === undefined || others.length > 0) return shownArguments(table);
  const only = table[name]!;
  // Beyond 2^53 the nearest number that JSON readers agree on.
  if (name === '$integer') return Number(only);
  if (name === '$timestamp' || name === '$bytes' || name === '$number') return only;
  // A table of the peer's own that looks like one of ours.
  if (name.startsWith('$$')) return { [name.slice(1)]: shownValue(only) };
  return shownArguments(table);
}
