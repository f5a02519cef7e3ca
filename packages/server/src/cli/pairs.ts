import { CommandError } from './command-error.js';

/** Collects a repeatable `NAME=VALUE` option of commander. */
export function gatherPair(text: string, before: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at <= 0) throw new CommandError(`'${text}' is not NAME=VALUE.`, 'For example --argument x-max-length=1000.', 2);
  return { ...before, [text.slice(0, at)]: pairValue(text.slice(at + 1)) };
}

/** Numbers, true, false, null and JSON in braces, brackets or quotes are what they look like; everything else is a text. */
export function pairValue(text: string): unknown {
  if (!/^(-?\d+(\.\d+)?|true|false|null|[[{"].*)$/s.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'number' && !Number.isSafeInteger(value) && !text.includes('.') ? text : value;
  } catch {
    return text;
  }
}

/** JSON given on the command line. Throws CommandError that names the option. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError(
      `${what} is not JSON: ${(cause as Error).message}`,
      `For example '{"max-length": 1000}', in single quotes for the shell.`,
      2,
    );
  }
}
