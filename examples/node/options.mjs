// What every example shares: where the broker is, how options are read, and how long to wait before giving up.
import { parseArgs } from 'node:util';

/** The broker to talk to. */
export const url = process.env.AMQP_URL ?? 'amqp://guest:guest@localhost:5672';

/**
 * Reads `--name value` options and what stands beside them. The defaults say which options exist;
 * an option whose default is a number is read as a number, one whose default is `false` is a switch.
 */
export function readOptions(defaults = {}) {
  const types = Object.entries(defaults).map(([name, value]) => [
    name,
    { type: typeof value === 'boolean' ? 'boolean' : 'string' },
  ]);
  const { values, positionals } = parseArgs({ options: Object.fromEntries(types), allowPositionals: true });
  const read = Object.entries(values).map(([name, value]) => [
    name,
    typeof defaults[name] === 'number' ? Number(value) : value,
  ]);
  return { ...defaults, ...Object.fromEntries(read), rest: positionals };
}

/** An example that waits for ever teaches nothing: after so many seconds it says what is missing and exits 1. */
export function giveUpAfter(seconds, what) {
  const timer = setTimeout(() => {
    console.error(`gave up after ${seconds} s: ${what}`);
    process.exit(1);
  }, seconds * 1000);
  timer.unref();
}

/** Ends the example with exit code 1 and a reason. */
export function fail(reason) {
  console.error(`wrong: ${reason}`);
  process.exit(1);
}
