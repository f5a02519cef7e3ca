import { describe, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { randomScenarios, writtenScenarios } from './scenarios.js';

// What `npm test` plays with a few seeds, with many: thousands of runs.
const seedsOfStory = 20;
const seedsOfProfile = 200;
const seedsOfMirroredStory = 4;
const seedsOfMirroredProfile = 40;

describe('stories in simulated clusters, many times', () => {
  for (const scenario of writtenScenarios) {
    const count = scenario.isMirrored ? seedsOfMirroredStory : seedsOfStory;
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }));
  }
  for (const scenario of randomScenarios) {
    const count = scenario.isMirrored ? seedsOfMirroredProfile : seedsOfProfile;
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }));
  }
});
