import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerNode } from '../broker-node.js';

const asked = ['cluster', 'queues', 'consumers', 'connections'];

interface Ledger {
  /** Of the client. */
  readonly name: string;
  readonly entries: readonly unknown[];
}

/** Writes the logs of nodes, the ledgers of clients and the report where somebody can read them afterwards. */
export class Keepsake {
  readonly directory: string;

  constructor(parent: string | null, seed: number) {
    this.directory =
      parent === null ? mkdtempSync(join(tmpdir(), `chapar-jepsen-${seed}-`)) : join(parent, `seed-${seed}`);
    mkdirSync(this.directory, { recursive: true });
  }

  /** What the nodes say of themselves at this moment. */
  async keepAnswers(nodes: readonly BrokerNode[]): Promise<void> {
    const answers = nodes.flatMap((node) => {
      return asked.map(async (what) => {
        const answer = await node.api('GET', what).catch((error: Error) => error.message);
        writeFileSync(join(this.directory, `${node.name}.${what}.json`), `${JSON.stringify(answer, null, 1)}\n`);
      });
    });
    await Promise.all(answers);
  }

  keepAll(nodes: readonly BrokerNode[], ledgers: readonly Ledger[], report: string): void {
    const write = (name: string, lines: readonly unknown[]) => {
      writeFileSync(join(this.directory, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    };
    for (const { name, lines } of nodes) write(`${name}.log`, lines);
    for (const { name, entries } of ledgers) write(`${name}.jsonl`, entries);
    writeFileSync(join(this.directory, 'report.txt'), `${report}\n`);
  }
}
