// npm run test:all: the long tests and those that need other programs (`*.all.test.ts`): clients of other languages, real peers,
// long loops. One file after the other, since they start processes and measure what happens to them; those that only compute (simulated
// clusters) run beside them, behind them in priority, for the others wait most of the time. With arguments: one file after the other.
import './node-version.mjs';

const { runTests, runTestsBeside } = await import('./run-tests.mjs');
const args = process.argv.slice(2);
if (args.length > 0) await runTests('all', args);
else await runTestsBeside('all-real', 'all-simulated');
