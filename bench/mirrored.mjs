// node bench/mirrored.mjs [replicated] [failover]: what queues with copies on three nodes cost on this machine; see README.md.
// Without names both. `--rounds N` (3), `--seconds N` of each measurement (5), `--json FILE`.
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { Cluster } from './brokers/cluster.mjs';
import { RabbitMQ, RabbitMQCluster } from './brokers/rabbitmq.mjs';
import { buildGenerator, measure } from './generator.mjs';

const NODES = 3;
const QUEUES = 1_000;
const LED_SECONDS_MAX = 60;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const measurements = { replicated, failover };
const unknown = positionals.find((name) => !(name in measurements));
if (unknown !== undefined || !(rounds > 0)) {
  console.error(
    `node bench/mirrored.mjs [${Object.keys(measurements).join('] [')}] [--rounds N] [--seconds N] [--json FILE]`,
  );
  process.exit(2);
}

buildGenerator();
const results = {};
for (const name of positionals.length > 0 ? positionals : Object.keys(measurements)) {
  results[name] = await measurements[name]();
  console.log();
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);

/** One queue with three copies, 1 KiB, confirms: by the node that leads, by another one, and the same with RabbitMQ. */
async function replicated() {
  const chapar = new Cluster(NODES);
  const rabbit = RabbitMQ.installed() ? new RabbitMQCluster(NODES) : null;
  if (rabbit === null) console.log('RabbitMQ is not installed: Debian has the package rabbitmq-server');
  const found = {};
  try {
    await chapar.start();
    await rabbit?.start();
    const ways = { 'Chapar, at the leader': [chapar, 0], 'Chapar, at another node': [chapar, 1] };
    if (rabbit !== null) ways['RabbitMQ, at the leader'] = [rabbit, 0];
    for (const way of Object.keys(ways)) found[way] = [];
    for (let round = 0; round < rounds; round++) {
      for (const [way, [{ nodes, pids }, at]] of Object.entries(ways)) {
        const ports = ['--port', `${nodes[at].port}`, '--home-port', `${nodes[0].port}`];
        const consumer = ['--consumer-port', `${nodes[0].port}`];
        const load = ['--quorum', '--persistent', '--size', '1024', '--confirm', '1000', '--prefetch', '500'];
        const timing = ['--seconds', values.seconds, '--warmup', '2', '--broker-pid', pids.join(',')];
        const result = await measure([...ports, ...consumer, ...load, ...timing]);
        complain(way, result);
        found[way].push(result);
      }
    }
  } finally {
    await rabbit?.stop();
    await chapar.stop();
  }
  console.log(`a queue with three copies, 1 KiB, confirms (window 1,000), manual ack (prefetch 500); ${rounds} rounds`);
  const rates = {};
  for (const [way, list] of Object.entries(found)) {
    const at = (read) => list.map(read).toSorted((x, y) => x - y);
    const consumed = at(({ consumedPerSecond }) => consumedPerSecond);
    rates[way] = median(consumed);
    const confirm = median(at(({ confirmLatencyNs }) => confirmLatencyNs.p50)) / 1e6;
    const cpu = median(at(({ broker }) => broker.cpuSecondsPerMillion));
    console.log(
      `  ${way.padEnd(24)} ${rates[way].toFixed(0)} msg/s (${consumed[0].toFixed(0)} - ${consumed.at(-1).toFixed(0)}), confirm p50 ${confirm.toFixed(1)} ms, ${cpu.toFixed(0)} us CPU a message`,
    );
  }
  const ratio = (a, b) => (rates[a] / rates[b]).toFixed(2);
  if (rabbit !== null)
    console.log(`  ratio to RabbitMQ ${ratio('Chapar, at the leader', 'RabbitMQ, at the leader')}; wanted: at least 4`);
  console.log(
    `  another node to the leader ${ratio('Chapar, at another node', 'Chapar, at the leader')}; wanted: at least 0.65`,
  );
  return found;
}

/** A thousand queues lose their leader at once: how long until each has taken a message again. */
async function failover() {
  const list = [];
  for (let round = 0; round < rounds; round++) {
    const cluster = new Cluster(NODES);
    await cluster.start();
    try {
      list.push(await oneFailover(cluster));
    } finally {
      await cluster.stop();
    }
  }
  for (const { firstMs, lastMs } of list) {
    console.log(
      `  ${QUEUES} queues after their leader was killed: the first confirms after ${firstMs} ms, the last after ${lastMs} ms`,
    );
  }
  console.log('  wanted: all led again within 3 s of the moment the death is certain');
  return list;
}

async function oneFailover({ nodes }) {
  const [leader, other] = nodes;
  const names = Array.from({ length: QUEUES }, (_, i) => `bench.mirrored.${i}`);
  const there = await connect(`amqp://127.0.0.1:${leader.port}`);
  there.on('error', () => undefined);
  const channel = await there.createChannel();
  channel.on('error', () => undefined);
  await Promise.all(names.map((name) => channel.assertQueue(name, { arguments: { 'x-queue-type': 'quorum' } })));
  const here = await connect(`amqp://127.0.0.1:${other.port}`);
  const publisher = await here.createConfirmChannel();
  const publish = (name) =>
    new Promise((resolve, reject) => {
      publisher.sendToQueue(name, Buffer.from('x'), { persistent: true }, (error) =>
        error ? reject(error) : resolve(performance.now()),
      );
    });
  await Promise.all(names.map(publish));
  await sleep(1000);
  process.kill(leader.pid, 'SIGKILL');
  const killedMs = performance.now();
  const untilMs = killedMs + LED_SECONDS_MAX * 1000;
  const again = async (name) => {
    for (;;) {
      const confirmedMs = await publish(name).catch(() => null);
      if (confirmedMs !== null) return confirmedMs - killedMs;
      if (performance.now() > untilMs) throw new Error(`${name} has no leader after ${LED_SECONDS_MAX} s`);
      await sleep(50);
    }
  };
  const after = (await Promise.all(names.map(again))).toSorted((x, y) => x - y);
  await here.close();
  return { firstMs: Math.round(after[0]), lastMs: Math.round(after.at(-1)) };
}

function median(sorted) {
  return sorted[Math.floor(sorted.length / 2)];
}

/** What spoils a figure. */
function complain(way, { missing, gaps, reordered, othersCpuShare }) {
  if (missing || gaps || reordered)
    console.log(`! ${way}: missing ${missing}, gaps ${gaps}, out of order ${reordered}`);
  if (othersCpuShare > 0.2)
    console.log(`! ${way}: others used ${(100 * othersCpuShare).toFixed(0)} % of a core meanwhile`);
}
