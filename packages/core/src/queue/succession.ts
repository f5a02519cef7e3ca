import type { Later } from '../later.js';
import type { Position, QueueLog } from '../ports.js';
import type { Consumer, QueueConsumer } from './consumer.js';
import type { Delivery } from './delivery.js';
import type { Got } from './got.js';
import type { Outbox } from './outbox.js';
import type { Paging } from './paging.js';
import type { Persist } from './persist.js';
import type { ReadyMessages } from './ready-messages.js';
import type { Roster } from './roster.js';
import type { SharedQueue } from './shared-queue.js';

/** What stands in the place of a queue of this node when that is mirrored: publishes and consumers go on there. */
export interface Heir extends SharedQueue {
  /** Goes on for this consumer, with its credit; null: whoever it stands for comes by himself. */
  inherit(consumer: QueueConsumer): HeirConsumer | null;
}

/** Goes on for a consumer. Its door knows the consumer that it was, and hands back that one's deliveries. */
export interface HeirConsumer extends Consumer {
  /** The consumer held this one. */
  holds(position: Position, redelivered: boolean): Delivery;
}

/** The queue that is to be mirrored. */
export interface SuccessionOwner {
  readonly deleted: boolean;
  readonly roster: Roster;
  readonly outbox: Outbox | null;
  dissolve(): void;
  /** The last position given. */
  readonly end: Position;
}

export interface SuccessionParts {
  readonly log: QueueLog | null;
  readonly persist: Persist;
  readonly ready: ReadyMessages;
  readonly paging: Paging;
}

/** From a queue that lives on this node to one that is mirrored: the log has all of it first, then another stands in its place. */
export class Succession {
  /** Stands in the queue's place; null: nobody does. */
  heir: Heir | null = null;
  private readonly owner: SuccessionOwner;
  private readonly parts: SuccessionParts;

  constructor(owner: SuccessionOwner, parts: SuccessionParts) {
    this.owner = owner;
    this.parts = parts;
  }

  /**
   * Everything that the queue has is logged from now on, as it has to be where other nodes have copies: what transient messages there are
   * when `done` is called, perhaps within this call. False: not now, dead letters are on their way.
   */
  prepare(done: () => void): boolean {
    const { log, paging } = this.parts;
    const { outbox, deleted, end } = this.owner;
    // Those that are transient are nowhere but there.
    if (log === null || deleted || (!log.logsAll && (outbox?.count ?? 0) > 0)) return false;
    if (!log.logsAll) {
      log.logsAll = true;
      this.logMemory(log);
    }
    paging.logAll(end, done);
    return true;
  }

  private logMemory(log: QueueLog): void {
    const { ready, persist } = this.parts;
    const { consumers, outside } = this.owner.roster;
    const visit = (position: Position, message: Parameters<QueueLog['publishAt']>[1]): void => {
      if (!message.persistent) log.publishAt(position, message);
    };
    ready.visit(visit);
    for (const consumer of [...consumers, ...outside]) consumer.visitHeld(visit);
    persist.touch();
  }

  /** The queue is mirrored from now on: `heir` stands in its place, and has its consumers. Confirms that wait are given by its log. */
  begin(heir: Heir): void {
    this.heir = heir;
    this.owner.dissolve();
  }

  /** Somebody has asked the queue that it was. */
  get(holder: QueueConsumer | null, isGone: () => boolean): Later<Got | null> {
    if (holder === null) return this.heir!.get(null, isGone);
    const by = holder.heir ?? this.heir!.inherit(holder);
    if (by === null) return null;
    if (holder.heir === null) holder.passOn(by);
    return this.heir!.get(by, isGone);
  }

  /** The queue ends: the heir takes over from `consumers`, and from others that hold messages. Returns those that have nobody. */
  passOn(consumers: readonly QueueConsumer[]): readonly QueueConsumer[] {
    const left = this.heir === null ? consumers : this.notTaken(consumers, this.heir);
    for (const consumer of consumers) consumer.end();
    for (const consumer of left) consumer.abandon();
    return left;
  }

  private notTaken(consumers: readonly QueueConsumer[], heir: Heir): QueueConsumer[] {
    return [...consumers, ...this.owner.roster.outside].filter((consumer) => {
      const by = heir.inherit(consumer);
      if (by !== null) consumer.passOn(by);
      return by === null;
    });
  }
}
