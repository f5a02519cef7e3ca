import type { Origin } from './origin.js';
import { formatOrigin } from './origin.js';

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Null when it is about no single place. */
  readonly origin: Origin | null;
  /** `limits.chanelMax: unknown key`. */
  readonly text: string;
  /** The way out: what is allowed, the nearest known name. */
  readonly hint: string;
}

/** The configuration cannot be used; the process ends with code 2. */
export class ConfigurationError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

export function formatProblem(problem: Problem): string {
  const where = problem.origin === null ? '' : `${formatOrigin(problem.origin)}: `;
  return `${where}${problem.text}${problem.hint === '' ? '' : `\n  ${problem.hint}`}`;
}

/** The known name that a misspelt one most likely means; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = normalise(name);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain, normalise(candidate));
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

/** snake_case, kebab-case and camelCase of the same words are the same name to somebody who errs. */
function normalise(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** Levenshtein's: inserted, removed and replaced characters; two neighbours that changed places count once. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
