// npm run sim -- --seeds 5000 [--from N] [--scenario NAME] [--trace]: plays scenarios of test/sim with as many seeds as one likes.
// --trace prints what happens in the first of them.
import './node-version.mjs';
import { parseArgs } from 'node:util';

const { runTests } = await import('./run-tests.mjs');
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const { seeds, from, scenario, trace } = values;
await runTests('sim', [], {
  CHAPAR_SIM_SEEDS: seeds,
  CHAPAR_SIM_FROM: from,
  ...(scenario !== undefined && { CHAPAR_SIM_SCENARIO: scenario }),
  ...(trace && { CHAPAR_SIM_TRACE: '1' }),
});
