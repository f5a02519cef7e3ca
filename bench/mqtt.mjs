#!/usr/bin/env node
// node bench/mqtt.mjs: MQTT beside Mosquitto and RabbitMQ, in turn, with a generator in C of its own. See README.md.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Chapar, Mosquitto, RabbitMQWithMqtt } from './brokers/mqtt.mjs';
import { RabbitMQ } from './brokers/rabbitmq.mjs';
import { buildGenerator, generate } from './mqtt/generator.mjs';
import { rows } from './mqtt/rows.mjs';
import { median } from './table.mjs';

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    topics: { type: 'string', default: '1000000' },
    alone: { type: 'boolean', default: false },
    rabbitmq: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const others = [...(values.alone ? [] : [Mosquitto]), ...(values.rabbitmq ? [RabbitMQWithMqtt] : [])];
const names = ['Chapar', ...(values.alone ? [] : ['Mosquitto']), ...(values.rabbitmq ? ['RabbitMQ'] : [])];

function refuse(what) {
  console.error(what);
  process.exit(2);
}

async function measure(row, broker) {
  if (row.measure) return row.measure(broker, values);
  const { warmup, seconds } = values;
  return generate(row.kind ?? 'traffic', { port: broker.mqttPort, pid: broker.pid, warmup, seconds, ...row.load });
}

const shownFigure = (result, { label = '', unit, read }) => {
  const value = read(result);
  return Number.isFinite(value)
    ? `${rounded(value)} ${unit}${label === '' || label.startsWith(',') ? label : ` ${label}`}`
    : null;
};

async function measureOnce(row, broker, round, results) {
  const result = await measure(row, broker);
  results.push({ row: row.name, broker: broker.name, ...result });
  const figures = row.figures.map((figure) => shownFigure(result, figure)).filter((text) => text !== null);
  console.error(`${row.name} ${round + 1} ${broker.name}: ${figures.join('; ')}`);
}

/** In turn; brokers that are wanted fresh run one at a time. */
async function measureRow(row, results) {
  const brokers = [new Chapar(row.chapar), ...others.map((Broker) => new Broker())].filter(
    ({ name }) => row.without?.[name] === undefined,
  );
  const rounds = Math.min(Number(values.rounds), row.roundsMax ?? Number.POSITIVE_INFINITY);
  try {
    if (!row.isFresh) await Promise.all(brokers.map((broker) => broker.start()));
    for (let round = 0; round < rounds; round++) {
      for (const broker of brokers) {
        if (row.isFresh) await broker.start();
        await measureOnce(row, broker, round, results);
        if (row.isFresh) await broker.stop();
      }
    }
  } finally {
    for (const broker of brokers) await broker.stop();
  }
}

function rounded(value) {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

function wantedText({ unit, wanted, wantedAtMost, better }) {
  if (wantedAtMost) return `≤ ${wantedAtMost} ${unit}`;
  return wanted ? `${better === 'more' ? '≥' : '≤'} ${wanted}x` : '';
}

function figureLine(row, figure, results) {
  const of = (name) =>
    results
      .filter((each) => each.row === row.name && each.broker === name)
      .map(figure.read)
      .filter(Number.isFinite);
  const ours = of('Chapar');
  const cells = [`${row.title}${figure.label?.startsWith(',') ? '' : ' '}${figure.label ?? ''}`];
  for (const name of names) {
    const list = of(name);
    const shown = list.length === 0 ? (row.without?.[name] ?? '–') : `${rounded(median(list))} ${figure.unit}`;
    cells.push(shown);
    if (name !== 'Chapar') cells.push(list.length === 0 ? '' : `${(median(ours) / median(list)).toFixed(2)}x`);
  }
  return `| ${[...cells, wantedText(figure)].join(' | ')} |`;
}

function print(results) {
  const head = [
    'row',
    ...names.flatMap((name) => (name === 'Chapar' ? [name] : [name, 'ratio'])),
    'wanted of Mosquitto',
  ];
  console.log(`| ${head.join(' | ')} |\n|${'---|'.repeat(head.length)}`);
  for (const row of rows) {
    if (!results.some((each) => each.row === row.name)) continue;
    for (const figure of row.figures) console.log(figureLine(row, figure, results));
  }
}

if (!values.alone && !Mosquitto.installed())
  refuse('mosquitto is not installed (apt-get install mosquitto); with --alone it is not needed');
if (values.rabbitmq && !RabbitMQ.installed())
  refuse('rabbitmq-server is not installed (apt-get install rabbitmq-server); without --rabbitmq it is not needed');
const wanted = values.rows?.split(',') ?? rows.map(({ name }) => name);
const unknown = wanted.find((name) => !rows.some((row) => row.name === name));
if (unknown !== undefined)
  refuse(`there is no row '${unknown}'; there are: ${rows.map(({ name }) => name).join(', ')}`);
buildGenerator();
const results = [];
const failures = [];
for (const row of rows) {
  if (!wanted.includes(row.name)) continue;
  try {
    await measureRow(row, results);
  } catch (error) {
    failures.push(`${row.name}: ${error.message}`);
  }
}
print(results);
for (const failure of failures) console.error(failure);
if (failures.length > 0) process.exitCode = 1;
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
