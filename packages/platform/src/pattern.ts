import { RE2JS } from 're2js';

/** A user's regular expression that takes time linear in the text (RE2 syntax: no look-around, no back-references). */
export interface Pattern {
  readonly source: string;
  /** True when the pattern is found anywhere in the text (anchor with ^ and $). */
  test(text: string): boolean;
}

/** Raised for a pattern that RE2 does not take; the message says what and where. */
export class PatternError extends Error {}

/** Patterns by source: users share few patterns among many permissions, and compiling is the expensive part. */
const compiled = new Map<string, Pattern>();
const compiledMax = 10_000;

/** Compiles with a linear-time engine, so that no user's pattern can stall the broker. Throws PatternError. */
export function compilePattern(source: string): Pattern {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const pattern = compile(source);
  if (compiled.size >= compiledMax) compiled.clear();
  compiled.set(source, pattern);
  return pattern;
}

function compile(source: string): Pattern {
  // The two that nearly every installation uses need no engine.
  if (source === '') return { source, test: () => true };
  if (source === '.*') return { source, test: () => true };
  try {
    const engine = RE2JS.compile(source);
    return { source, test: (text) => engine.test(text) };
  } catch (cause) {
    throw new PatternError(`'${source}' is not a pattern of RE2: ${cause instanceof Error ? cause.message : cause}`);
  }
}
