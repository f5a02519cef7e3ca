import type { SimRandom } from '@chapar/platform';

/** What chance chooses from. */
export class Draw {
  readonly random: SimRandom;
  readonly nodes: readonly string[];
  readonly queues: string[] = [];
  /** One disk may be lost, and with it all that is on two at most. */
  isDiskAtRisk = false;
  wipedCount = 0;

  constructor(random: SimRandom, nodes: readonly string[]) {
    this.random = random;
    this.nodes = nodes;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.random.integer(choices.length)]!;
  }

  node(): string {
    return this.of(this.nodes);
  }

  /** Two different ones; with one node the same twice. */
  pair(): [string, string] {
    const at = this.random.integer(this.nodes.length);
    const { length } = this.nodes;
    return [this.nodes[at]!, this.nodes[(at + 1 + this.random.integer(Math.max(1, length - 1))) % length]!];
  }

  /** All nodes, beginning with any. */
  hosts(): string {
    const at = this.random.integer(this.nodes.length);
    return [...this.nodes.slice(at), ...this.nodes.slice(0, at)].join(',');
  }

  readonly ms = (min: number, max: number): string => `${min + this.random.integer(max - min + 1)}ms`;

  chance(share: number, text: string): string {
    return this.random.chance(share) ? text : '';
  }
}
