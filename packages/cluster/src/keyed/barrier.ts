import type { Later, Origin, Position } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import type { ClusterKeyedLog } from './cluster-keyed-log.js';
import type { Shards } from './shards.js';

/** Whoever waits goes on after so long in any case. Milliseconds. */
const waitMsMax = 1000;
/** While nobody leads a shard it is asked again so often. Milliseconds. */
const againMs = 50;

/** What a node has put into the shards of a log, by index, and where those stand that it leads. A type, so that it is JSON. */
export type Standing = {
  /** The process that it has put it in. */
  readonly origin: Origin;
  /** The number of the last one that has no verdict; 0: all have. Empty: it has not opened the log. */
  readonly put: readonly number[];
  /** What else is under way there, with numbers of others. */
  readonly letters: readonly (readonly [shard: number, origin: Origin, sequence: number])[];
  readonly committed: readonly (readonly [shard: number, upTo: Position])[];
};

/** What this node's folds must have come to. */
interface Goal {
  readonly shard: number;
  readonly origin: Origin | null;
  /** A position, or of an origin the number of a publish. */
  readonly upTo: number;
}

/**
 * Waits until this node has read everything that was put on any node before the call: all that was committed, and all that a node
 * which is there has under way. One is under way at a time; who asks meanwhile waits for the next one.
 */
export class Barrier {
  private readonly log: ClusterKeyedLog;
  private readonly shards: Shards;
  private running: Promise<void> | null = null;
  private next: Promise<void> | null = null;
  private goals: Goal[] = [];
  private reached: (() => void) | null = null;

  constructor(log: ClusterKeyedLog, shards: Shards) {
    this.log = log;
    this.shards = shards;
  }

  wait(): Later<void> {
    if (this.running !== null) {
      this.next ??= this.running.then(() => {
        this.next = null;
        return this.begin();
      });
      return this.next;
    }
    return this.begin();
  }

  private begin(): Promise<void> {
    this.running = this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private run(): Promise<void> {
    const { clock } = this.shards.parts;
    return new Promise<void>((resolve) => {
      let timer: Timer | null = clock.after(waitMsMax, () => done());
      const done = (): void => {
        timer?.cancel();
        timer = null;
        this.reached = null;
        this.goals = [];
        resolve();
      };
      void this.ask(() => timer === null).then((goals) => {
        if (timer === null) return;
        this.goals = goals;
        this.reached = done;
        this.look();
      });
    });
  }

  /** What all say; again while nobody says where one of the shards stands. */
  private async ask(isOver: () => boolean): Promise<Goal[]> {
    const { parts } = this.shards;
    for (;;) {
      const goals: Goal[] = [];
      const led = new Set<number>();
      const asked = [...parts.linked()].map((each) => each.ask('keyed', this.log.name).catch(() => null));
      const said = [this.shards.standing(this.log.name), ...((await Promise.all(asked)) as (Standing | null)[])];
      for (const standing of said) if (standing !== null) this.take(standing, goals, led);
      if (led.size === this.log.incarnations.length || isOver()) return goals;
      await new Promise<void>((done) => parts.clock.after(againMs, done));
    }
  }

  private take({ origin, put, letters, committed }: Standing, goals: Goal[], led: Set<number>): void {
    for (const [shard, upTo] of put.entries()) if (upTo > 0) goals.push({ shard, origin, upTo });
    for (const [shard, origin, upTo] of letters) goals.push({ shard, origin, upTo });
    for (const [shard, upTo] of committed) {
      led.add(shard);
      goals.push({ shard, origin: null, upTo });
    }
  }

  /** A fold has gone on. */
  look(): void {
    if (this.reached === null) return;
    this.goals = this.goals.filter((goal) => !this.isReached(goal));
    if (this.goals.length === 0) this.reached();
  }

  private isReached({ shard, origin, upTo }: Goal): boolean {
    const incarnation = this.log.incarnations[shard]!;
    const fold = this.shards.fold(incarnation);
    if (fold === undefined || !fold.isExact) return false;
    return origin === null ? fold.folded >= upTo : fold.has(origin, upTo);
  }
}
