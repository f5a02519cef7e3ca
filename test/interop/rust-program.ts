import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWell, versionOf } from './command.js';
import type { Program } from './program-suite.js';

const sources = fileURLToPath(new URL('rust', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/chapar-rust', import.meta.url));
/** What lapin needs; .ci/setup knows it too. */
const MINOR_MIN = 88;

/** Built by cargo, which knows itself what has changed; what Cargo.lock names is fetched once. */
export async function rustProgram(): Promise<Program> {
  const version = versionOf('cargo');
  if (version === null) return { command: null, missing: 'cargo (Rust) is not installed' };
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) === 1 && Number(minor) < MINOR_MIN) {
    return { command: null, missing: `${version} is too old: lapin needs Rust 1.${MINOR_MIN}` };
  }
  const where = ['--manifest-path', join(sources, 'Cargo.toml'), '--target-dir', cache];
  try {
    await runWell(['cargo', 'fetch', '--locked', '--manifest-path', join(sources, 'Cargo.toml')], { seconds: 300 });
  } catch (error) {
    return { command: null, missing: `the crates of Cargo.lock could not be fetched: ${(error as Error).message}` };
  }
  await runWell(['cargo', 'build', '--locked', '--offline', '--quiet', ...where], { seconds: 540 });
  return { command: [join(cache, 'debug', 'interop')], missing: null };
}
