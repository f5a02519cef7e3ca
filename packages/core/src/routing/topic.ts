import type { Arguments } from '../arguments.js';
import type { Binding } from './binding.js';
import type { Router } from './router.js';

interface Level {
  readonly next: Map<string, Level>;
  readonly bindings: Set<Binding>;
}

const newLevel = (): Level => ({ next: new Map(), bindings: new Set() });

/**
 * Keys are words between dots; `*` in a binding key stands for one word, `#` for any number, none included (AMQP 0-9-1 §3.1.3.3).
 * A trie by words. `visited` keeps hostile keys such as `#.#.#.#` from taking exponential time: no level is entered twice at one word.
 */
export class TopicRouter implements Router {
  private readonly root = newLevel();

  add(binding: Binding): void {
    let level = this.root;
    for (const word of binding.routingKey.split('.')) {
      let next = level.next.get(word);
      if (next === undefined) level.next.set(word, (next = newLevel()));
      level = next;
    }
    level.bindings.add(binding);
  }

  remove(binding: Binding): void {
    const words = binding.routingKey.split('.');
    const path: Level[] = [this.root];
    for (const word of words) {
      const next = path.at(-1)!.next.get(word);
      if (next === undefined) return;
      path.push(next);
    }
    path.at(-1)!.bindings.delete(binding);
    for (let depth = words.length; depth > 0; depth--) {
      const level = path[depth]!;
      if (level.bindings.size > 0 || level.next.size > 0) return;
      path[depth - 1]!.next.delete(words[depth - 1]!);
    }
  }

  route(routingKey: string, _headers: Arguments, match: (binding: Binding) => void): void {
    const words = routingKey.split('.');
    const visited = new Map<Level, Set<number>>();
    const enter = (level: Level, at: number): void => {
      const seen = visited.get(level);
      if (seen === undefined) visited.set(level, new Set([at]));
      else if (seen.has(at)) return;
      else seen.add(at);
      if (at === words.length) level.bindings.forEach(match);
      const many = level.next.get('#');
      if (many !== undefined) for (let from = at; from <= words.length; from++) enter(many, from);
      if (at === words.length) return;
      const exact = level.next.get(words[at]!);
      // A message's own word may be `*` or `#`; as binding words they are handled on their own.
      if (exact !== undefined && words[at] !== '#') enter(exact, at + 1);
      const one = level.next.get('*');
      if (one !== undefined && one !== exact) enter(one, at + 1);
    };
    enter(this.root, 0);
  }
}
