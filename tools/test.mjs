// npm test: everything that needs nothing from outside the checkout. Further arguments go to vitest: `npm test -- packages/core`.
import './node-version.mjs';

const { runTests } = await import('./run-tests.mjs');
await runTests('test', process.argv.slice(2));
