import { Ajv, type ValidateFunction } from 'ajv';
import { parseAddress } from './address.js';
import { readEnvironment } from './environment.js';
import { readConfigurationFile } from './file.js';
import { type Flags, readFlags } from './flags.js';
import { builtProtocolsText, notBuiltText, toCome } from './not-built.js';
import type { Assignment, Origin } from './origin.js';
import { ConfigurationError, nearest, type Problem } from './problem.js';
import { isProtocol } from './protocols.js';
import {
  allowedValues,
  isSettingKey,
  type SettingKey,
  type SettingValues,
  sectionOf,
  sections,
  settingKeys,
  settingOf,
} from './settings.js';

/** Every setting with its value and where that comes from. */
export class EffectiveConfiguration {
  private readonly values = new Map<SettingKey, { value: unknown; origin: Origin }>();

  constructor() {
    for (const key of settingKeys) this.values.set(key, { value: settingOf(key).default, origin: { kind: 'default' } });
  }

  get<K extends SettingKey>(key: K): SettingValues[K] {
    return this.values.get(key)?.value as SettingValues[K];
  }

  origin(key: SettingKey): Origin {
    return this.values.get(key)?.origin ?? { kind: 'default' };
  }

  /** Takes a value that the setting allows, or returns what is wrong with it. */
  assign(assignment: Assignment): Problem | null {
    const { key, value, origin } = assignment;
    const coming = toCome(key);
    if (coming !== undefined) {
      const hint = key.startsWith('listeners.') ? builtProtocolsText : 'Leave it out; a later version takes it.';
      return { origin, text: `${key}: ${notBuiltText(coming)}`, hint };
    }
    if (!isSettingKey(key)) return unknownKey(key, origin);
    const wrong = findWrong(key, value);
    if (wrong !== null) return { origin, text: `${key}: ${wrong}`, hint: `Allowed: ${allowedValues(key)}.` };
    this.values.set(key, { value, origin });
    return null;
  }
}

/** Reads file, environment and flags, each over the one before. Throws ConfigurationError with everything that is wrong. */
export function readConfiguration(
  flags: Flags,
  environment: Readonly<Record<string, string | undefined>>,
): EffectiveConfiguration {
  const effective = new EffectiveConfiguration();
  const problems: Problem[] = [];
  const layers = [
    () => (flags.config === undefined ? [] : readConfigurationFile(flags.config)),
    () => readEnvironment(environment),
    () => readFlags(flags),
  ];
  for (const layer of layers) {
    for (const assignment of collect(layer, problems)) {
      const problem = effective.assign(assignment);
      if (problem !== null) problems.push(problem);
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return effective;
}

function collect(layer: () => Assignment[], problems: Problem[]): Assignment[] {
  try {
    return layer();
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    problems.push(...cause.problems);
    return [];
  }
}

// ---------------------------------------------------------------------------------------------------------------
// one value

const ajv = new Ajv({ strict: false, allErrors: false });
const validators = new Map<SettingKey, ValidateFunction>();

function validatorOf(key: SettingKey): ValidateFunction {
  let validator = validators.get(key);
  if (validator === undefined) {
    validator = ajv.compile(settingOf(key));
    validators.set(key, validator);
  }
  return validator;
}

/** What is wrong with a value, in words; null when nothing is. */
function findWrong(key: SettingKey, value: unknown): string | null {
  const validate = validatorOf(key);
  const shown = settingOf(key).isSecret === true ? 'what was given' : (JSON.stringify(value) ?? String(value));
  if (!validate(value)) return `${shown} is not allowed`;
  const protocol = key.startsWith('listeners.') ? key.slice('listeners.'.length) : '';
  if (!isProtocol(protocol) || isOff(value) || value === true) return null;
  const address = parseAddress(protocol, value as string | number);
  return typeof address === 'string' ? address : null;
}

/** `off`, false and nothing: a listener that does not listen. */
export function isOff(value: unknown): boolean {
  return value === null || value === false || value === 'off';
}

// ---------------------------------------------------------------------------------------------------------------
// unknown keys

function unknownKey(key: string, origin: Origin): Problem {
  const section = sectionOf(key);
  const quoted = key.startsWith("'");
  const text = `${key}: unknown key`;
  if (quoted) return { origin, text, hint: 'Write the section and, indented below it, the key.' };
  if (section === '' || !sections.includes(section)) return { origin, text, hint: hintForTop(key, section) };
  const siblings = settingKeys.filter((known) => sectionOf(known) === section);
  const names = siblings.map((known) => known.slice(section.length + 1));
  const meant = nearest(key.slice(section.length + 1), names) ?? elsewhere(key.slice(section.length + 1));
  return { origin, text, hint: `${guessText(meant)}Allowed in ${section}: ${names.join(', ')}.` };
}

function hintForTop(key: string, section: string): string {
  const name = section === '' ? key : section;
  const tops = [...sections.filter((known) => known !== ''), ...settingKeys.filter((known) => !known.includes('.'))];
  const meant = nearest(name, tops) ?? elsewhere(section === '' ? key : key.slice(section.length + 1));
  return `${guessText(meant)}Allowed here: ${tops.join(', ')}.`;
}

/** A right name in the wrong section. */
function elsewhere(name: string): string | undefined {
  const candidates = settingKeys.filter(
    (known) => nearest(name, [known.slice(sectionOf(known).length + 1)]) !== undefined,
  );
  return candidates.length === 1 ? candidates[0] : candidates.find((known) => known.endsWith(`.${name}`));
}

function guessText(meant: string | undefined): string {
  return meant === undefined ? '' : `Did you mean ${meant}? `;
}
