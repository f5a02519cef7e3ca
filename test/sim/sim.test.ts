import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { play } from './play.js';
import { parseStory } from './story/story.js';

const directory = fileURLToPath(new URL('./scenarios/', import.meta.url));
const stories = readdirSync(directory).map((file) => {
  return { name: file.replace('.txt', ''), text: readFileSync(directory + file, 'utf8') };
});

describe('stories', () => {
  for (const { name, text } of stories) {
    it(name, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const outcome = await play(parseStory(text), seed, 100);
        if (outcome.violations.length > 0) console.log(outcome.trace.join('\n'));
        expect(outcome.violations, `seed ${seed}`).toEqual([]);
        console.log(outcome.hash, outcome.published, outcome.confirmed, outcome.simulatedMs);
      }
    });
  }
});
