import { describe, it } from 'vitest';
import { mutantsBetweenNodes } from './between-nodes.js';
import { expectFound } from './found.js';
import type { Mutant } from './mutant.js';
import { mutantsOfMetadata } from './of-metadata.js';
import { mutantsOfMirrors } from './of-mirrors.js';
import { mutantsOfTheStore } from './of-the-store.js';

describe.each([
  ['between nodes', mutantsBetweenNodes],
  ['of metadata', mutantsOfMetadata],
  ['of the store', mutantsOfTheStore],
  ['of mirrored queues', mutantsOfMirrors],
])('faults %s', (_, mutants) => {
  it.each(mutants.map((mutant): [string, Mutant] => [mutant.name, mutant]))(
    'are found: %s',
    (_name, mutant) => expectFound(mutant),
    120_000,
  );
});
