import { expect } from 'vitest';
import { playSeeds } from '../failure.js';
import { allScenarios } from '../scenarios.js';
import type { Mutant } from './mutant.js';

/** The fault is planted, and the simulator must find it: what it does not find, it would not find in the product either. */
export async function expectFound({ scenario: name, seedsMax, plant }: Mutant): Promise<void> {
  const scenario = allScenarios.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  const undo = plant();
  try {
    const failed = await playSeeds(scenario, { from: 1, count: seedsMax });
    expect(failed, `not found in ${seedsMax} seeds`).toHaveLength(1);
    if (process.env['CHAPAR_SIM_TRACE']) console.log(failed[0]!.seed, failed[0]!.violations[0]);
  } finally {
    undo();
  }
}
