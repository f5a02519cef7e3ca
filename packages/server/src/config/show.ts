import { stringify } from 'yaml';
import type { EffectiveConfiguration } from './effective.js';
import { formatOrigin } from './origin.js';
import { type SettingKey, sectionOf, sections, settingKeys, settingOf } from './settings.js';

export interface ShownAs {
  /** Defaults too. */
  readonly all: boolean;
  /** Where each value comes from. */
  readonly origin: boolean;
  /** One JSON object by key instead of YAML that can be used as a configuration file. */
  readonly json: boolean;
}

export function showConfiguration(config: EffectiveConfiguration, as: ShownAs): string {
  const keys = settingKeys.filter((key) => as.all || config.origin(key).kind !== 'default');
  return as.json ? asJson(config, keys, as.origin) : asYaml(config, keys, as.origin);
}

function asJson(config: EffectiveConfiguration, keys: readonly SettingKey[], origin: boolean): string {
  const entry = (key: SettingKey) =>
    origin ? { value: shown(config, key), origin: formatOrigin(config.origin(key)) } : shown(config, key);
  return `${JSON.stringify(Object.fromEntries(keys.map((key) => [key, entry(key)])), null, 2)}\n`;
}

/** What is shown may be copied into a report: secrets stay behind. */
function shown(config: EffectiveConfiguration, key: SettingKey): unknown {
  const value = config.get(key);
  return settingOf(key).isSecret === true && value !== null ? '(set, not shown)' : value;
}

function asYaml(config: EffectiveConfiguration, keys: readonly SettingKey[], origin: boolean): string {
  const lines: { readonly text: string; readonly origin: string }[] = [];
  for (const section of sections) {
    const inSection = keys.filter((key) => sectionOf(key) === section);
    if (section !== '' && inSection.length > 0) lines.push({ text: `${section}:`, origin: '' });
    for (const key of inSection)
      lines.push(...yamlLines(key, section, shown(config, key), formatOrigin(config.origin(key))));
  }
  const width = Math.max(0, ...lines.map((line) => (line.origin === '' ? 0 : line.text.length)));
  const text = (line: { text: string; origin: string }) =>
    origin && line.origin !== '' ? `${line.text.padEnd(width)}  # ${line.origin}` : line.text;
  return lines.length === 0
    ? '# everything is as by default; --effective shows it\n'
    : `${lines.map(text).join('\n')}\n`;
}

function yamlLines(
  key: SettingKey,
  section: string,
  value: unknown,
  origin: string,
): { text: string; origin: string }[] {
  const name = section === '' ? key : key.slice(section.length + 1);
  const text = stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
  return [{ text: `${section === '' ? '' : '  '}${name}: ${text}`, origin }];
}
