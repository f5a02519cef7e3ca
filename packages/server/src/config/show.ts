import { stringify } from 'yaml';
import type { EffectiveConfiguration } from './effective.js';
import { formatOrigin } from './origin.js';
import { type SettingKey, sectionOf, sections, settingKeys } from './settings.js';

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
    origin ? { value: config.get(key), origin: formatOrigin(config.origin(key)) } : config.get(key);
  return `${JSON.stringify(Object.fromEntries(keys.map((key) => [key, entry(key)])), null, 2)}\n`;
}

function asYaml(config: EffectiveConfiguration, keys: readonly SettingKey[], origin: boolean): string {
  const lines: { readonly text: string; readonly origin: string }[] = [];
  for (const section of sections) {
    const inSection = keys.filter((key) => sectionOf(key) === section);
    if (section !== '' && inSection.length > 0) lines.push({ text: `${section}:`, origin: '' });
    for (const key of inSection)
      lines.push(...yamlLines(key, section, config.get(key), formatOrigin(config.origin(key))));
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
