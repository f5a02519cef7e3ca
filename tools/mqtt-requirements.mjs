// Lists the requirements of MQTT 5.0 and of 3.1.1 that bind a server and that no test names: node tools/mqtt-requirements.mjs [--check]
// The identifiers are those of each specification's appendix B; a test names one by having `[MQTT-x.y.z-n]` in its name, or
// `[MQTT-x.y.z-n of 3.1.1]`, since the two number differently.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** By version: sections, with the number of the last requirement in each. */
const sections = {
  '5.0': `1.5.4:3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:6 2.2.2:1 3.1.0:2 3.1.2:30 3.1.3:12 3.1.4:6 3.2.0:2 3.2.2:22 3.3.1:13 3.3.2:20 3.3.4:10
3.4.2:3 3.5.2:3 3.6.1:1 3.6.2:3 3.7.2:3 3.8.1:1 3.8.3:5 3.8.4:8 3.9.2:2 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.11.2:2 3.11.3:2 3.12.4:1
3.14.0:1 3.14.1:1 3.14.2:4 3.14.4:3 3.15.1:1 3.15.2:3 4.1.0:2 4.2.0:1 4.3.1:1 4.3.2:5 4.3.3:13 4.4.0:2 4.5.0:2 4.6.0:6 4.7.0:1 4.7.1:2
4.7.2:1 4.7.3:4 4.8.2:6 4.9.0:3 4.12.0:7 4.12.1:2 4.13.1:1 4.13.2:1 6.0.0:4`,
  '3.1.1': `1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1 3.3.5:2 3.6.1:1 3.8.1:1
3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 3.14.4:3 4.1.0:2 4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 4.6.0:6
4.7.1:3 4.7.2:1 4.7.3:4 4.8.0:2 6.0.0:4`,
};

/** Those that no server can keep or break, or not this one, by the reason. */
const notOurs = {
  '5.0': {
    'says what a client does': `3.1.2-20 3.1.2-30 3.1.3-1 3.2.2-4 3.2.2-5 3.2.2-11 3.2.2-14 3.3.4-8 4.5.0-2 4.12.0-2 4.12.0-5
4.12.1-1`,
    'is no number of the appendix, which begins that section with 2': '2.2.1-1',
    'of a server that does not take every QoS, or no retained messages': '3.2.2-9 3.2.2-10 3.2.2-12 3.2.2-13',
    'of a Reason String or User Properties that the broker does not send in this packet': `3.2.2-20 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2
3.6.2-3 3.7.2-2 3.7.2-3 3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2 3.14.2-4`,
    'of an AUTH that a server sends, and this one has no method': '3.15.2-1 3.15.2-2 3.15.2-3 4.12.0-3',
  },
  '3.1.1': {
    'says what a client does': '2.3.1-2 2.3.1-3 3.1.2-23 3.1.3-7 3.14.4-1 3.14.4-2 4.5.0-2',
  },
};

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** What the tests name, by version; comments name nothing. */
function namedByTests() {
  const named = { '5.0': new Set(), '3.1.1': new Set() };
  for (const file of [...testFiles(join(root, 'test')), ...testFiles(join(root, 'packages', 'mqtt', 'src'))]) {
    const code = readFileSync(file, 'utf8').replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    for (const [, id, of] of code.matchAll(/\[MQTT-([\d.]+-\d+)( of 3\.1\.1)?\]/g)) named[of ? '3.1.1' : '5.0'].add(id);
  }
  return named;
}

/** Of each version: all of them, those that bind us, those of them that no test names, and what tests name that there is not. */
export function requirements() {
  const named = namedByTests();
  return Object.fromEntries(
    Object.entries(sections).map(([version, text]) => {
      const all = text.split(/\s+/).flatMap((each) => {
        const [section, last] = each.split(':');
        return Array.from({ length: Number(last) }, (_, at) => `${section}-${at + 1}`);
      });
      const without = new Set(Object.values(notOurs[version]).flatMap((ids) => ids.split(/\s+/)));
      const ours = all.filter((id) => !without.has(id));
      const missing = ours.filter((id) => !named[version].has(id));
      const unknown = [...named[version], ...without].filter((id) => !all.includes(id));
      return [version, { all, ours, missing, unknown }];
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [version, { all, ours, missing, unknown }] of Object.entries(requirements())) {
    const suffix = version === '5.0' ? '' : ` of ${version}`;
    for (const id of missing) console.log(`no test names [MQTT-${id}${suffix}]`);
    for (const id of unknown) console.log(`[MQTT-${id}${suffix}] is named, and is not in the specification`);
    console.log(
      `MQTT ${version}: ${ours.length - missing.length} of ${ours.length} requirements on a server are named by tests (of ${all.length})`,
    );
    if (missing.length + unknown.length > 0 && process.argv.includes('--check')) process.exitCode = 1;
  }
}
