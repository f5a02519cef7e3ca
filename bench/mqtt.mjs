#!/usr/bin/env node
// node bench/mqtt.mjs: MQTT beside Mosquitto, in turn, with a generator in C of its own. See README.md.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts, start, untilListening } from './brokers/child.mjs';
import { rows } from './mqtt/rows.mjs';
import { median } from './table.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const generator = join(here, 'build', 'mqtt-load');
const mosquitto = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    alone: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

function build() {
  mkdirSync(join(here, 'build'), { recursive: true });
  const sources = ['mqtt/load.c', 'mqtt/client.c', 'load/histogram.c'].map((name) => join(here, name));
  const flags = ['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', generator, ...sources, '-lm'], { stdio: 'inherit' });
}

/** Brokers of one row, on fresh directories. */
async function startBrokers(directory) {
  const [ours, theirs] = await freePorts(2);
  const environment = { ...process.env, CHAPAR_MQTT__CONNECTIONS_PER_SECOND: '0', CHAPAR_LOG__LEVEL: 'warn' };
  const program = join(here, '..', 'packages', 'server', 'bin', 'chapar.mjs');
  const args = [program, 'start', '--data-dir', join(directory, 'data'), '--listen', `mqtt=127.0.0.1:${ours}`];
  const chapar = start(process.execPath, args, {
    cwd: directory,
    env: environment,
    logFile: join(directory, 'chapar.log'),
  });
  const brokers = [{ name: 'Chapar', port: ours, running: chapar }];
  if (!values.alone) {
    const config = join(directory, 'mosquitto.conf');
    writeFileSync(config, `listener ${theirs} 127.0.0.1\nallow_anonymous true\n`);
    const other = start(mosquitto, ['-c', config], {
      cwd: directory,
      env: process.env,
      logFile: join(directory, 'mosquitto.log'),
    });
    brokers.push({ name: 'Mosquitto', port: theirs, running: other });
  }
  for (const { running, port } of brokers) await untilListening(running, port, 60);
  return brokers;
}

function measure({ load: [publishers, subscribers, qos, size, rate] }, { port, running }) {
  const args = [port, publishers, subscribers, qos, size, values.warmup, values.seconds, rate, running.child.pid];
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', 'ulimit -n 20000 2>/dev/null; exec "$@"', 'sh', generator, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`the generator ended with ${code}`)),
    );
  });
}

async function measureRow(row, results) {
  const directory = mkdtempSync(join(tmpdir(), 'chapar-bench-mqtt-'));
  const brokers = await startBrokers(directory);
  try {
    for (let round = 0; round < Number(values.rounds); round++)
      for (const broker of brokers) {
        const result = await measure(row, broker);
        results.push({ row: row.name, broker: broker.name, ...result });
        console.error(
          `${row.name} ${round + 1} ${broker.name}: ${row.figures.map(({ read, unit }) => `${Math.round(read(result))} ${unit}`).join(', ')}`,
        );
      }
  } finally {
    for (const { running } of brokers) {
      running.child.kill('SIGTERM');
      await running.ended;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(results) {
  console.log('| row | Chapar | Mosquitto | ratio | wanted |\n|---|---|---|---|---|');
  for (const row of rows) {
    for (const { label = '', unit, read, wanted, wantedAtMost, better } of row.figures) {
      const of = (name) => results.filter((each) => each.row === row.name && each.broker === name).map(read);
      const [ours, theirs] = [of('Chapar'), of('Mosquitto')];
      if (ours.length === 0) continue;
      const shown = (list) => (list.length === 0 ? '–' : `${Math.round(median(list)).toLocaleString('en')} ${unit}`);
      const ratio = theirs.length === 0 ? '–' : `${(median(ours) / median(theirs)).toFixed(2)}x`;
      const want = wantedAtMost
        ? `≤ ${wantedAtMost} ${unit}`
        : wanted
          ? `${better === 'more' ? '≥' : '≤'} ${wanted}x`
          : '';
      console.log(`| ${row.title} ${label} | ${shown(ours)} | ${shown(theirs)} | ${ratio} | ${want} |`);
    }
  }
}

if (!values.alone && mosquitto === undefined) {
  console.error('mosquitto is not installed (apt-get install mosquitto); with --alone it is not needed');
  process.exit(2);
}
build();
const wanted = values.rows?.split(',') ?? rows.map(({ name }) => name);
const results = [];
for (const row of rows) if (wanted.includes(row.name)) await measureRow(row, results);
print(results);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
