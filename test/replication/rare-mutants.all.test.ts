import { describe, expect, it } from 'vitest';
import { caught } from './caught.js';
import { mutants } from './mutants.js';

describe('a rule that is left out shows, if seldom', () => {
  for (const mutant of mutants.filter(({ seeds }) => seeds > 50))
    it(`${mutant.name}, within ${mutant.seeds} seeds`, () => expect(caught(mutant)).not.toBeNull());
});
