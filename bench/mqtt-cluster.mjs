// node bench/mqtt-cluster.mjs [qos0] [qos1] [qos2] [clean] [kept]: MQTT in a cluster of three nodes beside a node alone; see README.md.
// Without names all of them. `--rounds N` (3), `--seconds N` of each measurement (5), `--clients N` of a storm (1,000), `--json FILE`.
// `--against DIRECTORY`: in turn with a cluster of another checkout, which is built. `--no-alone`: without the node alone.
// `--cpu-prof DIRECTORY`: the nodes' profiles, which are read with the developer tools of Chrome.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts, start, stop, untilListening } from './brokers/child.mjs';
import { Cluster } from './brokers/cluster.mjs';
import { median } from './table.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const generator = join(here, 'build', 'mqtt-cluster');
const UNDER_WAY = 200;
const environment = { CHAPAR_MQTT__CONNECTIONS_PER_SECOND: '0', CHAPAR_LOG__LEVEL: 'warn' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000' },
    json: { type: 'string' },
    against: { type: 'string' },
    'no-alone': { type: 'boolean', default: false },
    'cpu-prof': { type: 'string' },
  },
});
const rows = {
  qos0: { title: '1 -> 1 kept session, QoS 0, 64 B', measure: flow(0), show: showFlow },
  qos1: { title: '1 -> 1 kept session, QoS 1, 64 B, 100 in flight', measure: flow(1), show: showFlow },
  qos2: { title: '1 -> 1 kept session, QoS 2, 64 B, 100 in flight', measure: flow(2), show: showFlow },
  clean: { title: `${values.clients} clients with clean sessions`, measure: connects(false), show: showConnects },
  kept: { title: `${values.clients} clients with kept sessions`, measure: connects(true), show: showConnects },
};
const unknown = positionals.find((name) => !(name in rows));
if (unknown !== undefined || !(Number(values.rounds) > 0)) {
  console.error(
    `node bench/mqtt-cluster.mjs [${Object.keys(rows).join('] [')}] [--rounds N] [--seconds N] [--json FILE]`,
  );
  process.exit(2);
}

build();
const results = {};
for (const name of positionals.length > 0 ? positionals : Object.keys(rows))
  results[name] = await measureRow(rows[name]);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

function build() {
  mkdirSync(join(here, 'build'), { recursive: true });
  const sources = ['mqtt-cluster.c', 'mqtt/client.c', 'load/histogram.c'].map((name) => join(here, name));
  const flags = ['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', generator, ...sources, '-lm'], { stdio: 'inherit' });
}

/** In turn, on fresh directories: a node alone, and three. */
async function measureRow({ title, measure, show }) {
  const brokers = values['no-alone'] ? {} : { alone: await startAlone() };
  const found = {};
  try {
    brokers.cluster = await startCluster(undefined);
    if (values.against) brokers.against = await startCluster(programOf(values.against));
    for (const name of Object.keys(brokers)) found[name] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [name, { ports, pids }] of Object.entries(brokers)) found[name].push(measure(ports, pids));
    }
  } finally {
    for (const { end } of Object.values(brokers)) await end();
  }
  console.log(title);
  for (const [name, list] of Object.entries(found)) console.log(`  ${name.padEnd(8)} ${show(list)}`);
  return found;
}

async function startCluster(program) {
  const cluster = new Cluster(3, { environment, nodeArguments: profiled(), program, withMqtt: true });
  await cluster.start();
  return { ports: cluster.nodes.map(({ mqttPort }) => mqttPort), pids: cluster.pids, end: () => cluster.stop() };
}

function programOf(checkout) {
  return join(checkout, 'packages', 'server', 'bin', 'chapar.mjs');
}

function profiled() {
  return values['cpu-prof'] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values['cpu-prof']}`];
}

async function startAlone() {
  const directory = mkdtempSync(join(tmpdir(), 'chapar-bench-mqtt-'));
  const [port] = await freePorts(1);
  const args = [programOf(join(here, '..')), 'start', '--data-dir', join(directory, 'data')];
  const env = { ...process.env, ...environment };
  const logFile = join(directory, 'chapar.log');
  const running = start(process.execPath, [...args, '--listen', `mqtt=127.0.0.1:${port}`], {
    cwd: directory,
    env,
    logFile,
  });
  const end = async () => {
    await stop(running, 40);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilListening(running, port, 60);
  } catch (error) {
    await end();
    throw error;
  }
  return { ports: [port], pids: [running.child.pid], end };
}

/** The publisher is on another node than the subscriber. */
function flow(qos) {
  return (ports, pids) => generate(['flow', ports[0], ports.at(-1), qos, 64, 2, values.seconds, 0, pids.join(',')]);
}

function connects(isKept) {
  return (ports, pids) =>
    generate(['connects', ports.join(','), values.clients, UNDER_WAY, isKept ? 1 : 0, pids.join(',')]);
}

function generate(args) {
  const limited = ['-c', 'ulimit -n 20000 2>/dev/null; exec "$@"', 'sh', generator, ...args.map(String)];
  return JSON.parse(execFileSync('sh', limited, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' }));
}

function showFlow(list) {
  const of = (read) => median(list.map(read));
  const rates = list.map(({ consumedPerSecond }) => consumedPerSecond);
  const missing = Math.max(...list.map((each) => each.missing));
  return [
    `${of((each) => each.consumedPerSecond)} msg/s (${Math.min(...rates)} - ${Math.max(...rates)})`,
    `p50 ${milliseconds(of(({ latencyNs }) => latencyNs.p50))}, p99 ${milliseconds(of(({ latencyNs }) => latencyNs.p99))}`,
    `${of((each) => each.cpuUsEach).toFixed(0)} us CPU a message`,
    ...(missing === 0 ? [] : [`MISSING ${missing}`]),
  ].join(', ');
}

function showConnects(list) {
  const shown = (label, read) => {
    const of = (pick) => median(list.map((each) => pick(read(each))));
    const beside = of(({ latencyNs }) => latencyNs.p99);
    return `${label} ${of((each) => each.perSecond)} a second, ${of((each) => each.cpuUsEach)} us CPU each, beside them p99 ${milliseconds(beside)}`;
  };
  return `${shown('came', ({ came }) => came)}; ${shown('again elsewhere', ({ again }) => again)}`;
}

function milliseconds(ns) {
  return `${(ns / 1e6).toFixed(1)} ms`;
}
