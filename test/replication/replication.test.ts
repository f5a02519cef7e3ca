import { describe, expect, it } from 'vitest';
import { brokenPromise, caught } from './caught.js';
import { mutants } from './mutants.js';
import { World } from './world.js';

/** As many as one likes: CHAPAR_SIM_SEEDS=5000 CHAPAR_SIM_FROM=1 npx vitest run test/replication */
const { CHAPAR_SIM_SEEDS = '150', CHAPAR_SIM_FROM = '1' } = process.env;
const [count, from] = [Number(CHAPAR_SIM_SEEDS), Number(CHAPAR_SIM_FROM)];

describe('a mirrored queue', () => {
  it(`keeps its promises whatever goes wrong, with ${count} seeds from ${from} on`, () => {
    const totals = {
      confirmed: 0,
      reigns: 0,
      resignations: 0,
      named: 0,
      settled: 0,
      cuts: 0,
      images: 0,
      fills: 0,
      joins: 0,
    };
    for (let seed = from; seed < from + count; seed++) {
      const world = new World(seed);
      const broken = brokenPromise(world);
      if (broken !== null) throw new Error(`seed ${seed}: ${broken}`);
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += world.checks.counts[name];
    }
    // What never happens is not tested.
    for (const happened of Object.values(totals)) expect(happened).toBeGreaterThan(count / 10);
    if (count > 1000) console.log(totals);
  }, 3_600_000);
});

describe('a rule that is left out shows', () => {
  // The rare ones are in rare-mutants.all.test.ts.
  for (const mutant of mutants.filter(({ seeds }) => seeds <= 50))
    it(`${mutant.name}, within ${mutant.seeds} seeds`, () => expect(caught(mutant)).not.toBeNull(), 300_000);
});
