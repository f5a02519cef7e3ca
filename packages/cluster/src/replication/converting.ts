import type { Incarnation, MirroringWish, Queue } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';

const everyMs = 500;
/** Between one queue and the next. Milliseconds. */
const restMs = 20;
/** Somebody leads a queue that was mirrored after so long, or the next one is not held up by it. Milliseconds. */
const ledMsMax = 2000;
const lookEveryMs = 5;
/** So long no queue is mirrored because a node is out of reach or behind; then they are all the same. Milliseconds. */
const everyoneMsMax = 30_000;

/** The node, as far as it mirrors queues that live on it alone. */
export interface ConvertingNode {
  /** Queues that live on this node alone and by their policies shall have copies. */
  unmirrored(): Iterable<readonly [queue: Queue, wish: MirroringWish]>;
  /** It has a session, and is not being drained. */
  readonly mayConvert: boolean;
  /** All that are registered are linked, and know what was written so far; tells within a second or so. */
  isEveryoneThere(): Promise<boolean>;
  /** Writes that the queue has copies, if it is as this node knows it. Rejects when it may not have been written. */
  convert(queue: Queue, wish: MirroringWish): Promise<void>;
  /** This node leads it, and it is open. */
  isLed(incarnation: Incarnation): boolean;
}

/**
 * Sees to it that queues of this node that came under a policy with copies after they were declared get them: one after the other, each in one
 * write, with which its log here becomes the first copy.
 */
export class Converting {
  private readonly node: ConvertingNode;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly timer: Timer;
  private isAtWork = false;
  private isClosed = false;
  /** Since when somebody was not there. By the monotonic clock, milliseconds; null: all are. */
  private missingSinceMs: number | null = null;

  constructor(node: ConvertingNode, world: { readonly clock: Clock; readonly log: Log }) {
    this.node = node;
    this.clock = world.clock;
    this.log = world.log;
    this.timer = world.clock.every(everyMs, () => void this.look());
  }

  close(): void {
    this.isClosed = true;
    this.timer.cancel();
  }

  private async look(): Promise<void> {
    if (this.isAtWork) return;
    this.isAtWork = true;
    try {
      for (const [queue, wish] of [...this.node.unmirrored()]) {
        if (this.isClosed || !this.node.mayConvert || !(await this.mayInterrupt())) return;
        await this.convert(queue, wish);
        await this.after(restMs);
      }
    } finally {
      this.isAtWork = false;
    }
  }

  /** The queue stands still until all have said what they have of it: nobody has to wait for one of which it is known that he cannot. */
  private async mayInterrupt(): Promise<boolean> {
    if (await this.node.isEveryoneThere()) {
      this.missingSinceMs = null;
      return true;
    }
    const nowMs = this.clock.monotonicMs();
    this.missingSinceMs ??= nowMs;
    return nowMs - this.missingSinceMs >= everyoneMsMax;
  }

  private async convert(queue: Queue, wish: MirroringWish): Promise<void> {
    const { name, incarnation, properties } = queue;
    const about = { vhost: properties.vhost, queue: name };
    if (!(await this.prepared(queue)) || queue.deleted || this.isClosed) return;
    try {
      await this.node.convert(queue, wish);
    } catch (error) {
      // Perhaps it was written all the same; then it is mirrored as soon as this node hears of that.
      this.log.debug({ ...about, error }, 'a queue could not be mirrored; tried again');
      return;
    }
    const untilMs = this.clock.monotonicMs() + ledMsMax;
    while (!this.node.isLed(incarnation) && this.clock.monotonicMs() < untilMs) await this.after(lookEveryMs);
    this.log.info(about, 'a queue that lived on this node alone is mirrored from now on, by its policy');
  }

  /** Its log has all of it. */
  private prepared({ succession }: Queue): Promise<boolean> {
    return new Promise((resolve) => {
      if (!succession.prepare(() => resolve(true))) resolve(false);
    });
  }

  private after(ms: number): Promise<void> {
    return new Promise((done) => void this.clock.after(ms, () => done()));
  }
}
