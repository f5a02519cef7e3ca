import { describe, expect, it } from 'vitest';
import { expectNoViolation } from './failure.js';
import { play } from './play.js';
import { randomScenarios, storyOf } from './scenarios.js';

/** Of each kind of story by chance so many seeds; more of those that cost little. `npm run test:all` plays more. */
const cheap: Readonly<Record<string, number>> = {
  'random-alone': 30,
  'random-pauses': 18,
  'random-quiet': 14,
  'random-resets': 10,
};
const seedsOf = { profile: 8, mirroredProfile: 3 };

describe('stories by chance', () => {
  for (const scenario of randomScenarios) {
    const count = scenario.isMirrored ? seedsOf.mirroredProfile : (cheap[scenario.name] ?? seedsOf.profile);
    it(scenario.name, () => expectNoViolation(scenario, { from: 1, count }), 120_000);
  }

  const repeated = randomScenarios.filter(({ name }) => /^random-(all|alone|kills)$|^mirrored-random-all$/.test(name));
  it('are the same when played again', async () => {
    for (const scenario of repeated) {
      const [first, second] = [await play(storyOf(scenario, 7), 7, 50), await play(storyOf(scenario, 7), 7, 0)];
      expect(second.hash, scenario.name).toBe(first.hash);
    }
    const [one, other] = [7, 8].map((seed) => play(storyOf(randomScenarios[0]!, 7), seed));
    expect((await one!).hash).not.toBe((await other!).hash);
  }, 60_000);
});
