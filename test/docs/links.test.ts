import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Generated, installed, or data. */
const skipped = new Set(['node_modules', 'dist', 'data', 'coverage', 'dev-ca', 'build']);

function markdownFiles(directory = ''): string[] {
  return readdirSync(path.join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) || entry.name.startsWith('.') ? [] : markdownFiles(file);
    return entry.name.endsWith('.md') ? [file] : [];
  });
}

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const withoutCode = (text: string): string => text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');

/** Targets of `[text](target)` that lead to files of this repository. */
function relativeLinks(text: string): string[] {
  const targets = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(text: string): Set<string> {
  const headings = [...text.replace(/^```.*?^```/gms, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
  return new Set(slugs);
}

/** Written from the measurements of the release; whoever commits its first version takes it off here. */
const comesLater = new Set([path.join('docs', 'PERFORMANCE.md')]);

function brokenLinks(file: string): string[] {
  return relativeLinks(read(file)).filter((link) => {
    const [target = '', anchor] = link.split('#');
    const wanted = target === '' ? file : path.join(path.dirname(file), target);
    if (!existsSync(path.join(root, wanted))) return !comesLater.has(wanted);
    return anchor !== undefined && !anchors(read(wanted)).has(anchor);
  });
}

/** Names of source files without their folder, `turn.ts`, in backticks. */
function bareFileNames(text: string): string[] {
  return [...text.matchAll(/`([\w-]+\.ts)`/g)].map(([, name]) => name!);
}

const sourceNames = new Set(
  ['packages', 'test', 'tools', 'examples', 'bench'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.split(path.sep).some((part) => skipped.has(part)))
      .map((file) => path.basename(file)),
  ),
);

/** `packages/core/src/turn.ts` and its like. Up to the first placeholder (`*`, `<name>`), where there is one. */
function namedPaths(text: string): string[] {
  const found = [...text.matchAll(/(?<![\w./-])(?:packages|tools|test|examples)\/[\w./*<>-]*[\w*>/]/g)].map(
    ([all]) => all,
  );
  return found.map((name) => name.replace(/\/?[^/]*[*<].*$/, '')).filter((name) => name !== '');
}

/** Classes and interfaces of the packages, with the files that declare them. */
const declarations = new Map<string, string[]>();
for (const name of readdirSync(path.join(root, 'packages'))) {
  const source = path.join('packages', name, 'src');
  if (!existsSync(path.join(root, source))) continue;
  for (const file of readdirSync(path.join(root, source), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
    const text = read(path.join(source, file));
    for (const [, type] of text.matchAll(/^(?:export )?(?:abstract )?(?:class|interface) (\w+)/gm)) {
      declarations.set(type!, [...(declarations.get(type!) ?? []), text]);
    }
  }
}

/** `Queue.enqueue` where a `Queue` is declared without an `enqueue`. */
function missingMembers(text: string): string[] {
  const named = [...text.matchAll(/(?<![\w./])([A-Z]\w+)\.([a-z]\w*)\b(?!\.)/g)];
  const wrong = named.filter(([, type, member]) => {
    const texts = declarations.get(type!);
    return texts !== undefined && !texts.some((source) => new RegExp(`\\b${member}\\b`).test(source));
  });
  return wrong.map(([all]) => all);
}

describe.each(markdownFiles())('%s', (file) => {
  test('links lead to files and headings that exist', () => {
    expect(brokenLinks(file)).toEqual([]);
  });

  test('paths of the repository that it names exist', () => {
    expect(namedPaths(read(file)).filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
  });

  test('source files that it names without their folder exist', () => {
    expect(bareFileNames(read(file)).filter((name) => !sourceNames.has(name))).toEqual([]);
  });

  test('members of classes that it names exist', () => {
    expect(missingMembers(read(file))).toEqual([]);
  });
});
