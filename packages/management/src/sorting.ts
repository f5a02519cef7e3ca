import type { JsonValue } from '@chapar/core';
import type { Pace } from './pace.js';

/** The value at `message_stats.publish` and the like; 0 when there is none, since "nothing" mostly means that. */
export function dottedValue(value: JsonValue, path: readonly string[]): JsonValue {
  let found: JsonValue | undefined = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return 0;
    const table: { readonly [name: string]: JsonValue } = found as { readonly [name: string]: JsonValue };
    found = Object.hasOwn(table, name) ? table[name] : undefined;
  }
  return found ?? 0;
}

/** Numbers before booleans before texts before all else, as the field sorts. */
export function compareValues(a: JsonValue, b: JsonValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  const ranks = rank(a) - rank(b);
  return ranks !== 0 ? ranks : compareTexts(JSON.stringify(a), JSON.stringify(b));
}

export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank(value: JsonValue): number {
  if (typeof value === 'number') return 0;
  if (typeof value === 'boolean') return 1;
  return typeof value === 'string' ? 2 : 3;
}

const runLength = 2048;

/** A stable sort that gives way to routing: runs are sorted at once, then merged in slices. */
export async function sortInSlices<T>(items: readonly T[], compare: (a: T, b: T) => number, pace: Pace): Promise<T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += runLength) {
    runs.push(items.slice(at, at + runLength).sort(compare));
    if (pace.isDue) await pace.rest();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const right = runs[i + 1];
      merged.push(right === undefined ? runs[i]! : await merge(runs[i]!, right, compare, pace));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge<T>(left: T[], right: T[], compare: (a: T, b: T) => number, pace: Pace): Promise<T[]> {
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    merged.push(compare(left[i]!, right[j]!) <= 0 ? left[i++]! : right[j++]!);
    if ((merged.length & 1023) === 0 && pace.isDue) await pace.rest();
  }
  while (i < left.length) merged.push(left[i++]!);
  while (j < right.length) merged.push(right[j++]!);
  return merged;
}
