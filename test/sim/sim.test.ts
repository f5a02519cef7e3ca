import { describe, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { writtenScenarios } from './scenarios.js';

// One seed of each; `npm run test:all` plays more, and `npm run sim` as many as one likes. Those by chance: chance.test.ts.

describe('stories in simulated clusters', () => {
  for (const scenario of writtenScenarios)
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count: 1 }), 60_000);
});
