// Chapar nodes of this checkout and one etcd, all on free ports of the loopback; without nodes that share it, one that is alone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts, start, stop, timeStart, untilListening } from './child.mjs';

const PROGRAM = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));
const START_SECONDS_MAX = 60;
const STOP_SECONDS_MAX = 40;
/** On a million retained topics. */
const RESTART_SECONDS_MAX = 300;
const LETTERS = ['a', 'b', 'c', 'd', 'e'];

function etcdctl(endpoint, ...args) {
  const env = { ...process.env, ETCDCTL_API: '3' };
  return execFileSync('etcdctl', ['--endpoints', endpoint, ...args], { env, encoding: 'utf8' });
}

export class Cluster {
  name = 'Chapar';
  /** `{ name, port, mqttPort, pid, running }` each. */
  nodes = [];

  /** `nodeArguments`: of Node itself, such as `--cpu-prof`. `program`: of another checkout. `withMqtt`: they listen for MQTT, too. */
  constructor(size, { environment = {}, nodeArguments = [], program = PROGRAM, withMqtt = false } = {}) {
    this.program = program;
    this.size = size;
    this.withMqtt = withMqtt;
    this.environment = environment;
    this.nodeArguments = nodeArguments;
  }

  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'chapar-bench-cluster-'));
    try {
      await this.startEtcd();
      for (const letter of LETTERS.slice(0, this.size)) await this.startNode(letter);
      for (const { running, port } of this.nodes) await untilListening(running, port, START_SECONDS_MAX);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get pids() {
    return this.nodes.map(({ pid }) => pid);
  }

  get etcdPid() {
    return this.etcd.child.pid;
  }

  /** The newest revision: every write has one of its own. */
  revision() {
    return JSON.parse(etcdctl(this.endpoint, 'get', 'any', '--write-out=json')).header.revision;
  }

  signal(node, signal) {
    process.kill(node.pid, signal);
  }

  async stop() {
    for (const { running, pid } of this.nodes) {
      // One that stands still would not hear that it is to end.
      if (running.child.exitCode === null && running.child.signalCode === null) process.kill(pid, 'SIGCONT');
    }
    await Promise.all(this.nodes.map(({ running }) => stop(running, STOP_SECONDS_MAX)));
    if (this.etcd) await stop(this.etcd, 10);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.nodes = [];
    this.etcd = this.directory = undefined;
  }

  async startEtcd() {
    const [client, peer] = await freePorts(2);
    this.endpoint = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    const args = [
      ...['--name', 'bench', '--data-dir', join(this.directory, 'etcd'), '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `bench=${peerUrl}`],
    ];
    this.etcd = start('etcd', args, {
      cwd: this.directory,
      env: process.env,
      logFile: join(this.directory, 'etcd.log'),
    });
    await untilListening(this.etcd, client, 20);
    // It listens before it has elected itself.
    for (let tries = 0; ; tries++) {
      try {
        this.revision();
        return;
      } catch (error) {
        if (tries === 50) throw error;
        await sleep(100);
      }
    }
  }

  async startNode(letter) {
    const [amqp, management, peer, mqtt] = await freePorts(4);
    const at = (port) => `127.0.0.1:${port}`;
    const args = [
      ...[
        ...this.nodeArguments,
        this.program,
        'start',
        '--node-name',
        `bench@${letter}`,
        '--data-dir',
        join(this.directory, letter),
      ],
      ...['--listen', `amqp=${at(amqp)}`, '--listen', `management=${at(management)}`, '--listen', `peer=${at(peer)}`],
      ...(this.withMqtt ? ['--listen', `mqtt=${at(mqtt)}`] : []),
      ...['--advertise', at(peer), '--etcd', this.endpoint, '--etcd-prefix', '/chapar'],
    ];
    const env = { ...process.env, CHAPAR_CLUSTER__SECRET: 'of the benchmark', ...this.environment };
    const logFile = join(this.directory, `${letter}.log`);
    const spawn = () => start(process.execPath, args, { cwd: this.directory, env, logFile });
    const running = spawn();
    this.nodes.push({
      name: `bench@${letter}`,
      port: amqp,
      mqttPort: mqtt,
      managementPort: management,
      pid: running.child.pid,
      running,
      spawn,
    });
  }

  async stopNode(node) {
    await stop(node.running, STOP_SECONDS_MAX);
  }

  /** On what it has kept. Resolves to the seconds until it takes connections. */
  async startNodeAgain(node) {
    const { running, seconds } = await timeStart(node.spawn, node.port, RESTART_SECONDS_MAX);
    node.running = running;
    node.pid = running.child.pid;
    if (this.withMqtt) await untilListening(running, node.mqttPort, RESTART_SECONDS_MAX);
    return seconds;
  }
}
