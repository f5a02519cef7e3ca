import { sourceOfLetters } from '@chapar/core';
import type { Origin } from './origins.js';
import type { Reign } from './reign.js';

/** Whoever publishes holds what has no verdict for a lease and a little more; after so long a process that is gone says nothing any more. Milliseconds. */
const goneMs = 120_000;
/** Processes are named by UUIDs, queues that dead letters leave by their incarnations; whatever else publishes under a name of its own is none of our business. */
const process = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whose publishes nobody needs to recognise any more: their processes have ended, or the queues that dead letters left are gone. */
export class OriginEnds {
  private goneSinceMs = new Map<Origin, number>();

  /** Called now and then, with what is led here. `isThere`: a process is registered, or a queue mirrored. */
  look(reigns: Iterable<Reign>, isThere: (origin: Origin) => boolean, nowMs: number): void {
    const before = this.goneSinceMs;
    this.goneSinceMs = new Map();
    for (const reign of reigns) {
      // A change names only what is committed, and so is what such an origin has in the log.
      const mayEnd = reign.isOpen && !reign.isFenced && reign.leader.committed >= reign.leader.end;
      for (const { origin } of reign.leader.origins.table()) {
        if (isThere(origin) || !(process.test(origin) || sourceOfLetters(origin) !== null)) continue;
        const sinceMs = before.get(origin) ?? nowMs;
        this.goneSinceMs.set(origin, sinceMs);
        if (mayEnd && nowMs - sinceMs >= goneMs) reign.log.endOrigin(origin);
      }
    }
  }
}
