import type { Clock } from '@chapar/platform';

/** Something that keeps this node from taking more messages. */
export interface Alarm {
  /** What raised it: `memory`, `disk`, `disk-full`, `store`. */
  readonly source: string;
  /** In words, for blocked clients and administrators. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** False for a moment's hold that comes and goes with the load (the disk is behind): publishers wait, nobody is told. */
  readonly isTold: boolean;
}

/**
 * What blocks publishers, and only them: acknowledgements, heartbeats and everything that drains the broker go on. Doors listen and tell
 * their peers.
 */
export class Alarms {
  /** Looked at before every publish. */
  isRaised = false;
  /** Some of what is raised is to be told to clients. */
  isTold = false;
  private readonly clock: Clock;
  private readonly bySource = new Map<string, Alarm>();
  private readonly listeners: (() => void)[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Called whenever `isRaised` or `isTold` changes. */
  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  raise(source: string, reason: string, isTold = true): void {
    if (this.bySource.has(source)) return;
    this.bySource.set(source, { source, reason, sinceMs: this.clock.wallMs(), isTold });
    this.changed();
  }

  clear(source: string): void {
    if (this.bySource.delete(source)) this.changed();
  }

  has(source: string): boolean {
    return this.bySource.has(source);
  }

  list(): readonly Alarm[] {
    return [...this.bySource.values()];
  }

  /** What is told, in one text. */
  get reason(): string {
    return this.list()
      .filter(({ isTold }) => isTold)
      .map(({ reason }) => reason)
      .join('; ');
  }

  private changed(): void {
    const isRaised = this.bySource.size > 0;
    const isTold = this.list().some((alarm) => alarm.isTold);
    if (isRaised === this.isRaised && isTold === this.isTold) return;
    this.isRaised = isRaised;
    this.isTold = isTold;
    for (const listener of this.listeners) listener();
  }
}
