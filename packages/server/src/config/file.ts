import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { toCome } from './not-built.js';
import type { Assignment } from './origin.js';
import { ConfigurationError, type Problem } from './problem.js';
import { isSettingKey, sections } from './settings.js';

/** Reads a YAML configuration file. Throws ConfigurationError when it cannot be read or is no YAML; keys are not judged here. */
export function readConfigurationFile(path: string): Assignment[] {
  return parseConfiguration(path, readText(path));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'no permission to read it' : message;
    const hint = 'Correct --config, or leave it out to run with the defaults.';
    throw new ConfigurationError([{ origin: null, text: `configuration file ${path}: ${why}`, hint }]);
  }
}

/** `path` is for texts only. */
export function parseConfiguration(path: string, text: string): Assignment[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line);
  const problems: Problem[] = document.errors.map((error) => ({
    origin: { kind: 'file', path, line: lineAt(error.pos[0]) },
    text: `not valid YAML: ${error.message}`,
    hint: '',
  }));
  if (problems.length > 0) throw new ConfigurationError(problems);
  const assignments: Assignment[] = [];
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return assignments;
  if (!isMap(contents)) throw notAMapping(path, lineAt(contents.range?.[0]), 'the file');

  const assign = (pair: Pair, key: string) => {
    const line = lineAt((pair.key as { range?: [number, number, number] }).range?.[0]);
    const value = (pair.value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document) ?? null;
    assignments.push({ key, value, origin: { kind: 'file', path, line } });
    return line;
  };
  const walk = (map: YAMLMap, prefix: string) => {
    for (const pair of map.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      const key = prefix + name;
      const isSection = prefix === '' && sections.includes(name) && !isSettingKey(name) && toCome(name) === undefined;
      if (!isSection) {
        // A dotted key is never right, even where it spells a setting: there is one way to write it.
        assign(pair, name.includes('.') && prefix === '' ? `'${name}'` : key);
      } else if (isMap(pair.value)) {
        walk(pair.value, `${name}.`);
      } else if (!isScalar(pair.value) || pair.value.value !== null) {
        throw notAMapping(path, lineAt((pair.key as { range?: [number, number, number] }).range?.[0]), name);
      }
    }
  };
  walk(contents, '');
  return assignments;
}

function notAMapping(path: string, line: number, what: string): ConfigurationError {
  const hint =
    what === 'the file'
      ? `It starts with one of ${sections.filter(Boolean).join(', ')}.`
      : `Write its keys indented below "${what}:".`;
  return new ConfigurationError([
    { origin: { kind: 'file', path, line }, text: `${what} is not a section of "key: value" lines`, hint },
  ]);
}
