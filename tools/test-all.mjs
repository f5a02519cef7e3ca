// npm run test:all: the long tests and those that need other programs (`*.all.test.ts`): clients of other languages, real peers,
// long loops. One file after the other, since they start processes and measure what happens to them.
import './node-version.mjs';

const { runTests } = await import('./run-tests.mjs');
await runTests('all', process.argv.slice(2));
