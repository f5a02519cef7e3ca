// Lists the requirements of MQTT 5.0 that bind a server and that no test names: node tools/mqtt-requirements.mjs
// The identifiers are those of the specification's appendix B; a test names one by having `[MQTT-x.y.z-n]` in its name.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Sections, with the number of the last requirement in each. */
const sections = {
  '1.5.4': 3,
  '1.5.5': 1,
  '1.5.7': 1,
  '2.1.3': 1,
  '2.2.1': 6,
  '2.2.2': 1,
  '3.1.0': 2,
  '3.1.2': 30,
  '3.1.3': 12,
  '3.1.4': 6,
  '3.2.0': 2,
  '3.2.2': 22,
  '3.3.1': 13,
  '3.3.2': 20,
  '3.3.4': 10,
  '3.4.2': 3,
  '3.5.2': 3,
  '3.6.1': 1,
  '3.6.2': 3,
  '3.7.2': 3,
  '3.8.1': 1,
  '3.8.3': 5,
  '3.8.4': 8,
  '3.9.2': 2,
  '3.9.3': 2,
  '3.10.1': 1,
  '3.10.3': 2,
  '3.10.4': 6,
  '3.11.2': 2,
  '3.11.3': 2,
  '3.12.4': 1,
  '3.14.0': 1,
  '3.14.1': 1,
  '3.14.2': 4,
  '3.14.4': 3,
  '3.15.1': 1,
  '3.15.2': 3,
  '4.1.0': 2,
  '4.2.0': 1,
  '4.3.1': 1,
  '4.3.2': 5,
  '4.3.3': 13,
  '4.4.0': 2,
  '4.5.0': 2,
  '4.6.0': 6,
  '4.7.0': 1,
  '4.7.1': 2,
  '4.7.2': 1,
  '4.7.3': 4,
  '4.8.2': 6,
  '4.9.0': 3,
  '4.12.0': 7,
  '4.12.1': 2,
  '4.13.1': 1,
  '4.13.2': 1,
  '6.0.0': 4,
};

/** What only a client can keep or break, and what speaks of features that a server may leave out and we have not left out. */
const notOurs = new Set(
  `2.2.1-1 2.2.1-2 3.1.2-20 3.1.2-30 3.1.3-1 3.2.2-4 3.2.2-5 3.2.2-9 3.2.2-10 3.2.2-11 3.2.2-12 3.2.2-13 3.2.2-14 3.2.2-20
3.3.4-8 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2 3.6.2-3 3.7.2-2 3.7.2-3 3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2 3.14.2-4
3.15.2-1 3.15.2-2 3.15.2-3 4.5.0-2 4.12.0-2 4.12.0-3 4.12.0-5 4.12.1-1 1.5.7-1 2.2.2-2 3.1.4-4 3.3.1-3`.split(/\s+/),
);

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

export function requirements() {
  const all = Object.entries(sections).flatMap(([section, last]) =>
    Array.from({ length: last }, (_, at) => `${section}-${at + 1}`),
  );
  const files = [...testFiles(join(root, 'test')), ...testFiles(join(root, 'packages', 'mqtt', 'src'))];
  const named = new Set();
  for (const file of files)
    for (const [, id] of readFileSync(file, 'utf8').matchAll(/\[MQTT-([\d.]+-\d+)\]/g)) named.add(id);
  const ours = all.filter((id) => !notOurs.has(id));
  return {
    all,
    ours,
    missing: ours.filter((id) => !named.has(id)),
    unknown: [...named].filter((id) => !all.includes(id)),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ours, missing, unknown } = requirements();
  for (const id of missing) console.log(`no test names [MQTT-${id}]`);
  for (const id of unknown) console.log(`a test names [MQTT-${id}], which is not in the specification`);
  console.log(`${ours.length - missing.length} of ${ours.length} requirements on a server are named by tests`);
}
