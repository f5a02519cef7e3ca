// The brokers of MQTT's table, each as a plain process on a free port of the loopback and a directory of its own.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, start, stop, timeStart, untilListening } from './child.mjs';
import { RabbitMQ } from './rabbitmq.mjs';

const PROGRAM = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);
const START_SECONDS_MAX = 60;
const RESTART_SECONDS_MAX = 300;
const STOP_SECONDS_MAX = 60;

/** One that is a single process. */
class Plain {
  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'chapar-bench-mqtt-'));
    const ports = await freePorts(2);
    this.mqttPort = ports[0];
    this.spawn = () => this.run(ports);
    this.running = this.spawn();
    await untilListening(this.running, this.mqttPort, START_SECONDS_MAX);
    this.pid = this.running.child.pid;
  }

  /** Seconds until it takes connections again on what it has kept. */
  async restart() {
    await stop(this.running, STOP_SECONDS_MAX);
    const { running, seconds } = await timeStart(this.spawn, this.mqttPort, RESTART_SECONDS_MAX);
    this.running = running;
    this.pid = running.child.pid;
    return seconds;
  }

  async stop() {
    if (this.running) await stop(this.running, STOP_SECONDS_MAX);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.running = this.directory = undefined;
  }
}

export class Chapar extends Plain {
  name = 'Chapar';

  /** `environment`: settings beside those of the benchmark, which lets everybody in at once. */
  constructor(environment = {}) {
    super();
    this.environment = environment;
  }

  run([mqtt, management]) {
    const at = (port) => `127.0.0.1:${port}`;
    const listen = ['--listen', `mqtt=${at(mqtt)}`, '--listen', `management=${at(management)}`];
    const env = {
      ...process.env,
      CHAPAR_MQTT__CONNECTIONS_PER_SECOND: '0',
      CHAPAR_LOG__LEVEL: 'warn',
      ...this.environment,
    };
    return start(process.execPath, [PROGRAM, 'start', '--data-dir', join(this.directory, 'data'), ...listen], {
      cwd: this.directory,
      env,
      logFile: join(this.directory, 'chapar.log'),
    });
  }
}

export class Mosquitto extends Plain {
  name = 'Mosquitto';

  static installed() {
    return MOSQUITTO !== undefined;
  }

  run([mqtt]) {
    const config = join(this.directory, 'mosquitto.conf');
    writeFileSync(config, `listener ${mqtt} 127.0.0.1\nallow_anonymous true\n`);
    const logFile = join(this.directory, 'mosquitto.log');
    return start(MOSQUITTO, ['-c', config], { cwd: this.directory, env: process.env, logFile });
  }
}

/** With its MQTT plug-in, and all that it has by default. */
export class RabbitMQWithMqtt extends RabbitMQ {
  constructor() {
    super({ plugins: ['rabbitmq_mqtt'] });
  }
}
