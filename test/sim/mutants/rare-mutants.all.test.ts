import { describe, it } from 'vitest';
import { expectFound } from './found.js';
import { rareMutantsOfMirrors } from './of-mirrors.js';

describe('faults that take many seeds', () => {
  for (const mutant of rareMutantsOfMirrors) it(`are found: ${mutant.name}`, () => expectFound(mutant));
});
