import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));

export interface BrokerProcessOptions {
  /** Stays when the process ends: whoever made it removes it. */
  readonly dataDir: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** A command that runs the one behind it, such as `unshare -m`; it must end by exec, so that signals reach the broker. */
  readonly wrapper?: readonly string[];
  /** Where it listens for AMQP: a free port of the loopback unless told otherwise. */
  readonly amqp?: string;
  /** More options for `chapar start`. */
  readonly options?: readonly string[];
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** One life of a real broker on a data directory that outlives it. */
export class BrokerProcess {
  /** What it logged, and what it printed beside its log as `msg`. */
  readonly lines: LogLine[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private address: string | null = null;
  private wake: () => void = () => {};

  constructor({ dataDir, environment = {}, wrapper = [], amqp = '127.0.0.1:0', options = [] }: BrokerProcessOptions) {
    const start = [main, 'start', '--data-dir', dataDir, '--listen', `amqp=${amqp}`, ...options];
    const [program, ...args] = [...wrapper, process.execPath, ...start];
    const env = { ...process.env, CHAPAR_LOG__FORMAT: 'json', ...environment };
    this.child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const killWithUs = () => this.child.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code, signal) => {
        process.off('exit', killWithUs);
        resolve({ code, signal });
        this.wake();
      });
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => this.read(line));
    }
  }

  /** Starts one and waits until it serves. */
  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options);
    await broker.ready();
    return broker;
  }

  get url(): string {
    if (this.address === null) throw new Error('this broker is not ready');
    return `amqp://guest:guest@${this.address}`;
  }

  /** Also while it does not run any more. */
  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async ready(): Promise<void> {
    await this.until('the broker is ready', () => this.address !== null);
  }

  /** Waits for a line that says this. */
  async saw(text: string): Promise<LogLine> {
    const find = () => this.lines.find(({ msg }) => msg.includes(text));
    await this.until(`the log says "${text}"`, () => find() !== undefined);
    return find()!;
  }

  /** Stands still, with its sockets open, until `resume`. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** SIGKILL, to this process and nobody else, and its end. */
  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** SIGTERM and its end; throws when that is not a good one. */
  async stop(): Promise<void> {
    const { code } = await this.terminate();
    if (code !== 0) throw new Error(`the broker ended with ${code}: ${this.said()}`);
  }

  /** SIGTERM and its end, whatever it is. */
  terminate(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill('SIGTERM');
    return this.ended;
  }

  /** The last lines, for people. */
  said(): string {
    return this.lines
      .slice(-20)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }

  private read(text: string): void {
    const line = parsed(text);
    this.lines.push(line);
    if (line.msg === 'ready') this.address = (line['listeners'] as { amqp: string }).amqp;
    this.wake();
  }

  private async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!isSo()) {
      if (!this.isRunning) throw new Error(`the broker ended while we waited until ${what}:\n${this.said()}`);
      if (Date.now() > deadline) throw new Error(`waited too long until ${what}; the broker said:\n${this.said()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

function parsed(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 'none', msg: text };
  }
}
