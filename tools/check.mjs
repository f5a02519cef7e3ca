// npm run check: everything that can be said about the code without running it. All steps run, also after one has failed.
import './node-version.mjs';

const { prepareInstall, root } = await import('./prepare.mjs');
await prepareInstall();

const path = await import('node:path');
const { readdirSync, readFileSync } = await import('node:fs');
const { progress, runQuietly } = await import('./progress.mjs');
const { checkFloors } = await import('./check-floors.mjs');

const linesMax = 500;
const at = (...parts) => path.join(root, ...parts);

const program =
  (script, ...args) =>
  async () => {
    const { code, output } = await runQuietly(process.execPath, [at(script), ...args], { cwd: root });
    return code === 0 ? [] : [output.trimEnd()];
  };

const steps = [
  ['types of the sources (tsc -b)', program('node_modules/typescript/bin/tsc', '-b')],
  ['types of the tests', program('node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json')],
  ['format and lint (biome)', program('node_modules/@biomejs/biome/bin/biome', 'check', '.')],
  ['promises (eslint)', program('node_modules/eslint/bin/eslint.js', 'packages')],
  ['floors', async () => checkFloors(at('packages'))],
  [`files of at most ${linesMax} lines`, async () => checkLengths()],
  ['each requirement of MQTT is named by a test', program('tools/mqtt-requirements.mjs', '--check')],
  ['docs/errors.md is up to date', program('tools/errors-doc.mjs', '--check')],
  ['docs/CONFIGURATION.md is up to date', program('tools/configuration-doc.mjs', '--check')],
];

const failed = [];
for (const [title, run] of steps) {
  const step = progress(`${title} ...`);
  const wrong = await run();
  step.end(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} ${title}`);
  if (wrong.length === 0) continue;
  failed.push(title);
  process.stderr.write(`${wrong.join('\n')}\n`);
}
if (failed.length > 0) {
  console.error(`\nThe check failed: ${failed.join('; ')}`);
  process.exitCode = 1;
}

function checkLengths() {
  return readdirSync(at('packages'))
    .flatMap((name) =>
      readdirSync(at('packages', name, 'src'), { recursive: true }).map((file) => `packages/${name}/src/${file}`),
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file, readFileSync(at(file), 'utf8').trimEnd().split('\n').length])
    .filter(([, lines]) => lines > linesMax)
    .map(([file, lines]) => `${file}: ${lines} lines. Which noun is hiding here?`);
}
