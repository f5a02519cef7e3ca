import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerNode } from '../broker-node.js';
import type { Timeline } from './timeline.js';

/** Of /api/queues, as far as it is read here. */
interface QueueAnswer {
  readonly name: string;
  /** Where it lives, or who leads it. */
  readonly node?: string;
  readonly leader?: string;
}

const everyMs = 250;

/** Watches which node leads each queue by asking all of them, and notes when that changes: two have to say so, since one may be cut off. */
export class Leaders {
  changes = 0;
  private readonly nodes: readonly BrokerNode[];
  private readonly timeline: Timeline;
  private readonly known = new Map<string, string>();
  private isOver = false;
  private readonly watching: Promise<void>;

  constructor(nodes: readonly BrokerNode[], timeline: Timeline) {
    this.nodes = nodes;
    this.timeline = timeline;
    this.watching = this.watch();
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.watching;
  }

  private async watch(): Promise<void> {
    for (; !this.isOver; await sleep(everyMs)) {
      const answers = (await Promise.all(this.nodes.map(ask))).flat();
      const said = new Set<string>();
      for (const { name, node, leader = node } of answers) {
        if (leader === undefined) continue;
        if (said.has(`${name} ${leader}`)) this.learn(name, leader);
        said.add(`${name} ${leader}`);
      }
    }
  }

  private learn(name: string, leader: string): void {
    const before = this.known.get(name);
    this.known.set(name, leader);
    if (before === leader) return;
    if (before !== undefined) this.changes++;
    this.timeline.note(`${name} is led by ${leader}${before === undefined ? '' : `, after ${before}`}`);
  }
}

/** Nothing when it does not answer. */
async function ask(node: BrokerNode): Promise<readonly QueueAnswer[]> {
  const { origin, pathname, username, password } = new URL('/api/queues', node.managementUrl);
  const login = Buffer.from(`${username}:${password}`).toString('base64');
  try {
    const response = await fetch(`${origin}${pathname}`, {
      headers: { authorization: `Basic ${login}` },
      signal: AbortSignal.timeout(1000),
    });
    const answer: unknown = await response.json();
    return Array.isArray(answer) ? (answer as QueueAnswer[]) : [];
  } catch {
    return [];
  }
}
