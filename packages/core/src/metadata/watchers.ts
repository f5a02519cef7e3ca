import type { Log } from '@chapar/platform';
import type { MetadataEvent, Revision } from '../ports.js';

/** Changes kept for watchers that begin behind the present. */
const historyMax = 10_000;

interface Change {
  readonly revision: Revision;
  readonly events: readonly MetadataEvent[];
}

interface Watcher {
  readonly prefix: string;
  /** Told up to and including this revision. */
  seen: Revision;
  readonly listener: (events: readonly MetadataEvent[]) => void;
}

/** Tells the listeners what changed, each in order and each change once. */
export class MetadataWatchers {
  private readonly watchers = new Set<Watcher>();
  private readonly history: Change[] = [];
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  /** Begins behind `from`; what changed since then is told before anything new. Throws RangeError when that is not remembered any more. */
  watch(
    prefix: string,
    from: Revision,
    present: Revision,
    listener: (events: readonly MetadataEvent[]) => void,
  ): () => void {
    const oldest = this.history[0]?.revision ?? present + 1;
    if (from + 1 < oldest) throw new RangeError(`changes behind revision ${from} are not remembered; load again`);
    const watcher: Watcher = { prefix, seen: from, listener };
    this.watchers.add(watcher);
    if (from < present) queueMicrotask(() => this.tell(watcher));
    return () => {
      this.watchers.delete(watcher);
    };
  }

  changed(revision: Revision, events: readonly MetadataEvent[]): void {
    this.history.push({ revision, events });
    if (this.history.length > 2 * historyMax) this.history.splice(0, historyMax);
    for (const watcher of [...this.watchers]) this.tell(watcher);
  }

  private tell(watcher: Watcher): void {
    for (let i = this.indexBehind(watcher.seen); i < this.history.length; i++) {
      const change = this.history[i]!;
      if (!this.watchers.has(watcher)) return;
      if (change.revision <= watcher.seen) continue;
      watcher.seen = change.revision;
      const events = change.events.filter((event) => event.key.startsWith(watcher.prefix));
      if (events.length === 0) continue;
      try {
        watcher.listener(events);
      } catch (error) {
        // One listener's mistake must not keep the change from the others.
        this.log.error({ error, revision: change.revision }, 'a metadata listener failed');
      }
    }
  }

  private indexBehind(seen: Revision): number {
    let index = this.history.length;
    while (index > 0 && this.history[index - 1]!.revision > seen) index--;
    return index;
  }
}
