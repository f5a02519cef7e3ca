import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerProcess, type LogLine } from '../support/broker-process.js';
import type { Place } from './landscape/place.js';

export interface BrokerNodeOptions {
  readonly name: string;
  readonly place: Place;
  readonly options: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** A command around that of its place, such as one that gives it a disk of its own. */
  readonly wrapper?: readonly string[];
  /** Starts alone, without peers and etcd. */
  readonly isAlone?: boolean;
}

interface Ports {
  readonly amqp: number;
  readonly mqtt: number;
  readonly management: number;
  readonly peer: number;
}

/** A broker with a name, a place and a data directory, over as many lives as a story gives it. */
export class BrokerNode {
  readonly name: string;
  readonly place: Place;
  /** May be exchanged between two lives. */
  dataDir = mkdtempSync(join(tmpdir(), 'chapar-node-'));
  /** The present life, or the last one. */
  life: BrokerProcess | null = null;
  private readonly options: BrokerNodeOptions;
  private readonly ports: Ports;
  private readonly directories: string[] = [];
  private readonly earlier: LogLine[] = [];

  private constructor(options: BrokerNodeOptions, ports: Ports) {
    this.options = options;
    this.name = options.name;
    this.place = options.place;
    this.ports = ports;
    this.directories.push(this.dataDir);
  }

  static async make(options: BrokerNodeOptions): Promise<BrokerNode> {
    const { place } = options;
    const [amqp, mqtt] = [await place.port(5672), await place.port(1883)];
    const [management, peer] = [await place.port(15672), await place.port(25672)];
    return new BrokerNode(options, { amqp, mqtt, management, peer });
  }

  get hostPort(): string {
    return `${this.place.host}:${this.ports.amqp}`;
  }

  get url(): string {
    return `amqp://guest:guest@${this.hostPort}`;
  }

  get mqttUrl(): string {
    return `mqtt://guest:guest@${this.place.host}:${this.ports.mqtt}`;
  }

  get managementUrl(): string {
    return `http://guest:guest@${this.place.host}:${this.ports.management}`;
  }

  get isRunning(): boolean {
    return this.life?.isRunning ?? false;
  }

  /** Of all lives. */
  get lines(): readonly LogLine[] {
    return [...this.earlier, ...(this.life?.lines ?? [])];
  }

  /** A new life; `ready` tells when it serves. */
  start(more: { readonly options?: readonly string[]; readonly environment?: Record<string, string> } = {}): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    this.earlier.push(...(this.life?.lines ?? []));
    const { place, ports } = this;
    const at = (port: number) => `${place.host}:${port}`;
    const peer = ['--listen', `peer=${at(ports.peer)}`, '--advertise', at(ports.peer)];
    this.life = new BrokerProcess({
      dataDir: this.dataDir,
      amqp: at(ports.amqp),
      wrapper: [...(this.options.wrapper ?? []), ...place.wrapper],
      environment: { CHAPAR_AUTH__LOOPBACK_USERS: '', ...this.options.environment, ...more.environment },
      options: [
        ...['--node-name', this.name, '--listen', `management=${at(ports.management)}`],
        ...['--listen', `mqtt=${at(ports.mqtt)}`],
        ...(this.options.isAlone ? [] : peer),
        ...this.options.options,
        ...(more.options ?? []),
      ],
    });
  }

  async ready(): Promise<void> {
    await this.life!.ready();
  }

  async kill9(): Promise<void> {
    await this.life?.kill9();
  }

  /** A good end, or an error when it takes longer than `seconds`. */
  async stop(seconds = 40): Promise<void> {
    const { life } = this;
    if (life === null || !life.isRunning) return;
    life.resume();
    const late = sleep(seconds * 1000, 'late', { ref: false });
    if ((await Promise.race([life.stop(), late])) !== 'late') return;
    await life.kill9();
    throw new Error(`${this.name} did not stop within ${seconds} s:\n${life.said()}`);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.start();
    await this.ready();
  }

  pause(): void {
    this.life!.pause();
  }

  resume(): void {
    this.life!.resume();
  }

  /** The next life begins on an empty disk; the directory of the lives before stays until `dispose`. */
  takeEmptyDirectory(): void {
    this.dataDir = mkdtempSync(join(tmpdir(), 'chapar-node-'));
    this.directories.push(this.dataDir);
  }

  /** One request to its management API; throws unless the answer is 2xx. */
  async api<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.ask(method, `/api/${path}`, body);
    if (status < 200 || status > 299) throw new Error(`${method} /api/${path} at ${this.name}: ${status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The same, whatever the answer. */
  async ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const { origin, username, password } = new URL(this.managementUrl);
    const login = Buffer.from(`${username}:${password}`).toString('base64');
    const response = await fetch(`${origin}${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** SIGKILL where it still runs, and the end of its directories. */
  async dispose(): Promise<void> {
    await this.kill9();
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true });
  }
}
