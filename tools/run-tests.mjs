import path from 'node:path';
import { prepare, root } from './prepare.mjs';
import { runOpenly } from './progress.mjs';

const closingReporter = path.join(root, 'tools', 'closing-reporter.mjs');

/** Installs, builds and runs the tests of one mode of vitest.config.ts; ends the process with vitest's exit code. */
export async function runTests(mode, args, environment = {}) {
  await prepare();
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  // A reporter named on the command line replaces those of the config; the closing line must not get lost with them.
  const reporters = args.some((arg) => arg.startsWith('--reporter')) ? [`--reporter=${closingReporter}`] : [];
  const code = await runOpenly(process.execPath, [vitest, 'run', '--mode', mode, ...args, ...reporters], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  process.exitCode ||= code;
}
