import { HistoryContradictionError } from '@chapar/cluster';
import { describe, expect, it } from 'vitest';
import { Violation } from './checks.js';
import { type Mutant, mutants } from './mutants.js';
import { World } from './world.js';

const seeds = Number(process.env['CHAPAR_SEEDS'] ?? 100);

describe('a mirrored queue', () => {
  it('keeps its promises whatever goes wrong', () => {
    const totals: Record<string, number> = {};
    for (let seed = 1; seed <= seeds; seed++) {
      const world = new World(seed);
      try {
        world.run();
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      for (const [name, count] of Object.entries(world.checks.counts)) totals[name] = (totals[name] ?? 0) + count;
    }
    console.log(totals);
    expect(seeds).toBeGreaterThan(0);
  }, 600_000);
});

describe('what is planted shows', () => {
  for (const mutant of mutants) {
    it(mutant.name, () => {
      const found = caught(mutant, 300);
      console.log(`${mutant.name}: ${found}`);
      expect(found).not.toBeNull();
    }, 120_000);
  }
});

function caught({ rules }: Mutant, within: number): string | null {
  for (let seed = 1; seed <= within; seed++) {
    try {
      new World(seed, rules).run();
    } catch (error) {
      if (!(error instanceof Violation || error instanceof HistoryContradictionError)) throw error;
      return `seed ${seed}: ${(error as Error).message.slice(0, 160)}`;
    }
  }
  return null;
}
