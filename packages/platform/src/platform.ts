import type { Clock } from './clock.js';
import type { Disk } from './disk.js';
import type { Gauges } from './gauges.js';
import type { Log } from './log.js';
import type { Network } from './network.js';
import type { Random } from './random.js';

/** All that the broker takes from the world outside, in one place: real in production, simulated from one seed in tests. */
export interface Platform {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly network: Network;
  readonly random: Random;
  readonly gauges: Gauges;
  readonly log: Log;
}
