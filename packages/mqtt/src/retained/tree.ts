import type { Position } from '@chapar/core';
import { passing } from '../topic-bridge.js';
import { Level } from './level.js';
import type { RetainedMessage, RetainedMessages } from './retained.js';
import { endsAtMs, messageOf, type RetainedValue } from './value.js';
import { Walk } from './walk.js';

/** Levels that are looked at in one go without a find. */
const stepsMax = 64;
const all: readonly string[] = ['#'];

/** A topic and where the log has its message. */
export interface StandingTopic {
  readonly topic: string;
  readonly position: Position;
}

/** The retained messages of one virtual host, by level, so that a subscription with wildcards looks only where they can be. */
export class RetainedTree implements RetainedMessages {
  private readonly root = new Level('');
  private readonly nowMs: () => number;
  count = 0;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** Returns the position of what stood there; 0: nothing did. */
  set(topic: string, value: RetainedValue, position: Position): Position {
    let level = this.root;
    for (const name of topic.split('/')) level = level.child(name);
    if (level.value === null) this.count++;
    const before = level.position;
    level.position = position;
    level.value = value;
    return before;
  }

  /** 0: nothing is there. */
  positionOf(topic: string): Position {
    let level: Level | undefined = this.root;
    for (const name of topic.split('/')) {
      level = level.get(name);
      if (level === undefined) return 0;
    }
    return level.position;
  }

  /** The position of what is gone now; 0: nothing was there. */
  delete(topic: string): Position {
    const names = topic.split('/');
    const path: Level[] = [this.root];
    for (const name of names) {
      const next = path.at(-1)!.get(name);
      if (next === undefined) return 0;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (last.value === null) return 0;
    const { position } = last;
    this.count--;
    last.value = null;
    last.position = 0;
    for (let depth = names.length; depth > 0 && path[depth]!.isEmpty; depth--)
      path[depth - 1]!.remove(names[depth - 1]!);
    return position;
  }

  /** What has expired is passed over. */
  *matching(filter: string): Generator<RetainedMessage | null> {
    const walk = new Walk(this.root, filter.split('/'), false, ({ value }) => !this.isOver(value!));
    for (;;) {
      const level = walk.next(stepsMax);
      if (level !== null) yield { topic: walk.topic(), message: messageOf(passing, level.value!) };
      else if (walk.isDone) return;
      else yield null;
    }
  }

  /** Those at such positions, also what has expired. */
  *standing(isWanted: (position: Position) => boolean): Generator<StandingTopic> {
    const walk = new Walk(this.root, all, true, ({ position }) => isWanted(position));
    while (!walk.isDone) {
      const level = walk.next(stepsMax);
      if (level !== null) yield { topic: walk.topic(), position: level.position };
    }
  }

  /** Those whose time is over, in a walk over all of them that goes on where it stopped; a level at a time. */
  *expired(): Generator<StandingTopic | null> {
    const walk = new Walk(this.root, all, true, ({ value }) => this.isOver(value!));
    while (!walk.isDone) {
      const level = walk.next(1);
      yield level === null ? null : { topic: walk.topic(), position: level.position };
    }
  }

  private isOver(value: RetainedValue): boolean {
    return endsAtMs(value) <= this.nowMs();
  }
}
