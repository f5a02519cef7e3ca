// What `npm start`, `npm test` and the checks have in common: the packages installed as package-lock.json says, the sources built.
// Both are skipped within milliseconds when nothing changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { progress, runQuietly } from './progress.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);

const lockFile = at('.chapar-build', 'lock');
const installStamp = at('node_modules', '.chapar-installed');
const buildStamp = at('.chapar-build', 'built');

/** Installs and builds as needed. Ends the process with 1 when that fails, the cause printed. */
export async function prepare() {
  if (isInstalled() && isBuilt()) return;
  await withLock(lockFile, installAndBuild, (pid, seconds) =>
    console.error(
      `Another command of this checkout is installing or building (process ${pid}); waiting for it (${seconds} s).`,
    ),
  );
}

/** Installs as needed, without building. */
export async function prepareInstall() {
  if (isInstalled()) return;
  await withLock(lockFile, install, (pid, seconds) =>
    console.error(`Another command of this checkout is installing (process ${pid}); waiting for it (${seconds} s).`),
  );
}

async function installAndBuild() {
  await install();
  await build();
}

// ---------------------------------------------------------------------------------------------------------------
// install

function isInstalled() {
  return readText(installStamp) === wantedInstall();
}

/** The lock file's digest, and the Node line, since packages may bring binaries for one. */
function wantedInstall() {
  return `${digest(readText(at('package-lock.json')))} ${process.platform}-${process.arch} node ${process.versions.node.split('.')[0]}\n`;
}

async function install() {
  if (isInstalled()) return;
  if (isInstalledByNpm()) {
    writeFileSync(installStamp, wantedInstall());
    return;
  }
  rmSync(installStamp, { force: true });
  const step = progress('Installing packages (npm) ...');
  // `ci` empties node_modules first; where one is there already, only the difference is fetched (a broker may be running from it).
  const verb = existsSync(at('node_modules')) ? ['install', '--no-save'] : ['ci'];
  const { code, output } = await runNpm([...verb, '--include=dev', '--no-audit', '--no-fund', '--no-progress']);
  if (code !== 0) fail(step, 'Installing packages failed', withoutManual(output), installHint(output));
  writeFileSync(installStamp, wantedInstall());
  step.end('Packages installed');
}

/** True when npm's own record of node_modules agrees with the lock file (somebody ran `npm install` by hand). */
function isInstalledByNpm() {
  const record = readText(at('node_modules', '.package-lock.json'));
  if (record === '') return false;
  const installed = JSON.parse(record).packages;
  const wanted = JSON.parse(readText(at('package-lock.json'))).packages;
  return Object.entries(wanted).every(([where, what]) => {
    if (where === '' || what.optional === true) return true;
    if (what.link === true) return installed[where]?.link === true && existsSync(at(where));
    return !where.startsWith('node_modules/') || (installed[where]?.version === what.version && existsSync(at(where)));
  });
}

function runNpm(args) {
  const npmScript = process.env['npm_execpath'] ?? '';
  const options = { cwd: root };
  if (/npm-cli\.c?js$/.test(npmScript)) return runQuietly(process.execPath, [npmScript, ...args], options);
  return runQuietly(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
}

/** npm prints its manual after some errors, and notes on engines before; the cause gets lost between them. */
function withoutManual(output) {
  const lines = output.split('\n');
  const manual = lines.findIndex((line) => /^npm error (Usage:|Clean install a project)/.test(line));
  return (manual < 0 ? lines : lines.slice(0, manual))
    .filter((line) => !line.startsWith('npm warn EBADENGINE'))
    .join('\n');
}

function installHint(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(output)) {
    return 'The package registry could not be reached. Check the network, or name a mirror: npm config set registry URL.';
  }
  if (/ENOSPC/.test(output)) return 'The disk is full: about 400 MB are needed under node_modules.';
  if (/EACCES|EPERM/.test(output)) return `No permission to write under ${root}: check who owns the checkout.`;
  if (/can only install packages when your package.json and package-lock.json/.test(output)) {
    return 'package.json and package-lock.json disagree: run `npm install` and commit the lock file.';
  }
  return 'Fix the cause above and run the same command again.';
}

// ---------------------------------------------------------------------------------------------------------------
// build

function isBuilt() {
  const wanted = wantedBuild();
  return readText(buildStamp) === wanted.stamp && wanted.outputs.every((file) => existsSync(file));
}

async function build() {
  if (isBuilt()) return;
  const { stamp } = wantedBuild();
  rmSync(buildStamp, { force: true });
  const step = progress('Building (tsc -b) ...');
  const { code, output } = await runQuietly(process.execPath, [at('node_modules/typescript/bin/tsc'), '-b'], {
    cwd: root,
  });
  if (code !== 0) fail(step, 'The build failed', output, 'Correct the errors above and run the same command again.');
  mkdirSync(path.dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, stamp);
  step.end('Built');
}

/** A digest over names, sizes and times of everything that the compiler reads, and the files that must then be there. */
function wantedBuild() {
  const seen = createHash('sha256').update(readText(installStamp));
  const outputs = [];
  for (const name of ['tsconfig.base.json', 'tsconfig.json']) note(seen, at(name));
  for (const name of readdirSync(at('packages')).sort()) {
    if (!existsSync(at('packages', name, 'tsconfig.json'))) continue;
    note(seen, at('packages', name, 'tsconfig.json'));
    note(seen, at('packages', name, 'package.json'));
    noteSources(seen, at('packages', name, 'src'));
    outputs.push(at('packages', name, 'dist', 'index.js'), at('packages', name, 'dist', '.tsbuildinfo'));
  }
  return { stamp: `${seen.digest('hex')}\n`, outputs };
}

function noteSources(seen, directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) noteSources(seen, file);
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) note(seen, file);
  }
}

function note(seen, file) {
  const { size, mtimeMs } = statSync(file);
  seen.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
}

// ---------------------------------------------------------------------------------------------------------------

function fail(step, title, output, hint) {
  step.end(title);
  process.stderr.write(`${output.trimEnd()}\n\n${title}. ${hint}\n`);
  process.exit(1);
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '';
    throw error;
  }
}

function digest(text) {
  return createHash('sha256').update(text).digest('hex');
}
