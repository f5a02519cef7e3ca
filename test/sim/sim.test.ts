import { describe, expect, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { play } from './play.js';
import { randomScenarios, storyOf, writtenScenarios } from './scenarios.js';

/** Of each; `npm run test:all` plays more, and `npm run sim` as many as one likes. */
const seedsOf = { story: 1, profile: 12, mirroredStory: 1, mirroredProfile: 3 };

describe('stories in simulated clusters', () => {
  for (const scenario of writtenScenarios) {
    const count = scenario.isMirrored ? seedsOf.mirroredStory : seedsOf.story;
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }), 60_000);
  }
});

describe('stories by chance', () => {
  for (const scenario of randomScenarios) {
    const count = scenario.isMirrored ? seedsOf.mirroredProfile : seedsOf.profile;
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }), 120_000);
  }

  const repeated = randomScenarios.filter(({ name }) => /random-(all|alone|kills)$/.test(name));
  it('are the same when played again', async () => {
    for (const scenario of repeated) {
      const [first, second] = [await play(storyOf(scenario, 7), 7, 50), await play(storyOf(scenario, 7), 7, 0)];
      expect(second.hash, scenario.name).toBe(first.hash);
    }
    const [one, other] = [7, 8].map((seed) => play(storyOf(randomScenarios[0]!, 7), seed));
    expect((await one!).hash).not.toBe((await other!).hash);
  }, 60_000);
});
