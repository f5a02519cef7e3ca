import type { Clock } from '@chapar/platform';

/** Something that this node cannot take more messages for. */
export interface Alarm {
  /** What raised it: `store`, later `memory` and `disk`. */
  readonly source: string;
  /** In words, for blocked clients and administrators. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

/**
 * What blocks publishers, and only them: acknowledgements, heartbeats and everything that drains the broker go on. Doors listen and tell
 * their peers.
 */
export class Alarms {
  /** Looked at before every publish. */
  isRaised = false;
  private readonly clock: Clock;
  private readonly bySource = new Map<string, Alarm>();
  private readonly listeners: (() => void)[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Called whenever the first alarm is raised or the last one is cleared. */
  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  raise(source: string, reason: string): void {
    if (this.bySource.has(source)) return;
    this.bySource.set(source, { source, reason, sinceMs: this.clock.wallMs() });
    this.changed();
  }

  clear(source: string): void {
    if (this.bySource.delete(source)) this.changed();
  }

  list(): readonly Alarm[] {
    return [...this.bySource.values()];
  }

  /** All reasons in one text. */
  get reason(): string {
    return this.list()
      .map(({ reason }) => reason)
      .join('; ');
  }

  private changed(): void {
    const isRaised = this.bySource.size > 0;
    if (isRaised === this.isRaised) return;
    this.isRaised = isRaised;
    for (const listener of this.listeners) listener();
  }
}
