import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FaultKind, Profile } from './story/random-story.js';
import { randomStory } from './story/random-story.js';
import { parseStory, type Story } from './story/story.js';

/** Something that can be played with any seed. */
export interface Scenario {
  readonly name: string;
  /** The story as text; one by chance is another one for each seed. */
  text(seed: number): string;
  readonly isMirrored?: boolean;
}

const directory = fileURLToPath(new URL('./scenarios/', import.meta.url));

/** The stories that stand in files. */
export const writtenScenarios: readonly Scenario[] = readdirSync(directory)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => {
    const text = readFileSync(directory + file, 'utf8');
    return { name: file.replace('.txt', ''), isMirrored: file.startsWith('mirrored'), text: () => text };
  });

const alone = ['A'];
const three = ['A', 'B', 'C'];

const profile = (
  name: string,
  nodes: readonly string[],
  ...faults: FaultKind[]
): Profile & { readonly name: string } => {
  return { name, nodes, faults, lastsMs: 4_000, betweenMs: 1_200, isMirrored: false };
};

/** Of mirrored queues. */
const mirrored = (name: string, ...faults: FaultKind[]): Profile & { readonly name: string } => {
  return { ...profile(`mirrored-${name}`, three, ...faults), isMirrored: true };
};

const everything: readonly FaultKind[] = [
  'kills',
  'power',
  'stops',
  'pauses',
  'cuts',
  'resets',
  'lags',
  'disks',
  'clocks',
  'etcd',
  'transfers',
  'drains',
  'wipes',
  'blackouts',
  'pairs',
];

/** Stories by chance, by what goes wrong in them. The fewer kinds, the less is excused. */
export const profiles: readonly (Profile & { readonly name: string })[] = [
  profile('random-alone', alone, 'kills', 'power', 'stops', 'pauses', 'disks', 'clocks'),
  profile('random-quiet', three, 'tides'),
  profile('random-resets', three, 'resets'),
  profile('random-lags', three, 'resets', 'lags', 'disks'),
  profile('random-cuts', three, 'cuts', 'resets'),
  profile('random-pauses', three, 'pauses', 'clocks'),
  profile('random-stops', three, 'stops'),
  profile('random-kills', three, 'kills', 'power'),
  profile('random-etcd', three, 'etcd', 'resets'),
  profile(
    'random-all',
    three,
    'kills',
    'power',
    'stops',
    'pauses',
    'cuts',
    'resets',
    'lags',
    'disks',
    'clocks',
    'etcd',
  ),
  profile('random-policies', three, 'policies', 'policies', 'tides'),
  profile('random-policies-links', three, 'policies', 'policies', 'resets', 'lags'),
  profile('random-policies-kills', three, 'policies', 'policies', 'kills', 'power', 'stops'),
  mirrored('random-quiet', 'tides'),
  mirrored('random-moves', 'transfers', 'drains'),
  mirrored('random-links', 'resets', 'lags', 'transfers'),
  mirrored('random-cuts', 'cuts', 'resets'),
  mirrored('random-pauses', 'pauses', 'clocks'),
  mirrored('random-stops', 'stops', 'transfers'),
  mirrored('random-kills', 'kills', 'power'),
  mirrored('random-disks', 'disks', 'power', 'wipes', 'blackouts', 'pairs'),
  mirrored('random-etcd', 'etcd', 'kills'),
  mirrored('random-all', ...everything),
];

export const randomScenarios: readonly Scenario[] = profiles.map((each) => {
  return { name: each.name, isMirrored: each.isMirrored, text: (seed: number) => randomStory(each, seed) };
});

export const allScenarios: readonly Scenario[] = [...writtenScenarios, ...randomScenarios];

export function storyOf(scenario: Scenario, seed: number): Story {
  return parseStory(scenario.text(seed));
}
