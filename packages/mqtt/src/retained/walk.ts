import type { Level } from './level.js';

/**
 * Looks for levels with a value below a filter, from one to the next: a step is a level that is looked at, and after so many steps without
 * a find it stops all the same, so that a filter which matches nothing among a million holds nobody up. The levels may change meanwhile.
 */
export class Walk {
  private readonly names: readonly string[];
  private readonly isWanted: (level: Level) => boolean;
  private readonly withPrivate: boolean;
  /** From the root to the one that was looked at last, and what is left beside each. */
  private readonly path: Level[] = [];
  private readonly left: (Iterator<Level> | Level | null)[] = [];
  isDone = false;

  /** `withPrivate`: wildcards at the first level take names with `$`, too. */
  constructor(root: Level, names: readonly string[], withPrivate: boolean, isWanted: (level: Level) => boolean) {
    this.names = names;
    this.isWanted = isWanted;
    this.withPrivate = withPrivate;
    this.path.push(root);
    this.left.push(this.below(root, 0));
  }

  /** The next find; null after `stepsMax` levels without one, and when it is over (`isDone`). */
  next(stepsMax: number): Level | null {
    for (let steps = 0; steps < stepsMax; steps++) {
      const depth = this.left.length;
      if (depth === 0) {
        this.isDone = true;
        return null;
      }
      const level = this.take(depth - 1);
      if (level === null) {
        this.left.pop();
        continue;
      }
      if (depth === 1 && this.isHidden(level)) continue;
      this.path.length = depth;
      this.path.push(level);
      this.left.push(this.below(level, depth));
      if (this.matches(depth) && level.value !== null && this.isWanted(level)) return level;
    }
    return null;
  }

  /** Of the find. */
  topic(): string {
    const { path } = this;
    let topic = path[1]!.name;
    for (let i = 2; i < path.length; i++) topic += `/${path[i]!.name}`;
    return topic;
  }

  private take(at: number): Level | null {
    const from = this.left[at]!;
    if (from === null) return null;
    if ('next' in from) {
      const { value, done } = from.next();
      return done ? null : value;
    }
    this.left[at] = null;
    return from;
  }

  /** What the filter has for the level at this depth: behind `#` comes `#`. */
  private nameBelow(depth: number): string | undefined {
    const { names } = this;
    return names[names.length - 1] === '#' ? names[Math.min(depth, names.length - 1)] : names[depth];
  }

  private below(level: Level, depth: number): Iterator<Level> | Level | null {
    const name = this.nameBelow(depth);
    if (name === undefined) return null;
    return name === '+' || name === '#' ? level.children() : (level.get(name) ?? null);
  }

  /** `a/#` means `a`, too. */
  private matches(depth: number): boolean {
    const { names } = this;
    return depth >= names.length || (depth === names.length - 1 && names[depth] === '#');
  }

  private isHidden({ name }: Level): boolean {
    const first = this.names[0]!;
    return !this.withPrivate && (first === '+' || first === '#') && name.startsWith('$');
  }
}
