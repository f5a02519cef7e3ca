// npm run fuzz: the fuzzers of test/fuzz for longer than in `npm test`. Seconds each: CHAPAR_FUZZ_SECONDS, or the first argument.
import './node-version.mjs';

const { runTests } = await import('./run-tests.mjs');
const [first, ...rest] = process.argv.slice(2);
const given = /^\d+$/.test(first ?? '');
const seconds = given ? first : (process.env['CHAPAR_FUZZ_SECONDS'] ?? '60');
console.error(`Each fuzzer runs for ${seconds} s.`);
await runTests('fuzz', given ? rest : process.argv.slice(2), { CHAPAR_FUZZ_SECONDS: seconds });
