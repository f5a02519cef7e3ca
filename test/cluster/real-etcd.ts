import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whether Debian's `etcd-server` is installed. */
export const hasEtcd = spawnSync('etcd', ['--version']).status === 0;

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Where it listens, and a command that runs it there. */
export interface EtcdPlace {
  readonly host: string;
  readonly wrapper: readonly string[];
  /** PEM files with which it is spoken to; without them it is spoken to in plain. */
  readonly tls?: EtcdTls;
}

export const onLoopback: EtcdPlace = { host: '127.0.0.1', wrapper: [] };

/** What `npm run dev-ca` makes: with it etcd speaks TLS and asks for a certificate. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** One etcd process with its own data directory, on the loopback or elsewhere, alone or as a member of a cluster. */
export class RealEtcd {
  readonly clientPort: number;
  readonly peerPort: number;
  readonly name: string;
  private readonly directory = mkdtempSync(path.join(tmpdir(), 'chapar-etcd-'));
  private readonly options: readonly string[];
  private readonly place: EtcdPlace;
  private process: ChildProcess | null = null;
  private errors = '';
  private readonly tls: EtcdTls | null;
  /** Of who may do everything, when etcd asks for passwords: `name:password`. */
  user: string | null = null;

  constructor(name: string, clientPort: number, peerPort: number, options: readonly string[], place = onLoopback) {
    this.name = name;
    this.clientPort = clientPort;
    this.peerPort = peerPort;
    this.options = options;
    this.place = place;
    this.tls = place.tls ?? null;
  }

  get endpoint(): string {
    // Certificates are made out to the name.
    return this.tls === null ? `http://${this.place.host}:${this.clientPort}` : `https://localhost:${this.clientPort}`;
  }

  start(): void {
    const { clientPort, peerPort, name } = this;
    const client = `${this.tls === null ? 'http' : 'https'}://${this.place.host}:${clientPort}`;
    const peer = `http://${this.place.host}:${peerPort}`;
    const [program, ...before] = [...this.place.wrapper, 'etcd'];
    this.process = spawn(
      program!,
      [
        ...before,
        ...['--name', name, '--data-dir', path.join(this.directory, 'data'), '--logger', 'zap', '--log-level', 'error'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...(this.tls === null
          ? []
          : [
              '--client-cert-auth',
              '--cert-file',
              this.tls.cert,
              '--key-file',
              this.tls.key,
              '--trusted-ca-file',
              this.tls.ca,
            ]),
        ...this.options,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.process.stderr!.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk).slice(-4000);
    });
  }

  async ready(): Promise<void> {
    for (let i = 0; i < 300; i++) {
      if (this.run('endpoint', 'health').status === 0) return;
      if (this.process?.exitCode !== null) throw new Error(`etcd ended: ${this.errors}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`etcd was not ready in time: ${this.errors}`);
  }

  /** The words that etcdctl prints. Throws when it fails. */
  ctl(...args: string[]): string {
    const { status, stdout, stderr } = this.run(...args);
    if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  private run(...args: string[]) {
    const { tls, user } = this;
    const access = [
      ...(tls === null ? [] : ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key]),
      ...(user === null ? [] : ['--user', user]),
    ];
    return spawnSync('etcdctl', ['--endpoints', this.endpoint, ...access, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
    });
  }

  /** Stops it, puts the snapshot in place of its data and starts it. */
  async restore(snapshot: string): Promise<void> {
    await this.kill();
    const data = path.join(this.directory, 'data');
    rmSync(data, { recursive: true });
    const { status, stderr } = spawnSync(
      'etcdctl',
      [
        ...['snapshot', 'restore', snapshot, '--data-dir', data, '--name', this.name],
        ...['--initial-cluster', `${this.name}=http://127.0.0.1:${this.peerPort}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${this.peerPort}`],
      ],
      { env: { ...process.env, ETCDCTL_API: '3' }, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`etcdctl snapshot restore: ${stderr}`);
    this.start();
    await this.ready();
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }

  async kill(): Promise<void> {
    const { process: child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function startEtcd(options: readonly string[] = [], place = onLoopback): Promise<RealEtcd> {
  const [client, peer] = [await freePort(), await freePort()];
  const etcd = new RealEtcd(
    'one',
    client,
    peer,
    ['--initial-cluster', `one=http://127.0.0.1:${peer}`, ...options],
    place,
  );
  etcd.start();
  await etcd.ready();
  return etcd;
}

/** Three members with short elections, for tests that kill one. */
export async function startEtcdCluster(): Promise<RealEtcd[]> {
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  const names = ['one', 'two', 'three'];
  const cluster = names.map((name, i) => `${name}=http://127.0.0.1:${ports[2 * i + 1]}`).join(',');
  const members = names.map((name, i) => {
    return new RealEtcd(name, ports[2 * i]!, ports[2 * i + 1]!, [
      ...['--initial-cluster', cluster, '--heartbeat-interval', '100', '--election-timeout', '1000'],
    ]);
  });
  for (const member of members) member.start();
  for (const member of members) await member.ready();
  return members;
}

/** A path to a port that can be broken. */
export class Path {
  port = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  /** Connections are taken and nothing is passed on. */
  isCut = false;

  private constructor(target: number) {
    this.server = createServer((socket) => {
      const onward = connectTo(target, '127.0.0.1');
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        this.sockets.add(from);
        from.on('data', (chunk) => {
          if (!this.isCut) to.write(chunk);
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          this.sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(target: number): Promise<Path> {
    const made = new Path(target);
    await new Promise<void>((resolve) => made.server.listen(0, '127.0.0.1', resolve));
    made.port = (made.server.address() as { port: number }).port;
    return made;
  }

  /** Breaks every connection; new ones are possible. */
  reset(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
