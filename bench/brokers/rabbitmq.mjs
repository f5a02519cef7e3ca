// Debian's rabbitmq-server as a plain process: own ports, directories, node name and epmd, no service, no plugins but those asked for.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, freePorts, start, stop, timeStart, untilListening } from './child.mjs';
import { listenerPid } from './listener.mjs';

// Not the one in /usr/sbin, which changes the user and logs to /var.
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const MANAGEMENT = 'rabbitmq_management';
const MQTT = 'rabbitmq_mqtt';
const START_SECONDS_MAX = 120;
// On millions of messages that were not written for a quick start.
const RESTART_SECONDS_MAX = 900;
const STOP_SECONDS_MAX = 60;

function packageVersion() {
  return execFileSync('dpkg-query', ['--show', 'rabbitmq-server'], { encoding: 'utf8' }).trim().split('\t')[1];
}

function environment(directory, ports, home = directory) {
  const at = (name) => join(directory, name);
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: home, // the Erlang cookie
    RABBITMQ_NODENAME: nodeName(ports),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.dist),
    RABBITMQ_CONF_ENV_FILE: at('rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_PID_FILE: at('pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
}

function writeConfiguration(directory, ports, plugins, nodes = []) {
  mkdirSync(join(directory, 'log'));
  writeFileSync(join(directory, 'rabbitmq-env.conf'), '');
  writeFileSync(join(directory, 'advanced.config'), '[].\n');
  writeFileSync(join(directory, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  const settings = [`listeners.tcp.default = 127.0.0.1:${ports.amqp}`];
  if (plugins.includes(MANAGEMENT)) {
    settings.push(`management.tcp.port = ${ports.management}`, 'management.tcp.ip = 127.0.0.1');
  }
  if (plugins.includes(MQTT)) {
    settings.push(`mqtt.listeners.tcp.default = 127.0.0.1:${ports.mqtt}`, 'mqtt.allow_anonymous = true');
  }
  if (nodes.length > 0) settings.push('cluster_formation.peer_discovery_backend = classic_config');
  for (const [i, node] of nodes.entries()) settings.push(`cluster_formation.classic_config.nodes.${i + 1} = ${node}`);
  writeFileSync(join(directory, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
}

const nodeName = ({ amqp }) => `bench${amqp}@localhost`;

export class RabbitMQ {
  name = 'RabbitMQ';

  constructor({ plugins = [] } = {}) {
    this.plugins = plugins;
  }

  static installed() {
    return existsSync(SERVER);
  }

  describe() {
    const plugins = this.plugins.length === 0 ? 'no plugins' : this.plugins.join(', ');
    return `RabbitMQ ${packageVersion()} (Debian package, ${plugins}, default settings)`;
  }

  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'rabbitmq-bench-'));
    const [amqp, dist, epmd, management, mqtt] = await freePorts(5);
    const ports = { amqp, dist, epmd, management, mqtt };
    writeConfiguration(this.directory, ports, this.plugins);
    const env = environment(this.directory, ports);
    const logged = (logFile) => ({ cwd: this.directory, env, logFile: join(this.directory, logFile) });
    this.epmd = start('epmd', ['-address', '127.0.0.1', '-port', String(epmd)], logged('epmd.log'));
    await untilListening(this.epmd, epmd, 10);
    this.dataDirectory = join(this.directory, 'mnesia');
    this.spawn = () => start(SERVER, [], logged('server.log'));
    this.running = this.spawn();
    await untilListening(this.running, amqp, START_SECONDS_MAX);
    if (this.plugins.includes(MANAGEMENT)) {
      await untilListening(this.running, management, START_SECONDS_MAX);
      this.managementPort = management;
    }
    if (this.plugins.includes(MQTT)) {
      await untilListening(this.running, mqtt, START_SECONDS_MAX);
      this.mqttPort = mqtt;
    }
    this.port = amqp;
    this.pid = listenerPid(amqp);
  }

  /** Ends the process and keeps its data. */
  async end(how) {
    await end(this.running, this.pid, how, STOP_SECONDS_MAX);
  }

  /** Starts on what is there, on the same ports. Resolves to the seconds that it took until the port answered. */
  async startAgain() {
    const { running, seconds } = await timeStart(this.spawn, this.port, RESTART_SECONDS_MAX);
    this.running = running;
    this.pid = listenerPid(this.port);
    return seconds;
  }

  async stop() {
    if (this.running) await stop(this.running, STOP_SECONDS_MAX);
    if (this.epmd) await stop(this.epmd, 5);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.running = this.epmd = this.directory = undefined;
  }

  dispose() {}
}

/** Several of them in one cluster, on free ports of the loopback. */
export class RabbitMQCluster {
  name = 'RabbitMQ';
  /** `{ port, pid, running }` each. */
  nodes = [];

  constructor(size) {
    this.size = size;
  }

  describe() {
    return `RabbitMQ ${packageVersion()} (Debian package, ${this.size} nodes, no plugins, default settings)`;
  }

  get pids() {
    return this.nodes.map(({ pid }) => pid);
  }

  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'rabbitmq-bench-'));
    const [epmd, ...free] = await freePorts(1 + 2 * this.size);
    const ports = Array.from({ length: this.size }, (_, i) => ({ amqp: free[2 * i], dist: free[2 * i + 1], epmd }));
    const logFile = join(this.directory, 'epmd.log');
    const env = { PATH: process.env.PATH, HOME: this.directory };
    this.epmd = start('epmd', ['-address', '127.0.0.1', '-port', String(epmd)], { cwd: this.directory, env, logFile });
    await untilListening(this.epmd, epmd, 10);
    // One after the other: the first one makes the cluster.
    for (const each of ports) await this.startNode(each, ports.map(nodeName));
  }

  async startNode(ports, names) {
    const directory = join(this.directory, String(ports.amqp));
    mkdirSync(directory);
    writeConfiguration(directory, ports, [], names);
    const env = environment(directory, ports, this.directory);
    const running = start(SERVER, [], { cwd: directory, env, logFile: join(directory, 'server.log') });
    this.nodes.push({ port: ports.amqp, running, pid: 0 });
    await untilListening(running, ports.amqp, START_SECONDS_MAX);
    this.nodes.at(-1).pid = listenerPid(ports.amqp);
  }

  async stop() {
    for (const { running } of this.nodes.toReversed()) await stop(running, STOP_SECONDS_MAX);
    if (this.epmd) await stop(this.epmd, 5);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.nodes = [];
    this.epmd = this.directory = undefined;
  }
}
