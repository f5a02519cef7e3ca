import { describe, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { randomScenarios, writtenScenarios } from './scenarios.js';

// What `npm test` plays with a few seeds, with many: thousands of runs.
const seedsOfStory = 20;
const seedsOfProfile = 200;
const seedsOfMirroredProfile = 60;

describe('stories in simulated clusters, many times', () => {
  for (const scenario of writtenScenarios) {
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count: seedsOfStory }));
  }
  for (const scenario of randomScenarios) {
    const count = scenario.isMirrored ? seedsOfMirroredProfile : seedsOfProfile;
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }));
  }
});
