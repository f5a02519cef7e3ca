import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerNode } from '../broker-node.js';
import type { Named } from './history.js';

/** Writes the logs of nodes, the ledgers of clients and the report where somebody can read them afterwards, and says where that is. */
export function keepAll(
  directory: string | null,
  seed: number,
  nodes: readonly BrokerNode[],
  ledgers: readonly Named[],
  report: string,
): string {
  const where =
    directory === null ? mkdtempSync(join(tmpdir(), `chapar-jepsen-${seed}-`)) : join(directory, `seed-${seed}`);
  mkdirSync(where, { recursive: true });
  const write = (name: string, lines: readonly unknown[]) => {
    writeFileSync(join(where, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  };
  for (const { name, lines } of nodes) write(`${name}.log`, lines);
  for (const { name, entries } of ledgers) write(`${name}.jsonl`, entries);
  writeFileSync(join(where, 'report.txt'), `${report}\n`);
  return where;
}
