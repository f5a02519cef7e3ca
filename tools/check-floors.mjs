// node tools/check-floors.mjs: every import of packages/*/src goes down the floors, through a package's front door, and is declared
// in package.json and in the compiler's project references.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { floorOf } from './floors.mjs';

const scope = '@chapar/';
const builtins = new Set(builtinModules);

/** Everything wrong with the packages under `packagesDirectory`, as lines of text; empty when all is well. */
export function checkFloors(packagesDirectory) {
  return readdirSync(packagesDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(path.join(packagesDirectory, entry.name, 'package.json')))
    .flatMap((entry) => checkPackage(packagesDirectory, entry.name));
}

function checkPackage(packagesDirectory, name) {
  if (floorOf(name) < 0) return [`packages/${name}: stands on no floor; add it to tools/floors.mjs`];
  const directory = path.join(packagesDirectory, name);
  const manifest = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'));
  const wrong = checkManifest(name, manifest, referencesOf(directory));
  for (const file of sourcesOf(path.join(directory, 'src'))) {
    for (const specifier of importsOf(file)) {
      const why = checkImport(name, manifest, directory, file, specifier);
      if (why !== null) wrong.push(`packages/${name}/${path.relative(directory, file)}: '${specifier}' ${why}`);
    }
  }
  return wrong;
}

/** What package.json depends on and what tsconfig.json references must be the same, and stand below. */
function checkManifest(name, manifest, references) {
  const wrong = [];
  if (manifest.name !== scope + name)
    wrong.push(`packages/${name}/package.json: is named ${manifest.name}, not ${scope}${name}`);
  const declared = Object.keys(manifest.dependencies ?? {}).filter((dependency) => dependency.startsWith(scope));
  const declaredNames = declared.map((dependency) => dependency.slice(scope.length));
  for (const other of declaredNames) {
    if (!references.includes(other))
      wrong.push(`packages/${name}/tsconfig.json: no reference to ../${other}, on which package.json depends`);
    const why = checkDirection(name, other);
    if (why !== null) wrong.push(`packages/${name}/package.json: ${scope}${other} ${why}`);
  }
  for (const other of references) {
    if (!declaredNames.includes(other))
      wrong.push(`packages/${name}/package.json: no dependency ${scope}${other}, which tsconfig.json references`);
  }
  return wrong;
}

function checkImport(name, manifest, directory, file, specifier) {
  if (specifier.startsWith('.')) return checkRelative(directory, file, specifier);
  if (specifier.startsWith('node:')) return null;
  if (builtins.has(specifier)) return `is written node:${specifier}`;
  if (specifier.startsWith(scope)) return checkInner(name, manifest, specifier.slice(scope.length));
  const external = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (isTest(file) || external in (manifest.dependencies ?? {})) return null;
  return `is not among the dependencies of packages/${name}/package.json`;
}

/** Tests may use what is shared between tests: `test/` beside `packages/`. */
function checkRelative(directory, file, specifier) {
  const target = path.resolve(path.dirname(file), specifier);
  if (target.startsWith(path.join(directory, 'src') + path.sep)) return null;
  const shared = path.resolve(directory, '..', '..', 'test') + path.sep;
  return isTest(file) && target.startsWith(shared) ? null : "leaves the package's src";
}

function checkInner(name, manifest, other) {
  if (other.includes('/')) return 'is a deep import: a package is entered by its index.ts only';
  const why = checkDirection(name, other);
  if (why !== null) return why;
  return scope + other in (manifest.dependencies ?? {})
    ? null
    : `is not among the dependencies of packages/${name}/package.json`;
}

function checkDirection(name, other) {
  const from = floorOf(name);
  const to = floorOf(other);
  if (to < 0) return 'stands on no floor (tools/floors.mjs)';
  if (to > from) return `goes up, from floor ${from} to floor ${to}`;
  if (to === from) return `goes sideways on floor ${from}`;
  return null;
}

function referencesOf(directory) {
  const { config } = ts.readConfigFile(path.join(directory, 'tsconfig.json'), ts.sys.readFile);
  return (config?.references ?? []).map((reference) => path.basename(reference.path));
}

function sourcesOf(directory) {
  return readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(directory, name))
    .sort();
}

const isTest = (file) => file.endsWith('.test.ts');

function importsOf(file) {
  return ts.preProcessFile(readFileSync(file, 'utf8'), true, false).importedFiles.map((found) => found.fileName);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = checkFloors(fileURLToPath(new URL('../packages', import.meta.url)));
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) process.exitCode = 1;
}
