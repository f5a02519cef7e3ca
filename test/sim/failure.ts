import { type Outcome, play } from './play.js';
import { type Scenario, storyOf } from './scenarios.js';

/** Lines of the trace that a report shows. */
const traceLines = 60;

/** What many runs come to together. */
export class Totals {
  private runs = 0;
  private failed = 0;
  private published = 0;
  private confirmed = 0;
  private delivered = 0;
  private leaderChanges = 0;
  private simulatedMs = 0;

  add(outcome: Outcome): void {
    this.runs++;
    if (outcome.violations.length > 0) this.failed++;
    this.published += outcome.published;
    this.confirmed += outcome.confirmed;
    this.delivered += outcome.delivered;
    this.leaderChanges += outcome.leaderChanges;
    this.simulatedMs += outcome.simulatedMs;
  }

  /** One line, as a document may quote it. */
  toString(): string {
    const number = (value: number) => value.toLocaleString('en');
    return [
      `${number(this.runs)} runs, ${number(Math.round(this.simulatedMs / 60_000))} simulated minutes`,
      `${number(this.published)} publishes, ${number(this.confirmed)} confirmed`,
      `${number(this.delivered)} deliveries`,
      `${number(this.leaderChanges)} changes of leader`,
      `${number(this.failed)} runs with violations`,
    ].join('; ');
  }
}

/** Plays a scenario with many seeds, one after the other; the failed ones, up to `failuresMax`. */
export async function playSeeds(
  scenario: Scenario,
  seeds: { readonly from: number; readonly count: number },
  failuresMax = 1,
  totals: Totals | null = null,
): Promise<Outcome[]> {
  const failed: Outcome[] = [];
  for (let seed = seeds.from; seed < seeds.from + seeds.count && failed.length < failuresMax; seed++) {
    const outcome = await play(storyOf(scenario, seed), seed);
    totals?.add(outcome);
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
