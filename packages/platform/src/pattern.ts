import { RE2JS } from 're2js';

/** A user's regular expression that takes time linear in the text (RE2 syntax: no back-references, no look-around but `^(?!...)` in front). */
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
  const test = plainTest(source) ?? exceptionTest(source);
  if (test !== null) return { source, test };
  try {
    const engine = RE2JS.compile(source);
    return { source, test: (text) => engine.test(text) };
  } catch (cause) {
    throw new PatternError(`'${source}' is not a pattern of RE2: ${cause instanceof Error ? cause.message : cause}`);
  }
}

type Test = (text: string) => boolean;

/** `^orders\.`, `^orders\..*`, `^orders$`: names are mostly told by how they begin, which needs no engine. */
const plain = /^\^((?:[^\\.+*?()|[\]{}^$]|\\[.+*?()|[\]{}^$/-])*)(\.\*)?(\$)?$/;

function plainTest(source: string): Test | null {
  const parts = plain.exec(source);
  if (parts === null) return null;
  const begin = parts[1]!.replaceAll(/\\(.)/g, '$1');
  if (parts[3] === undefined) return (text) => text.startsWith(begin);
  if (parts[2] === undefined) return (text) => text === begin;
  // A dot is no line feed.
  return (text) => text.startsWith(begin) && !text.includes('\n', begin.length);
}

/** `^(?!amq\.).*`: all but what begins so. Policies in the field are full of these. Without groups within, nor alternatives after. */
const exception = /^\^\(\?!((?:[^\\()]|\\.)*)\)((?:[^\\|]|\\.)*)$/s;

/** Each exception calls for the next; longer ones are left to the engine, which refuses them. */
const exceptionLengthMax = 1024;

function exceptionTest(source: string): Test | null {
  if (source.length > exceptionLengthMax) return null;
  const parts = exception.exec(source);
  if (parts === null) return null;
  const excluded = compile(`^(?:${parts[1]!})`);
  const rest = compile(`^${parts[2]!}`);
  return (text) => rest.test(text) && !excluded.test(text);
}
