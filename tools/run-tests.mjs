import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { closingLine, countsOf } from './closing-reporter.mjs';
import { prepare, root } from './prepare.mjs';
import { runOpenly, runQuietly } from './progress.mjs';

const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const closingReporter = path.join(root, 'tools', 'closing-reporter.mjs');

/** Installs, builds and runs the tests of one mode of vitest.config.ts; ends the process with vitest's exit code. */
export async function runTests(mode, args, environment = {}) {
  await prepare();
  // A reporter named on the command line replaces those of the config; the closing line must not get lost with them.
  const reporters = args.some((arg) => arg.startsWith('--reporter')) ? [`--reporter=${closingReporter}`] : [];
  const code = await runOpenly(process.execPath, [vitest, 'run', '--mode', mode, ...args, ...reporters], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  process.exitCode ||= code;
}

/**
 * As `runTests`, two modes at once, the second one behind the first in priority: what it has to say is shown when the first has ended.
 * The closing line has the counts of both.
 */
export async function runTestsBeside(mode, behind) {
  await prepare();
  const directory = mkdtempSync(path.join(tmpdir(), 'chapar-counts-'));
  const countsFile = (each) => path.join(directory, each);
  const options = (each) => ({ cwd: root, env: { ...process.env, CHAPAR_COUNTS_FILE: countsFile(each) } });
  const args = (each) => [vitest, 'run', '--mode', each];
  const started = ({ pid }) => setPriority(pid, 10);
  const second = runQuietly(process.execPath, args(behind), { ...options(behind), started });
  const code = await runOpenly(process.execPath, args(mode), options(mode));
  const { code: codeBehind, output } = await second;
  process.stdout.write(output);
  const counts = [mode, behind].map((each) => countsOf(countsFile(each)));
  rmSync(directory, { recursive: true, force: true });
  process.stdout.write(`\n${closingLine(counts)}\n`);
  process.exitCode ||= code || codeBehind;
}
