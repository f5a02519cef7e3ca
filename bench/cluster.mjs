// node bench/cluster.mjs [forward] [reconnect] [paused] [declare]: what a cluster of three nodes costs on this machine; see README.md.
// Without names all of them. `--rounds N` (3), `--seconds N` of each measurement (5), `--json FILE`.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Cluster } from './brokers/cluster.mjs';
import { RabbitMQ } from './brokers/rabbitmq.mjs';
import { buildGenerator, measure } from './generator.mjs';

const RATE = 20_000;
const QUEUES = 20_000;
const DECLARES = 3_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = values.seconds;
const measurements = { forward, reconnect: () => reconnect(false), paused: () => reconnect(true), declare };
const unknown = positionals.find((name) => !(name in measurements));
if (unknown !== undefined || !(rounds > 0)) {
  console.error(
    `node bench/cluster.mjs [${Object.keys(measurements).join('] [')}] [--rounds N] [--seconds N] [--json FILE]`,
  );
  process.exit(2);
}

buildGenerator();
const results = {};
const names = positionals.length > 0 ? positionals : Object.keys(measurements);
for (const name of names) {
  results[name] = await measurements[name]();
  console.log();
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

async function withCluster(size, play, environment = {}) {
  const cluster = new Cluster(size, { environment });
  await cluster.start();
  try {
    return await play(cluster);
  } finally {
    await cluster.stop();
  }
}

/**
 * The same load, once by clients of the node that leads the queue and once by clients of another: what the brokers together need more, and
 * how much later half of the messages arrive. A forwarded publish is one hop, a forwarded delivery another.
 */
async function forward() {
  return withCluster(3, async ({ nodes, pids }) => {
    const [a, , c] = nodes;
    // Where producers are, where the queue is, where consumers are.
    const ways = {
      'all on one node': { port: c.port, home: c.port, consumer: c.port },
      'publishes forwarded': { port: a.port, home: c.port, consumer: c.port },
      'deliveries forwarded': { port: c.port, home: c.port, consumer: a.port },
    };
    const found = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [way, { port, home, consumer }] of Object.entries(ways)) {
        const result = await measure([
          ...['--port', `${port}`, '--home-port', `${home}`, '--consumer-port', `${consumer}`],
          ...[
            '--size',
            '1024',
            '--rate',
            `${RATE}`,
            '--seconds',
            seconds,
            '--warmup',
            '2',
            '--broker-pid',
            pids.join(','),
          ],
        ]);
        complain(way, result);
        found[way].push({ cpuUs: result.broker.cpuSecondsPerMillion, p50Us: result.latencyNs.p50 / 1000, result });
      }
    }
    console.log(`${RATE} msg/s of 1 KiB, transient, auto-ack, three nodes; medians of ${rounds} x ${seconds} s`);
    const base = middle(found['all on one node']);
    for (const [way, list] of Object.entries(found)) {
      const { cpuUs, p50Us } = middle(list);
      const more =
        way === 'all on one node'
          ? ''
          : `   +${(cpuUs - base.cpuUs).toFixed(1)} us, +${(p50Us - base.p50Us).toFixed(0)} us`;
      console.log(`  ${way.padEnd(22)} ${cpuUs.toFixed(1)} us CPU a message, p50 ${p50Us.toFixed(0)} us${more}`);
    }
    console.log('  wanted: at most +25 us of CPU on both nodes together, at most +1000 us in the middle');
    return found;
  });
}

/** Server-named queues with a binding and a consumer each, declared by clients that all come at once; then a message to each. */
async function reconnect(withOnePaused) {
  // The end of the lease of a node that stands still is a revision too.
  const environment = { CHAPAR_CLUSTER__LEASE_SECONDS: '60' };
  const play = async (cluster) => {
    const [a, b, c] = cluster.nodes;
    const ports = withOnePaused ? [a.port, b.port] : [a.port, b.port, c.port];
    const args = ['--port', `${a.port}`, '--ports', ports.join(','), '--bind', '--broker-pid', cluster.pids.join(',')];
    // What nodes do once and for all is not counted.
    await measure([...args, '--declare', '500', '--connections', '50']);
    const list = [];
    for (let round = 0; round < rounds; round++) {
      if (withOnePaused) cluster.signal(c, 'SIGSTOP');
      const before = cluster.revision();
      const result = await measure([...args, '--declare', `${QUEUES}`, '--connections', '1000']);
      // The exchange is written, and deleted.
      list.push({ ...result, writes: cluster.revision() - before - 2 });
      if (withOnePaused) cluster.signal(c, 'SIGCONT');
    }
    const who = withOnePaused ? ', one of three nodes standing still' : ', spread over three nodes';
    console.log(`${QUEUES} server-named queues, bound and consumed from, by 1000 connections at once${who}`);
    for (const { openSeconds, declareSeconds, reachedSeconds, writes, latencyNs, cpuSeconds } of list) {
      const all = (openSeconds + declareSeconds).toFixed(2);
      const each = `a queue p50 ${(latencyNs.p50 / 1e6).toFixed(0)} ms, p99 ${(latencyNs.p99 / 1e6).toFixed(0)} ms`;
      console.log(
        `  served in ${all} s (connected in ${openSeconds.toFixed(2)} s), ${each}, ${cpuSeconds.toFixed(1)} CPU s`,
      );
      console.log(
        `  each reached by a message within ${reachedSeconds.toFixed(2)} s; writes to etcd beside the exchange: ${writes}`,
      );
    }
    console.log('  wanted: served within 10 s, no write');
    return list;
  };
  return withCluster(3, play, environment);
}

/** Durable queues, 64 in flight, beside a RabbitMQ that is alone. */
async function declare() {
  const one = async (port, pids) =>
    measure(['--port', `${port}`, '--declare', `${DECLARES}`, '--durable', '--broker-pid', pids.join(',')]);
  const found = { Chapar: [], RabbitMQ: [] };
  await withCluster(3, async ({ nodes, pids }) => {
    const rabbit = RabbitMQ.installed() ? new RabbitMQ() : null;
    if (rabbit === null) console.log('RabbitMQ is not installed: Debian has the package rabbitmq-server');
    await rabbit?.start();
    try {
      for (let round = 0; round < rounds; round++) {
        found.Chapar.push(await one(nodes[0].port, pids));
        if (rabbit) found.RabbitMQ.push(await one(rabbit.port, [rabbit.pid]));
      }
    } finally {
      await rabbit?.stop();
    }
  });
  console.log(
    `${DECLARES} durable queues over 64 connections, each one after the other; three nodes of Chapar, one of RabbitMQ`,
  );
  const rates = Object.entries(found).map(([name, list]) => {
    const sorted = list.map(({ declaredPerSecond }) => declaredPerSecond).toSorted((x, y) => x - y);
    const median = sorted[Math.floor(sorted.length / 2)];
    if (median !== undefined)
      console.log(
        `  ${name.padEnd(9)} ${median.toFixed(0)} a second (${sorted[0].toFixed(0)} - ${sorted.at(-1).toFixed(0)})`,
      );
    return median;
  });
  console.log(`  ratio ${(rates[0] / rates[1]).toFixed(2)}; wanted: at least 3`);
  return found;
}

function middle(list) {
  const at = (key) => list.map((each) => each[key]).toSorted((x, y) => x - y)[Math.floor(list.length / 2)];
  return { cpuUs: at('cpuUs'), p50Us: at('p50Us') };
}

/** What spoils a figure. */
function complain(way, { missing, gaps, reordered, othersCpuShare, consumedPerSecond }) {
  if (missing || gaps || reordered)
    console.log(`! ${way}: missing ${missing}, gaps ${gaps}, out of order ${reordered}`);
  if (othersCpuShare > 0.2)
    console.log(`! ${way}: others used ${(100 * othersCpuShare).toFixed(0)} % of a core meanwhile`);
  if (consumedPerSecond < 0.98 * RATE) console.log(`! ${way}: only ${consumedPerSecond} msg/s arrived`);
}
