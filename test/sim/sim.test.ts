import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { play } from './play.js';
import { randomStory } from './story/random-story.js';
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
      }
    });
  }
  it('random', async () => {
    let bad = 0;
    const t = Date.now();
    const from = Number(process.env.FROM ?? 1);
    for (let seed = from; seed < from + Number(process.env.N ?? 50); seed++) {
      const text = randomStory(
        {
          nodes: ['A'],
          faults: ['kills', 'power', 'stops', 'pauses', 'disks', 'clocks'],
          lastsMs: 10000,
          betweenMs: 2000,
        },
        seed,
      );
      const outcome = await play(parseStory(text), seed, Number(process.env.LINES ?? 0));
      if (outcome.violations.length > 0) {
        if (process.env.LINES) console.log(text, outcome.trace.join('\n'));
        console.log(
          seed,
          outcome.violations.slice(0, 3).map((x) => x.slice(0, 300)),
        );
        if (++bad > 3) break;
      }
    }
    console.log(Date.now() - t);
    expect(bad).toBe(0);
  }, 600000);
});
