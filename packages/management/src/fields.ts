import type { Arguments, JsonValue } from '@chapar/core';
import { jsonFault } from './json-fault.js';
import { badRequest } from './problem.js';

/**
 * The JSON object of a request's body. Getters take what the field takes ("true" for true: rabbitmqadmin sends such), and refuse with
 * the name of the key.
 */
export class Fields {
  readonly values: Arguments;

  constructor(values: Arguments) {
    this.values = values;
  }

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  /** Own keys only: `constructor` and its like are no fields. A null counts as absent. */
  value(name: string): JsonValue | undefined {
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    return value === null ? undefined : value;
  }

  /** 400 in the field's words unless all of these are given. */
  require(...names: readonly string[]): void {
    const absent = names.filter((name) => !this.has(name)).map((name) => `{key_missing,${name}}`);
    if (absent.length > 0) throw badRequest(`[${absent.join(',')}]`);
  }

  text(name: string, otherwise: string): string {
    const value = this.value(name);
    if (value === undefined) return otherwise;
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    throw wrong(name, 'a string', value);
  }

  truth(name: string, otherwise: boolean): boolean {
    const value = this.value(name);
    if (value === undefined) return otherwise;
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw wrong(name, 'true or false', value);
  }

  integer(name: string, otherwise: number): number {
    const value = this.value(name);
    if (value === undefined) return otherwise;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
    throw wrong(name, 'an integer', value);
  }

  /** A JSON object. The field's exports write an empty one as `[]` at times. */
  table(name: string): Arguments {
    const value = this.value(name);
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return {};
    if (isTable(value)) return value;
    throw wrong(name, 'an object', value);
  }

  list(name: string): readonly JsonValue[] {
    const value = this.value(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value as readonly JsonValue[];
    throw wrong(name, 'an array', value);
  }

  /** An array of strings, or one string with commas between them, as the field takes tags. */
  words(name: string): string[] {
    const value = this.value(name);
    if (value === undefined) return [];
    const words = typeof value === 'string' ? value.split(',') : value;
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
      throw wrong(name, 'an array of strings, or strings between commas', value);
    }
    return words.map((word) => word.trim()).filter((word) => word !== '');
  }
}

export function isTable(value: JsonValue | undefined): value is Arguments {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(name: string, wanted: string, value: JsonValue) {
  const shown = JSON.stringify(value);
  return badRequest(`${name} must be ${wanted}, got ${shown.length > 80 ? `${shown.slice(0, 80)}...` : shown}`);
}

/** Reads a body. Nothing, `null` and (as old tools send) `undefined` are an empty object. A bad one says where it is bad. */
export function readFields(bytes: Buffer): Fields {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  const trimmed = text.length > 64 ? text : text.trim();
  if (trimmed === '' || trimmed === 'null' || trimmed === 'undefined') return new Fields({});
  const value = parse(text);
  if (!isTable(value))
    throw badRequest(`not_json: the body must be an object, got ${Array.isArray(value) ? 'an array' : typeof value}`);
  if (!isShallow(value, depthMax)) throw badRequest(`not_json: more than ${depthMax} levels`);
  return new Fields(value);
}

/** Deeper values could exhaust the stack of whoever walks them. */
const depthMax = 64;

function isShallow(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isShallow(each as JsonValue, levels - 1));
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    const { line, column } = jsonFault(text);
    throw badRequest(`not_json: the body is not JSON from line ${line}, column ${column} on`);
  }
}
