import type { Gauges } from '../gauges.js';

/** Memory as a test says it is. */
export class SimGauges implements Gauges {
  rss = 100_000_000;
  inUse = 50_000_000;
  heapUsed = 50_000_000;
  heapLimit = 2_000_000_000;
  memory = 4_000_000_000;
  /** How often garbage was collected. */
  collections = 0;

  rssBytes(): number {
    return this.rss;
  }

  inUseBytes(): number {
    return this.inUse;
  }

  heap(): { usedBytes: number; limitBytes: number } {
    return { usedBytes: this.heapUsed, limitBytes: this.heapLimit };
  }

  memoryBytes(): number {
    return this.memory;
  }

  collectGarbage(): void {
    this.collections++;
  }
}
