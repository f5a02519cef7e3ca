import type { Binding } from './binding.js';

/** The queues and exchanges that are bound to an exchange, each once however often it is bound, by their first binding. */
export class BoundDestinations {
  private readonly byName = new Map<string, Set<Binding>>();
  /** One binding for each destination, in the order of their names, so that it is the same after a restart. */
  private sorted: Binding[] | null = null;

  add(binding: Binding): void {
    const name = destinationName(binding);
    const known = this.byName.get(name);
    if (known === undefined) this.byName.set(name, new Set([binding]));
    else known.add(binding);
    this.sorted = null;
  }

  remove(binding: Binding): void {
    const name = destinationName(binding);
    const known = this.byName.get(name);
    if (!known?.delete(binding)) return;
    if (known.size === 0) this.byName.delete(name);
    this.sorted = null;
  }

  get length(): number {
    return this.byName.size;
  }

  /** A binding that leads to the destination at `index`, from 0 up to, not including, `length`. */
  at(index: number): Binding {
    this.sorted ??= [...this.byName.keys()].sort().map((name) => this.byName.get(name)!.values().next().value!);
    return this.sorted[index]!;
  }
}

/** Tells the destinations of one exchange apart. */
export function destinationName({ destination: { kind, name } }: Binding): string {
  return `${kind} ${name}`;
}
