import type { Message, Position } from '@chapar/core';
import type { RetainedMessage, RetainedMessages } from './retained.js';

/** A level of topics. A topic that has a message and none below it costs this object and its message, nothing else. */
class Level {
  below: Map<string, Level> | null = null;
  message: Message | null = null;
  /** In the log; 0: not there. */
  position: Position = 0;
}

/** A message and where the log has it. */
export interface StandingMessage extends RetainedMessage {
  readonly position: Position;
}

/** The retained messages of one virtual host, by level, so that a subscription with wildcards looks only where they can be. */
export class RetainedTree implements RetainedMessages {
  private readonly root = new Level();
  private readonly nowMs: () => number;
  count = 0;
  bytes = 0;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** Returns the position of what stood there; 0: nothing did. */
  set(topic: string, message: Message, position: Position): Position {
    let level = this.root;
    for (const name of topic.split('/')) {
      level.below ??= new Map();
      let next = level.below.get(name);
      if (next === undefined) level.below.set(name, (next = new Level()));
      level = next;
    }
    if (level.message === null) this.count++;
    else this.bytes -= level.message.bodyBytes;
    this.bytes += message.bodyBytes;
    const before = level.position;
    level.position = position;
    level.message = message;
    return before;
  }

  /** 0: nothing is there. */
  positionOf(topic: string): Position {
    let level: Level | undefined = this.root;
    for (const name of topic.split('/')) {
      level = level.below?.get(name);
      if (level === undefined) return 0;
    }
    return level.position;
  }

  /** The position of what is gone now; 0: nothing was there. */
  delete(topic: string): Position {
    const names = topic.split('/');
    const path: Level[] = [this.root];
    for (const name of names) {
      const next = path.at(-1)!.below?.get(name);
      if (next === undefined) return 0;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (last.message === null) return 0;
    const { position } = last;
    this.count--;
    this.bytes -= last.message.bodyBytes;
    last.message = null;
    last.position = 0;
    for (let depth = names.length; depth > 0 && path[depth]!.message === null && path[depth]!.below === null; depth--) {
      const above = path[depth - 1]!;
      above.below!.delete(names[depth - 1]!);
      if (above.below!.size === 0) above.below = null;
    }
    return position;
  }

  /** Lazily, so that a million of them can be sent piece by piece. What has expired is passed over. */
  *matching(filter: string): Generator<RetainedMessage> {
    const names = filter.split('/');
    yield* this.walk(this.root, names, 0, '');
  }

  /** All of them, also what has expired. */
  everything(): Generator<StandingMessage> {
    return this.all(this.root, '', true);
  }

  /** Those whose time is over, in a walk over all of them that goes on where it stopped. */
  *expired(): Generator<StandingMessage | null> {
    for (const each of this.everything()) yield this.isOver(each.message) ? each : null;
  }

  private *walk(level: Level, names: readonly string[], at: number, path: string): Generator<RetainedMessage> {
    const name = names[at];
    if (name === undefined) {
      if (level.message !== null && !this.isOver(level.message)) yield { topic: path, message: level.message };
      return;
    }
    if (name === '#') {
      // `a/#` means `a`, too.
      yield* this.all(level, path, at > 0, false);
      return;
    }
    if (level.below === null) return;
    if (name !== '+') {
      const next = level.below.get(name);
      if (next !== undefined) yield* this.walk(next, names, at + 1, joined(path, name, at === 0));
      return;
    }
    for (const [own, next] of level.below) {
      if (at === 0 && own.startsWith('$')) continue;
      yield* this.walk(next, names, at + 1, joined(path, own, at === 0));
    }
  }

  private *all(
    level: Level,
    path: string,
    withPrivate: boolean,
    evenOver = true,
    depth = path === '' ? 0 : 1,
  ): Generator<StandingMessage> {
    if (level.message !== null && (evenOver || !this.isOver(level.message)))
      yield { topic: path, message: level.message, position: level.position };
    if (level.below === null) return;
    for (const [name, next] of level.below) {
      if (!withPrivate && depth === 0 && level === this.root && name.startsWith('$')) continue;
      yield* this.all(next, joined(path, name, level === this.root), withPrivate, evenOver, depth + 1);
    }
  }

  private isOver({ expirationMs, receivedAtMs }: Message): boolean {
    return expirationMs >= 0 && receivedAtMs + expirationMs <= this.nowMs();
  }
}

function joined(path: string, name: string, isFirst: boolean): string {
  return isFirst ? name : `${path}/${name}`;
}
