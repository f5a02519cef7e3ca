import type { Broker } from './broker.mjs';
import type { Program } from './program.mjs';

export interface Stage {
  broker: Broker;
  /** Starts the example of that name (without folder and ending). */
  start(name: string, ...args: string[]): Program;
  /** Tells the reader something between two programs. */
  note(text: string): void;
}

export interface Story {
  name: string;
  tells: string;
  /** It makes users through the management API. */
  needsUsers?: boolean;
  /** It restarts and kills the broker. */
  needsRestart?: boolean;
  play(stage: Stage): Promise<void>;
}

export const stories: readonly Story[];
