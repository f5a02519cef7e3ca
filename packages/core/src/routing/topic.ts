import type { Binding } from './binding.js';
import type { ExchangeType, Router, Subject } from './router.js';

/** A place in the trie: the binding keys that begin with the words that lead here. */
class Level {
  /** By the next word, unless that is a wildcard. */
  exact: Map<string, Level> | null = null;
  /** Behind `*`. */
  one: Level | null = null;
  /** Behind `#`. */
  many: Level | null = null;
  bindings: Set<Binding> | null = null;
  /** Reached by `#`, which may take further words. */
  readonly isMany: boolean;
  /** The step of the walk that entered it last. */
  step = 0;

  constructor(isMany: boolean) {
    this.isMany = isMany;
  }

  get isEmpty(): boolean {
    return this.bindings === null && this.exact === null && this.one === null && this.many === null;
  }

  get(word: string): Level | null {
    if (word === '*') return this.one;
    if (word === '#') return this.many;
    return this.exact?.get(word) ?? null;
  }

  add(word: string): Level {
    const level = new Level(word === '#');
    if (word === '*') this.one = level;
    else if (word === '#') this.many = level;
    else if (this.exact === null) this.exact = new Map([[word, level]]);
    else this.exact.set(word, level);
    return level;
  }

  remove(word: string): void {
    if (word === '*') this.one = null;
    else if (word === '#') this.many = null;
    else if (this.exact?.delete(word) && this.exact.size === 0) this.exact = null;
  }
}

/**
 * Keys are words between dots; `*` in a binding key stands for one word, `#` for any number, none included (AMQP 0-9-1 §3.1.3.3).
 * A trie by words, walked word by word with the set of levels that the words so far lead to. No level is in the set twice, so hostile
 * keys (`#.#.#.#`) cost at most the words of the message times the levels of the trie.
 */
export class TopicRouter implements Router {
  readonly decidesBy = 'routing-key';
  private readonly root = new Level(false);
  /** Of all walks together: each word is a step. */
  private step = 0;
  private entered: Level[] = [];
  private entering: Level[] = [];

  add(binding: Binding): void {
    let level = this.root;
    for (const word of binding.routingKey.split('.')) level = level.get(word) ?? level.add(word);
    if (level.bindings === null) level.bindings = new Set([binding]);
    else level.bindings.add(binding);
  }

  remove(binding: Binding): void {
    const words = binding.routingKey.split('.');
    const path: Level[] = [this.root];
    for (const word of words) {
      const next = path.at(-1)!.get(word);
      if (next === null) return;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (last.bindings?.delete(binding) && last.bindings.size === 0) last.bindings = null;
    for (let depth = words.length; depth > 0 && path[depth]!.isEmpty; depth--)
      path[depth - 1]!.remove(words[depth - 1]!);
  }

  route(routingKey: string, _subject: Subject, match: (binding: Binding) => void): void {
    this.step++;
    this.enter(this.root);
    for (const word of routingKey.split('.')) this.take(word);
    const reached = this.entering;
    for (let i = 0; i < reached.length; i++) reached[i]!.bindings?.forEach(match);
    reached.length = 0;
  }

  /** From the levels entered so far to those that one more word leads to. */
  private take(word: string): void {
    const from = this.entering;
    this.entering = this.entered;
    this.entered = from;
    this.step++;
    for (let i = 0; i < from.length; i++) {
      const level = from[i]!;
      if (level.isMany) this.enter(level);
      const exact = level.exact?.get(word);
      if (exact !== undefined) this.enter(exact);
      if (level.one !== null) this.enter(level.one);
    }
    from.length = 0;
  }

  /** `#` stands for no word, too: with a level goes the one behind its `#`. */
  private enter(level: Level): void {
    for (let next: Level | null = level; next !== null && next.step !== this.step; next = next.many) {
      next.step = this.step;
      this.entering.push(next);
    }
  }
}

export const topicType: ExchangeType = {
  name: 'topic',
  description: 'words with * and #',
  create: () => new TopicRouter(),
};
