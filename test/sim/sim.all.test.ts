import { describe, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { randomScenarios, writtenScenarios } from './scenarios.js';

// What `npm test` plays with a few seeds, with many: thousands of runs.
const seedsOfStory = 20;
const seedsOfProfile = 200;

describe('stories in simulated clusters, many times', () => {
  for (const scenario of writtenScenarios) {
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count: seedsOfStory }));
  }
  for (const scenario of randomScenarios) {
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count: seedsOfProfile }));
  }
});
