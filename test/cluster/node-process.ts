import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from './real-etcd.js';

const binary = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));

/** Runs a verb of the command line to its end. */
export function chapar(...args: string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, out: stdout, err: stderr };
}

interface Ports {
  readonly amqp: number;
  readonly management: number;
  readonly peer: number;
}

/** A real broker process that belongs to a cluster, on loopback ports that stay the same over restarts. */
export class NodeProcess {
  readonly name: string;
  readonly ports: Ports;
  readonly dataDir: string;
  readonly lines: string[] = [];
  /** Beside those that every node has. */
  options: string[];
  environment: Record<string, string> = {};
  private child: ChildProcess | null = null;

  private constructor(name: string, ports: Ports, options: string[]) {
    this.name = name;
    this.ports = ports;
    this.options = options;
    this.dataDir = mkdtempSync(path.join(tmpdir(), `chapar-${name}-`));
  }

  static async make(name: string, endpoint: string, ...options: string[]): Promise<NodeProcess> {
    const ports = { amqp: await freePort(), management: await freePort(), peer: await freePort() };
    return new NodeProcess(name, ports, ['--etcd', endpoint, ...options]);
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.ports.amqp}`;
  }

  get api(): string {
    return `http://127.0.0.1:${this.ports.management}`;
  }

  get pid(): number {
    return this.child!.pid!;
  }

  spawn(): void {
    const listen = Object.entries(this.ports).flatMap(([what, port]) => ['--listen', `${what}=127.0.0.1:${port}`]);
    const args = ['start', '--node-name', `${this.name}@test`, '--data-dir', this.dataDir, ...listen, ...this.options];
    this.lines.length = 0;
    const child = spawn(process.execPath, [binary, ...args], {
      // Leases as short as they may be.
      env: { CHAPAR_CLUSTER__LEASE_SECONDS: '3', ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
    }
  }

  async start(): Promise<void> {
    this.spawn();
    await this.said('"msg":"ready"');
  }

  /** Resolves when it has printed a line with this text. Rejects when it ends, or after half a minute. */
  async said(text: string): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!this.lines.some((line) => line.includes(text))) {
      if (this.child?.exitCode !== null) throw new Error(`${this.name} ended: ${this.lines.join('\n')}`);
      if (performance.now() > deadline) throw new Error(`${this.name} never said ${text}: ${this.lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves with how it ended. */
  async end(signal: NodeJS.Signals | null): Promise<number | NodeJS.Signals | null> {
    const { child } = this;
    if (child === null) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once('exit', (code, by) => resolve(code ?? by));
    });
    if (signal !== null) child.kill(signal);
    return ended;
  }

  async get(where: string): Promise<{ readonly status: number; readonly json: unknown }> {
    const response = await fetch(this.api + where, {
      headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
    });
    return { status: response.status, json: await response.json() };
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
