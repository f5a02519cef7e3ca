import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkFloors } from './check-floors.mjs';

let packages;

beforeEach(() => {
  packages = path.join(mkdtempSync(path.join(tmpdir(), 'chapar-floors-')), 'packages');
  mkdirSync(packages);
});
afterEach(() => rmSync(path.dirname(packages), { recursive: true }));

function write(name, source, { dependencies = [], references = dependencies, external = {} } = {}) {
  const directory = path.join(packages, name);
  mkdirSync(path.join(directory, 'src'), { recursive: true });
  const inner = Object.fromEntries(dependencies.map((dependency) => [`@chapar/${dependency}`, '0.1.0']));
  writeFileSync(
    path.join(directory, 'package.json'),
    JSON.stringify({ name: `@chapar/${name}`, dependencies: { ...inner, ...external } }),
  );
  writeFileSync(
    path.join(directory, 'tsconfig.json'),
    JSON.stringify({ references: references.map((reference) => ({ path: `../${reference}` })) }),
  );
  writeFileSync(path.join(directory, 'src', 'index.ts'), source);
}

test('an import down the floors through the front door is fine', () => {
  write('core', "import type { Cursor } from '@chapar/bytes';\nimport fs from 'node:fs';\n", {
    dependencies: ['bytes'],
  });
  write('bytes', "export * from './cursor.js';\n");
  expect(checkFloors(packages)).toEqual([]);
});

test.each([
  ['up', 'core', 'store', 'goes up, from floor 2 to floor 3'],
  ['sideways', 'amqp091', 'management', 'goes sideways on floor 4'],
])('an import %s fails, declared or not', (_way, from, to, text) => {
  write(from, `import { x } from '@chapar/${to}';\n`, { dependencies: [to] });
  write(to, '');
  expect(checkFloors(packages).join('\n')).toContain(`packages/${from}/src/index.ts: '@chapar/${to}' ${text}`);
  expect(checkFloors(packages).join('\n')).toContain(`packages/${from}/package.json: @chapar/${to} ${text}`);
});

test.each([
  "export { x } from '@chapar/store';\n",
  "export * from '@chapar/store';\n",
  "const x = await import('@chapar/store');\n",
  "import type { x } from '@chapar/store';\n",
])('every form of import counts: %s', (source) => {
  write('core', source);
  expect(checkFloors(packages)).toHaveLength(1);
});

test('a deep import fails', () => {
  write('core', "import { Cursor } from '@chapar/bytes/dist/cursor.js';\n", { dependencies: ['bytes'] });
  expect(checkFloors(packages).join()).toContain('is a deep import');
});

test('a relative path out of the package fails', () => {
  write('core', "import { Cursor } from '../../bytes/src/cursor.js';\n", { dependencies: ['bytes'] });
  expect(checkFloors(packages).join()).toContain("leaves the package's src");
});

test('a test may use what tests share, the code may not', () => {
  write('core', "import { x } from '../../../test/support/x.js';\n");
  writeFileSync(path.join(packages, 'core', 'src', 'a.test.ts'), "import { x } from '../../../test/support/x.js';\n");
  expect(checkFloors(packages)).toEqual([
    "packages/core/src/index.ts: '../../../test/support/x.js' leaves the package's src",
  ]);
});

test('a method that is called require is no import', () => {
  write('core', "actor.require('configure');\n");
  expect(checkFloors(packages)).toEqual([]);
});

test('an import that package.json does not declare fails', () => {
  write('core', "import { Cursor } from '@chapar/bytes';\nimport YAML from 'yaml';\n");
  const wrong = checkFloors(packages).join('\n');
  expect(wrong).toContain("'@chapar/bytes' is not among the dependencies");
  expect(wrong).toContain("'yaml' is not among the dependencies");
});

test('dependencies and project references must agree, both ways', () => {
  write('core', '', { dependencies: ['bytes'], references: ['platform'] });
  const wrong = checkFloors(packages).join('\n');
  expect(wrong).toContain('no reference to ../bytes');
  expect(wrong).toContain('no dependency @chapar/platform');
});

test('a package on no floor fails', () => {
  write('helpers', '');
  expect(checkFloors(packages).join()).toContain('packages/helpers: stands on no floor');
});
