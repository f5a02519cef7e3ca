import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';

/**
 * For tests that need something which a machine may lack: `describe.skipIf(skipUnless(hasPython, 'python3 is not installed'))`.
 * Returns true when the tests must be skipped. The reason is printed where the skip happens and again at the end of the run;
 * with CHAPAR_TEST_REQUIRE=all the run then fails.
 */
export function skipUnless(condition: unknown, reason: string): boolean {
  if (condition) return false;
  const file = expect.getState().testPath ?? '';
  console.log(`skipped: ${reason}`);
  const log = process.env['CHAPAR_SKIP_LOG'];
  if (log !== undefined) appendFileSync(log, `${JSON.stringify({ file, reason })}\n`);
  return true;
}
