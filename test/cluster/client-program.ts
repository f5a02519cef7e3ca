import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runWell, versionOf } from '../interop/command.js';
import { clients } from '../interop/python-environment.js';
import { diesWithUs } from './landscape/place.js';
import { type Entry, readLedger } from './ledger/entry.js';

/** What a program of `clients/` is told to do. */
export interface Work {
  readonly role: 'publisher' | 'consumer';
  readonly name: string;
  /** `host:port` of the nodes; it begins with number `first` and goes on with the next. */
  readonly hosts: readonly string[];
  readonly first: number;
  /** A publisher takes them in turn, a consumer consumes from all. */
  readonly queues: readonly string[];
  /** Messages a second; 0: as many as its window allows. */
  readonly rate?: number;
  /** Unconfirmed messages at most. */
  readonly window?: number;
  /** Of a body. */
  readonly bytes?: number;
  /** Every so many is mandatory and goes to nobody; 0: none. */
  readonly unroutableEvery?: number;
  readonly prefetch?: number;
  /**
   * A consumer settles for so many seconds, and then for as many it does not; 0: it always does. All of them by the same clock, so that
   * messages gather in the queues.
   */
  readonly restSeconds?: number;
  /** A publisher publishes again, by the same number and on its next connection, what its last one gave no verdict on. */
  readonly again?: boolean;
  /** A message's priority is its number modulo this; 0: it has none. */
  readonly priorities?: number;
}

const defaults = {
  ...{ user: 'guest', password: 'guest', heartbeat: 3 },
  ...{ rate: 300, window: 100, bytes: 200, unroutableEvery: 0, prefetch: 40, restSeconds: 0 },
  ...{ again: false, priorities: 0 },
};

export type Language = 'node' | 'python' | 'go';

const file = (path: string) => fileURLToPath(new URL(`clients/${path}`, import.meta.url));

/** How to start a client in each language, or why there is none. */
export async function clientCommands(): Promise<
  Record<Language, { command: readonly string[]; missing: null } | { command: null; missing: string }>
> {
  const { python, missing } = await clients();
  return {
    node: { command: [process.execPath, file('node.mjs')], missing: null },
    python: python === null ? { command: null, missing } : { command: [python, file('pika_client.py')], missing: null },
    go: await goCommand(),
  };
}

async function goCommand(): Promise<
  { command: readonly string[]; missing: null } | { command: null; missing: string }
> {
  if (versionOf('go', 'version') === null) return { command: null, missing: 'Go is not installed' };
  const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
  const program = join(cache, 'chapar-cluster-client');
  try {
    if (!existsSync(cache)) mkdirSync(cache, { recursive: true });
    // Builds nothing when nothing has changed.
    await runWell(['go', 'build', '-o', program, '.'], { cwd: file('go'), seconds: 300 });
  } catch (error) {
    const [reason] = (error as Error).message.trim().split('\n').slice(-1);
    return { command: null, missing: `the client in Go could not be built: ${reason}` };
  }
  return { command: [program], missing: null };
}

/** A running client and, when it has stopped, its ledger. */
export class ClientProgram {
  readonly work: Work;
  private readonly child: ChildProcess;
  private readonly directory = mkdtempSync(join(tmpdir(), 'chapar-client-'));
  private readonly ledger = join(this.directory, 'ledger.jsonl');
  private readonly output: string[] = [];
  private readonly ended: Promise<number | null>;
  private isReady = false;

  constructor(command: readonly string[], work: Work) {
    this.work = work;
    const whole = JSON.stringify({ ...defaults, ...work, ledger: this.ledger });
    const [program, ...args] = [...diesWithUs, ...command, whole];
    this.child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code) => resolve(code));
    });
    this.ended.catch(() => {});
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line === 'ready') this.isReady = true;
        else this.output.push(line);
      });
    }
  }

  /** Connected, for the first time. */
  async ready(seconds = 30): Promise<void> {
    for (const deadline = Date.now() + seconds * 1000; !this.isReady; await sleep(20)) {
      if (this.child.exitCode !== null) throw new Error(`${this.work.name} ended: ${this.said()}`);
      if (Date.now() > deadline)
        throw new Error(`${this.work.name} could not work within ${seconds} s: ${this.said()}`);
    }
  }

  /** Asks it to end, and reads its ledger. Throws when it does not end well and in time; it may be told to leave then. */
  async stop(seconds = 30): Promise<Entry[]> {
    this.child.stdin!.on('error', () => {});
    this.child.stdin!.write('stop\n');
    const code = await Promise.race([this.ended, sleep(seconds * 1000, 'late' as const, { ref: false })]);
    if (code === 'late') {
      throw new Error(`${this.work.name} did not end within ${seconds} s: ${this.said()}`);
    }
    if (code !== 0) throw new Error(`${this.work.name} ended with ${code}: ${this.said()}`);
    return readLedger(this.ledger);
  }

  /** It ends at once, whatever it waits for, and its ledger is read. Throws when it does not even do that. */
  leave(): Promise<Entry[]> {
    this.child.stdin!.write('leave\n');
    return this.stop(5);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** When it has ended. */
  dispose(): void {
    this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private said(): string {
    return this.output.slice(-30).join('\n') || 'it said nothing';
  }
}
