import type { Origin } from './origins.js';
import type { Reign } from './reign.js';

/** Whoever publishes holds what has no verdict for a lease and a little more; after so long a process that is gone says nothing any more. Milliseconds. */
const goneMs = 120_000;
/** Processes are named by UUIDs; whatever else publishes under a name of its own is none of our business. */
const process = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whose publishes nobody needs to recognise any more: their processes have ended. */
export class OriginEnds {
  private goneSinceMs = new Map<Origin, number>();

  /** Called now and then, with what is led here and the processes that are registered. */
  look(reigns: Iterable<Reign>, registered: ReadonlySet<Origin>, nowMs: number): void {
    const before = this.goneSinceMs;
    this.goneSinceMs = new Map();
    for (const reign of reigns) {
      // A change names only what is committed, and so is what such an origin has in the log.
      const mayEnd = reign.isOpen && !reign.isFenced && reign.leader.committed >= reign.leader.end;
      for (const { origin } of reign.leader.origins.table()) {
        if (registered.has(origin) || !process.test(origin)) continue;
        const sinceMs = before.get(origin) ?? nowMs;
        this.goneSinceMs.set(origin, sinceMs);
        if (mayEnd && nowMs - sinceMs >= goneMs) reign.log.endOrigin(origin);
      }
    }
  }
}
