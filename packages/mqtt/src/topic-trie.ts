class Level<T> {
  exact: Map<string, Level<T>> | null = null;
  /** Behind `+`. */
  one: Level<T> | null = null;
  /** What stands at `#` from here on. */
  many: T | null = null;
  value: T | null = null;

  get isEmpty(): boolean {
    return this.exact === null && this.one === null && this.many === null && this.value === null;
  }
}

/** Values by topic filter, found by topic in the number of its levels, however many filters there are (§4.7). One value a filter. */
export class FilterTrie<T> {
  private readonly root = new Level<T>();

  set(filter: string, value: T): void {
    let level = this.root;
    for (const name of filter.split('/')) {
      if (name === '#') {
        level.many = value;
        return;
      }
      level = name === '+' ? (level.one ??= new Level()) : child(level, name);
    }
    level.value = value;
  }

  delete(filter: string): void {
    this.remove(this.root, filter.split('/'), 0);
  }

  /** Calls `found` for each filter that matches. */
  match(topic: string, found: (value: T) => void): void {
    this.walk(this.root, topic.split('/'), 0, topic.startsWith('$'), found);
  }

  private walk(
    level: Level<T>,
    names: readonly string[],
    at: number,
    isPrivate: boolean,
    found: (value: T) => void,
  ): void {
    if (level.many !== null && !(at === 0 && isPrivate)) found(level.many);
    if (at === names.length) {
      if (level.value !== null) found(level.value);
      return;
    }
    const exact = level.exact?.get(names[at]!);
    if (exact !== undefined) this.walk(exact, names, at + 1, isPrivate, found);
    if (level.one !== null && !(at === 0 && isPrivate)) this.walk(level.one, names, at + 1, isPrivate, found);
  }

  /** True when the level below may go. */
  private remove(level: Level<T>, names: readonly string[], at: number): boolean {
    const name = names[at];
    if (name === undefined) level.value = null;
    else if (name === '#') level.many = null;
    else if (name === '+') {
      if (level.one !== null && this.remove(level.one, names, at + 1)) level.one = null;
    } else {
      const next = level.exact?.get(name);
      if (next !== undefined && this.remove(next, names, at + 1)) level.exact!.delete(name);
      if (level.exact?.size === 0) level.exact = null;
    }
    return level.isEmpty;
  }
}

function child<T>(level: Level<T>, name: string): Level<T> {
  level.exact ??= new Map();
  let next = level.exact.get(name);
  if (next === undefined) level.exact.set(name, (next = new Level()));
  return next;
}
