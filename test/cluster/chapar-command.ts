import { fileURLToPath } from 'node:url';
import { type Outcome, run } from '../interop/command.js';

const program = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));

/** `npx chapar ...`, to its end. */
export function chapar(...args: string[]): Promise<Outcome> {
  return run([process.execPath, program, ...args], { seconds: 30 });
}
