#!/usr/bin/env node
// npm run bench: starts brokers, drives them in turn with the load generator, prints one table. See README.md.
import { writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Chapar, ChaparAt } from './brokers/chapar.mjs';
import { RabbitMQ } from './brokers/rabbitmq.mjs';
import { Relay } from './brokers/relay.mjs';
import { buildGenerator, measure } from './generator.mjs';
import { readOptions, USAGE, UsageError } from './options.mjs';
import { measureRestart } from './restart.mjs';
import { rowsNamed } from './rows.mjs';
import { table, warnings } from './table.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

function peer(name) {
  if (name === 'relay') return new Relay();
  if (!RabbitMQ.installed()) throw new UsageError('rabbitmq-server is not installed (apt-get install rabbitmq-server)');
  return new RabbitMQ();
}

/** Ours first; ratios are ours to the other's. */
function contenders(options) {
  const ours = options.alone ? [] : [new Chapar('Chapar', REPOSITORY)];
  if (options.vs) return [...ours, peer(options.vs)];
  return options.against ? [...ours, new ChaparAt(options.against, REPOSITORY)] : ours;
}

function machine() {
  const [cpu] = cpus();
  return `${cpus().length} x ${cpu.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()} ${arch()}`;
}

function argumentsFor(row, broker, options) {
  const warmup = row.withoutWarmup ? [] : ['--warmup', `${options.warmup}`];
  const target = ['--port', `${broker.port}`, '--broker-pid', `${broker.pid}`];
  const seconds = Math.max(options.seconds, row.secondsMin ?? 0);
  return [...row.args, ...target, '--seconds', `${seconds}`, ...warmup];
}

/** One measurement, on a broker of its own when the row wants that. A failure is a result too: it is printed and kept. */
async function measureOnce(row, broker, options) {
  if (row.freshBroker) await broker.start();
  try {
    if (row.restart) return await measureRestart(row, broker);
    return await measure(argumentsFor(row, broker, options));
  } finally {
    if (row.freshBroker) await broker.stop();
  }
}

async function measureRow(row, brokers, options, failures) {
  const outcome = Object.fromEntries(brokers.map((broker) => [broker.name, []]));
  if (!row.freshBroker) for (const broker of brokers) await broker.start();
  for (let round = 1; round <= options.rounds; round++) {
    for (const broker of brokers) {
      if (options.interrupted) throw new UsageError('interrupted');
      const label = `${row.name} ${round}/${options.rounds} ${broker.name}`;
      try {
        const result = await measureOnce(row, broker, options);
        outcome[broker.name].push(result);
        const figure = row.figures[0];
        process.stderr.write(`${label}: ${figure.read(result).toPrecision(4)} ${figure.unit}\n`);
      } catch (error) {
        failures.push(`${label}: ${error.message}`);
        process.stderr.write(`${label}: failed: ${error.message}\n`);
      }
    }
  }
  await stopAll(brokers);
  return outcome;
}

async function stopAll(brokers) {
  await Promise.all(brokers.map((broker) => broker.stop()));
}

function stopOnSignals(brokers, options) {
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, async () => {
      options.interrupted = true; // nothing new is started behind our back
      await stopAll(brokers);
      for (const broker of brokers) broker.dispose();
      process.exit(130);
    });
}

function print(outcomes, brokers, options, failures) {
  const names = brokers.map((broker) => broker.name);
  const wantsShown = options.vs === 'rabbitmq' && !options.alone;
  const notes = [...outcomes.flatMap(({ row, outcome }) => warnings(row, outcome)), ...failures];
  const window = `${options.rounds} rounds of ${options.warmup} + ${options.seconds} s, brokers alternated`;
  console.log(`\n${machine()}; ${window}; median (min–max)`);
  for (const broker of brokers) console.log(`- ${broker.name}: ${broker.describe()}`);
  console.log(`\n${table(outcomes, names, wantsShown)}`);
  if (notes.length > 0) console.log(`\nBeside the figures:\n${notes.map((note) => `- ${note}`).join('\n')}`);
}

async function run(options) {
  const rows = rowsNamed(options.rows);
  buildGenerator();
  const brokers = contenders(options);
  const outcomes = [];
  const failures = [];
  stopOnSignals(brokers, options);
  try {
    for (const row of rows) outcomes.push({ row, outcome: await measureRow(row, brokers, options, failures) });
    print(outcomes, brokers, options, failures);
    const saved = outcomes.map(({ row, outcome }) => ({ row: row.name, args: row.args, outcome }));
    if (options.json)
      writeFileSync(options.json, `${JSON.stringify({ machine: machine(), rows: saved, failures }, null, 2)}\n`);
  } finally {
    await stopAll(brokers);
    for (const broker of brokers) broker.dispose();
  }
  return failures.length === 0 ? 0 : 1;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else process.exitCode = await run(options);
} catch (error) {
  const ofTheUser = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(`bench: ${ofTheUser ? error.message : (error.stack ?? error)}`);
  process.exitCode = 1;
}
