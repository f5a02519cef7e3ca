import type { SimRandom } from '../../../packages/platform/src/sim/random.js';
import type { Stage } from './stage.js';
import type { Timeline } from './timeline.js';

/** Something that goes wrong, and its end. */
export interface Upset {
  readonly what: string;
  /** Things of which there is one; nothing else is done to them meanwhile. */
  readonly occupies: readonly string[];
  readonly lastsMs: number;
  begin(): Promise<void> | void;
  /** Everything is as before, or on its way there. */
  end(): Promise<void> | void;
}

/** What an upset is made of. Draws come from the seed alone, never from what the cluster does: the same seed does the same. */
export interface Draft {
  readonly stage: Stage;
  readonly random: SimRandom;
  readonly timeline: Timeline;
}

export type Kind = (draft: Draft) => Upset;

export function pick<T>(random: SimRandom, list: readonly T[]): T {
  return list[random.integer(list.length)]!;
}

/** In an order of chance; the list stays as it is. */
export function shuffled<T>(random: SimRandom, list: readonly T[]): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** Less than the lease: nobody takes over. */
export function briefly({ stage, random }: Draft): number {
  return 200 + random.integer(Math.round(stage.leaseMs * 0.5));
}

/** Longer than the lease, and than it takes to find that out: others take over. */
export function beyondLease({ stage, random }: Draft): number {
  return stage.leaseMs + 1000 + random.integer(1500);
}

export function eitherWay(draft: Draft): number {
  return draft.random.chance(0.5) ? briefly(draft) : beyondLease(draft);
}
