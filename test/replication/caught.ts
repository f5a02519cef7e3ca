import { HistoryContradictionError } from '@chapar/cluster';
import { Violation } from './checks.js';
import type { Mutant } from './mutants.js';
import { World } from './world.js';

/** The first promise that is broken without a rule, within as many seeds as it may take; null: none. */
export function caught({ rules, seeds }: Mutant): string | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const broken = brokenPromise(new World(seed, rules));
    if (broken !== null) return `seed ${seed}: ${broken}`;
  }
  return null;
}

/** Null: none. Any other error than a broken promise is thrown. */
export function brokenPromise(world: World): string | null {
  try {
    world.run();
    return null;
  } catch (error) {
    if (error instanceof Violation || error instanceof HistoryContradictionError) return error.message;
    throw error;
  }
}
