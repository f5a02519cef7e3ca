#!/usr/bin/env node
// node bench/mqtt-retained.mjs: what a million retained topics cost three nodes; see README.md. `--topics N`, `--json FILE`.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cluster } from './brokers/cluster.mjs';
import { buildGenerator, generate } from './mqtt/generator.mjs';

const NODES = 3;
const COMPLETE_SECONDS_MAX = 300;

const { values } = parseArgs({ options: { topics: { type: 'string', default: '1000000' }, json: { type: 'string' } } });
const topics = Number(values.topics);

buildGenerator();
const cluster = new Cluster(NODES, { withMqtt: true, environment: { CHAPAR_LOG__LEVEL: 'warn' } });
const results = {};
try {
  await cluster.start();
  await measure(results);
} finally {
  await cluster.stop();
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

/** Put on the first node, asked for on the second; then the third is stopped, comes back, and is asked. */
async function measure(found) {
  const [first, second, third] = cluster.nodes;
  const emptyBytes = cluster.nodes.map(({ pid }) => rssOf(pid));
  found.put = await generate('retained', { port: first.mqttPort, topics, withoutReplay: true });
  await sleep(2000);
  found.rssBytesPerTopic = cluster.nodes.map(({ pid }, i) => Math.round((rssOf(pid) - emptyBytes[i]) / topics));
  console.log(`${topics.toLocaleString('en')} retained topics, 64 B, three nodes`);
  console.log(
    `  put with QoS 1: ${found.put.putPerSecond} /s, others at that node wait at most ${ms(found.put.putPingNs.max)}`,
  );
  console.log(`  RSS a topic on each node: ${found.rssBytesPerTopic.join(', ')} B`);
  found.asked = await generate('retained', { port: second.mqttPort, topics, withoutPut: true });
  print('asked on another node', found.asked);
  await cluster.stopNode(third);
  found.restartSeconds = await cluster.startNodeAgain(third);
  const from = performance.now();
  found.again = await untilComplete(third);
  found.completeSeconds = found.restartSeconds + (performance.now() - from) / 1000;
  console.log(
    `  a node that starts again listens after ${found.restartSeconds.toFixed(1)} s, has answered with all of them after ${found.completeSeconds.toFixed(1)} s`,
  );
  print('asked there', found.again);
}

/** A client is answered when the node has what was there before it asked; until then it takes none. */
async function untilComplete({ mqttPort }) {
  const untilMs = performance.now() + COMPLETE_SECONDS_MAX * 1000;
  for (;;) {
    try {
      return await generate('retained', { port: mqttPort, topics, withoutPut: true });
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await sleep(500);
    }
  }
}

function print(what, { narrow, needle, all }) {
  console.log(
    `  ${what}: \`#\` first ${ms(all.firstMs * 1e6)}, last ${ms(all.lastMs * 1e6)}, others wait at most ${ms(all.pingNs.max)}`,
  );
  console.log(
    `    \`+/5/x\` (${narrow.count} match) ${ms(narrow.lastMs * 1e6)}, \`+/+/y\` (1 matches) ${ms(needle.lastMs * 1e6)}, others wait at most ${ms(needle.pingNs.max)}`,
  );
}

function ms(ns) {
  return `${(ns / 1e6).toFixed(1)} ms`;
}

function rssOf(pid) {
  const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
  return Number(pages) * 4096;
}
