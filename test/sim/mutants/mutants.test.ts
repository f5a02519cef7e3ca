import { describe, expect, it } from 'vitest';
import { playSeeds } from '../failure.js';
import { allScenarios } from '../scenarios.js';
import { mutantsBetweenNodes } from './between-nodes.js';
import type { Mutant } from './mutant.js';
import { mutantsOfMetadata } from './of-metadata.js';
import { mutantsOfMirrors } from './of-mirrors.js';
import { mutantsOfTheStore } from './of-the-store.js';

/** Each fault is planted, and the simulator must find it: what it does not find, it would not find in the product either. */
describe.each([
  ['between nodes', mutantsBetweenNodes],
  ['of metadata', mutantsOfMetadata],
  ['of the store', mutantsOfTheStore],
  ['of mirrored queues', mutantsOfMirrors],
])('faults %s', (_, mutants) => {
  it.each(mutants.map((mutant): [string, Mutant] => [mutant.name, mutant]))(
    'are found: %s',
    async (_name, { scenario: name, seedsMax, plant }) => {
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
    },
    120_000,
  );
});
