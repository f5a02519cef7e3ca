import { toCome } from './not-built.js';
import type { Assignment } from './origin.js';
import { type SettingKey, settingKeys, settingOf } from './settings.js';

/** `auth.defaultPasswordFile` -> `CHAPAR_AUTH__DEFAULT_PASSWORD_FILE`, `listeners.management-tls` -> `CHAPAR_LISTENERS__MANAGEMENT_TLS`. */
export function environmentName(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/-/g, '_');
  return `CHAPAR_${words.replace('.', '__').toUpperCase()}`;
}

const keysByName = new Map(settingKeys.map((key) => [environmentName(key), key]));

/**
 * The settings among the variables. Those with a double underscore are ours, known or not (a misspelt one is refused later);
 * others that start with CHAPAR_ may be anybody's (Kubernetes makes CHAPAR_SERVICE_HOST out of a service).
 */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Assignment[] {
  const assignments: Assignment[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('CHAPAR_') || text === undefined) continue;
    const origin = { kind: 'environment', variable } as const;
    const key = keysByName.get(variable);
    if (key !== undefined) assignments.push({ key, value: fromText(key, text), origin });
    else if (variable.includes('__')) assignments.push({ key: spelledKey(variable), value: text, origin });
  }
  return assignments;
}

/** CHAPAR_LIMITS__CHANEL_MAX -> `limits.chanelMax`: what somebody meant who spelled a variable of ours. */
function spelledKey(variable: string): string {
  const [section = '', ...rest] = variable.slice('CHAPAR_'.length).toLowerCase().split('__');
  const words = rest.join('.').split('_');
  const camel = `${section}.${words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('')}`;
  const dashed = `${section}.${words.join('-')}`;
  return toCome(camel) === undefined && toCome(dashed) !== undefined ? dashed : camel;
}

/** Reads a text as what the setting wants; what cannot be read stays a text, which the validation then refuses. */
function fromText(key: SettingKey, text: string): unknown {
  const { type } = settingOf(key);
  const types = Array.isArray(type) ? type : [type];
  if (text === '' && types.includes('null')) return null;
  if (types.includes('integer') && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (types.includes('number') && /^\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text);
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (types.includes('array')) return splitList(text);
  if (types.includes('object')) return Object.fromEntries(splitList(text).map(splitPair));
  return text;
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function splitPair(text: string): [string, string | number] {
  const at = text.indexOf('=');
  const value = at < 0 ? '' : text.slice(at + 1);
  return [at < 0 ? text : text.slice(0, at), /^\d{1,15}$/.test(value) ? Number(value) : value];
}
