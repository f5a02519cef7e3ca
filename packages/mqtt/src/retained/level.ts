import type { Position } from '@chapar/core';
import type { RetainedValue } from './value.js';

/** Names of levels that come again and again below others, kept once; so many, then anew. */
const namesMax = 1024;
const names = new Map<string, string>();

/** A level of topics. A topic that has a message and none below it costs this object and its value; a level with one below it no table either. */
export class Level {
  readonly name: string;
  private below: Map<string, Level> | Level | null = null;
  value: RetainedValue | null = null;
  /** In the log; 0: not there. */
  position: Position = 0;

  constructor(name: string) {
    this.name = name;
  }

  get isEmpty(): boolean {
    return this.value === null && this.below === null;
  }

  get(name: string): Level | undefined {
    const { below } = this;
    if (below === null) return undefined;
    if (below instanceof Level) return below.name === name ? below : undefined;
    return below.get(name);
  }

  /** There now, if it was not. */
  child(name: string): Level {
    const known = this.get(name);
    if (known !== undefined) return known;
    const fresh = new Level(nameOnce(name));
    const { below } = this;
    if (below === null) this.below = fresh;
    else if (below instanceof Level) {
      this.below = new Map([
        [below.name, below],
        [fresh.name, fresh],
      ]);
    } else below.set(fresh.name, fresh);
    return fresh;
  }

  remove(name: string): void {
    const { below } = this;
    if (below instanceof Level) {
      if (below.name === name) this.below = null;
    } else if (below?.delete(name) && below.size === 0) this.below = null;
  }

  /** Those below, one after the other; null: none. */
  children(): Iterator<Level> | Level | null {
    const { below } = this;
    return below instanceof Map ? below.values() : below;
  }
}

/** What `split` cuts out is a text of its own each time, however often the same stands there. */
function nameOnce(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size >= namesMax) names.clear();
  // Not a view of the whole topic.
  const own = Buffer.from(name).toString();
  names.set(own, own);
  return own;
}
