import { type Outcome, play } from './play.js';
import { type Scenario, storyOf } from './scenarios.js';

/** Lines of the trace that a report shows. */
const traceLines = 60;

/** Plays a scenario with many seeds, one after the other; the failed ones, up to `failuresMax`. */
export async function playSeeds(
  scenario: Scenario,
  seeds: { readonly from: number; readonly count: number },
  failuresMax = 1,
): Promise<Outcome[]> {
  const failed: Outcome[] = [];
  for (let seed = seeds.from; seed < seeds.from + seeds.count && failed.length < failuresMax; seed++) {
    const outcome = await play(storyOf(scenario, seed), seed);
    if (outcome.violations.length > 0) failed.push(outcome);
  }
  return failed;
}

/** What is said of a run that failed: what was wrong, how it came to it, and how to see it again. */
export async function report(scenario: Scenario, { seed, hash, violations }: Outcome): Promise<string> {
  const again = await play(storyOf(scenario, seed), seed, traceLines);
  const same = again.hash === hash ? '' : `\nIT WAS NOT THE SAME WHEN PLAYED AGAIN: ${hash}, then ${again.hash}`;
  return [
    `scenario ${scenario.name}, seed ${seed}:`,
    ...violations.map((violation) => `  ${violation}`),
    `to see it again: npm run sim -- --scenario ${scenario.name} --from ${seed} --seeds 1 --trace${same}`,
  ].join('\n');
}

/** Fails with a report when a seed does. */
export async function expectNoViolation(
  scenario: Scenario,
  seeds: { readonly from: number; readonly count: number },
): Promise<void> {
  const [failure] = await playSeeds(scenario, seeds);
  if (failure !== undefined) throw new Error(await report(scenario, failure));
}
