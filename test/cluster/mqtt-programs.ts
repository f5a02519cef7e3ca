import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runWell, versionOf } from '../interop/command.js';
import { javaProgram } from '../interop/java-program.js';
import { mqttPython } from '../interop/python-environment.js';
import type { BrokerNode } from './broker-node.js';
import { diesWithUs } from './landscape/place.js';
import type { MqttEntry } from './ledger/mqtt-entry.js';
import { judgeMqtt, type MqttVerdict, missing } from './ledger/mqtt-verdict.js';

export type MqttLibrary = 'mqtt.js' | 'paho-python' | 'paho-java' | 'autopaho' | 'rumqttc';
type Command =
  | { readonly command: readonly string[]; readonly missing: null }
  | { readonly command: null; readonly missing: string };

const folder = (path: string) => fileURLToPath(new URL(`../interop/mqtt/${path}`, import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/chapar-mqtt', import.meta.url));

/** How to start the program of a library, or why there is none. What has to be built is built. */
export async function mqttCommand(library: MqttLibrary): Promise<Command> {
  mkdirSync(cache, { recursive: true });
  if (library === 'mqtt.js') return { command: [process.execPath, folder('failover.mjs')], missing: null };
  if (library === 'paho-python') {
    const { python, missing } = await mqttPython();
    return python === null
      ? { command: null, missing }
      : { command: [python, folder('python/paho_failover.py')], missing: null };
  }
  if (library === 'paho-java') {
    const { command, missing } = await javaProgram('mqtt/java', 'chapar-java-mqtt');
    return command === null ? { command, missing } : { command: [...command.slice(0, -1), 'Failover'], missing: null };
  }
  return library === 'autopaho' ? goCommand() : rustCommand();
}

async function goCommand(): Promise<Command> {
  if (versionOf('go', 'version') === null) return { command: null, missing: 'Go is not installed' };
  const program = `${cache}/autopaho-failover`;
  return built([program], ['go', 'build', '-o', program, './failover'], folder('go'));
}

async function rustCommand(): Promise<Command> {
  if (versionOf('cargo') === null) return { command: null, missing: 'cargo (Rust) is not installed' };
  const where = ['--manifest-path', folder('rust/Cargo.toml'), '--target-dir', `${cache}/rust`];
  return built([`${cache}/rust/debug/failover`], ['cargo', 'build', '--locked', '--quiet', ...where], folder('rust'));
}

/** `command`, when what it needs is fetched and compiled; nothing is done when nothing has changed. */
async function built(command: readonly string[], build: readonly string[], cwd: string): Promise<Command> {
  try {
    await runWell(build, { cwd, seconds: 540 });
    return { command, missing: null };
  } catch (error) {
    const [reason] = (error as Error).message.trim().split('\n').slice(-1);
    return { command: null, missing: `${build[0]} could not build its client: ${reason}` };
  }
}

/** What a program is told to do: a publisher and a subscriber of everything, each with a session that is kept. */
export interface MqttWork {
  readonly name: string;
  /** 4: 3.1.1. */
  readonly version: 4 | 5;
  /** Number of the node in the list that it begins with. */
  readonly first: number;
  /** Messages a second, of QoS 1 and 2 in turn. */
  readonly rate?: number;
  /** Of them unconfirmed at most. */
  readonly window?: number;
}

const defaults = { rate: 10, window: 10 };

/** A running program and its ledger, which may be read at any time. */
export class MqttProgram {
  readonly work: MqttWork;
  private readonly child: ChildProcess;
  private readonly directory = mkdtempSync(join(tmpdir(), 'chapar-mqtt-client-'));
  private readonly ledger = join(this.directory, 'ledger.jsonl');
  private readonly output: string[] = [];
  private isReady = false;

  constructor(command: readonly string[], work: MqttWork, nodes: readonly BrokerNode[]) {
    this.work = work;
    const all = nodes.map(({ mqttUrl }) => new URL(mqttUrl).host);
    const hosts = [...all.slice(work.first), ...all.slice(0, work.first)];
    const whole = JSON.stringify({ ...defaults, ...work, hosts, ledger: this.ledger });
    const [program, ...args] = [...diesWithUs, ...command, whole];
    this.child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin!.on('error', () => {});
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line === 'ready') this.isReady = true;
        else this.output.push(line);
      });
    }
  }

  /** Connected and subscribed. */
  async ready(seconds = 40): Promise<void> {
    for (const deadline = Date.now() + seconds * 1000; !this.isReady; await sleep(20)) {
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`${this.work.name} was not ready within ${seconds} s: ${this.said()}`);
    }
  }

  /** `go`: it publishes from now on; `stop`: no more; `leave`: it ends. */
  tell(line: 'go' | 'stop' | 'leave'): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Whole lines, as far as there are any. Throws when it has ended, as programs do not until they are told. */
  entries(): MqttEntry[] {
    if (this.child.exitCode !== null)
      throw new Error(`${this.work.name} ended with ${this.child.exitCode}: ${this.said()}`);
    const lines = readFileSync(this.ledger, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as MqttEntry);
  }

  dispose(): void {
    this.child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  said(): string {
    return this.output.slice(-30).join('\n') || 'it said nothing';
  }
}

/** Programs together, each of which hears all that the others say. */
export class MqttPrograms {
  readonly programs: MqttProgram[] = [];
  private readonly atLeastOnce: readonly string[];

  private constructor(atLeastOnce: readonly string[]) {
    this.atLeastOnce = atLeastOnce;
  }

  /** Resolves when all are connected and publish. */
  static async start(
    nodes: readonly BrokerNode[],
    players: readonly (MqttWork & { readonly command: readonly string[] })[],
    atLeastOnce: readonly string[] = [],
  ): Promise<MqttPrograms> {
    const all = new MqttPrograms(atLeastOnce);
    try {
      for (const { command, ...work } of players) all.programs.push(new MqttProgram(command, work, nodes));
      for (const program of all.programs) await program.ready();
    } catch (error) {
      all.dispose();
      throw error;
    }
    for (const program of all.programs) program.tell('go');
    return all;
  }

  ledgers(): Map<string, MqttEntry[]> {
    return new Map(this.programs.map((program) => [program.work.name, program.entries()]));
  }

  /** Everybody publishes no more and gets what was promised, or not in time: that is in the verdict. */
  async finish(seconds = 40): Promise<MqttVerdict & { readonly ledgers: Map<string, MqttEntry[]> }> {
    for (const program of this.programs) program.tell('stop');
    const late: string[] = [];
    for (const deadline = Date.now() + seconds * 1000; ; await sleep(200)) {
      const ledgers = this.ledgers();
      const unconfirmed = [...ledgers]
        .filter(([, ledger]) => !ledger.some(({ e }) => e === 'done'))
        .map(([name]) => name);
      const lacks = missing(ledgers);
      if (unconfirmed.length === 0 && Object.keys(lacks).length === 0) break;
      if (Date.now() < deadline) continue;
      late.push(...unconfirmed.map((name) => `late: ${name} has not all confirmed`));
      break;
    }
    // What comes twice comes soon.
    await sleep(1000);
    const ledgers = this.ledgers();
    const { faults, counts } = judgeMqtt(ledgers, this.atLeastOnce);
    return { faults: [...late, ...faults], counts, ledgers };
  }

  dispose(): void {
    for (const program of this.programs) program.dispose();
  }
}
