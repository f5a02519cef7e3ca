import { afterAll, describe, expect, it } from 'vitest';
import { playSeeds, report, Totals } from './failure.js';
import { play } from './play.js';
import { allScenarios, storyOf } from './scenarios.js';

/** Played by `npm run sim`, which sets these. */
const { CHAPAR_SIM_SEEDS = '100', CHAPAR_SIM_FROM = '1', CHAPAR_SIM_SCENARIO, CHAPAR_SIM_TRACE } = process.env;
const [count, from] = [Number(CHAPAR_SIM_SEEDS), Number(CHAPAR_SIM_FROM)];
const failuresMax = 5;

describe(`${count} seeds from ${from} on`, () => {
  const chosen = allScenarios.filter(({ name }) => CHAPAR_SIM_SCENARIO === undefined || name === CHAPAR_SIM_SCENARIO);
  if (chosen.length === 0) throw new Error(`there is no scenario ${CHAPAR_SIM_SCENARIO}`);
  const totals = new Totals();
  afterAll(() => {
    process.stdout.write(`\ntotals: ${totals}\n`);
  });
  for (const scenario of chosen) {
    it(scenario.name, async () => {
      if (CHAPAR_SIM_TRACE !== undefined) await show(scenario);
      const reports: string[] = [];
      for (const failure of await playSeeds(scenario, { from, count }, failuresMax, totals)) {
        reports.push(await report(scenario, failure));
      }
      expect(reports.join('\n\n')).toBe('');
    });
  }
});

/** Prints the story of the first seed and everything that happens in it. */
async function show(scenario: (typeof allScenarios)[number]): Promise<void> {
  const { trace, violations } = await play(storyOf(scenario, from), from, Number.MAX_SAFE_INTEGER);
  process.stdout.write(`${scenario.text(from)}\n${trace.join('\n')}\n${violations.join('\n')}\n`);
}
