// The rows of the comparison: what is driven, which figures are read, what the project wants of itself.
import { UsageError } from './options.mjs';

const perSecond = (key) => ({ unit: 'msg/s', better: 'more', read: (result) => result[key] });
const consumed = perSecond('consumedPerSecond');
const published = perSecond('publishedPerSecond');
const confirmed = perSecond('confirmedPerSecond');
const latency = (key) => ({ label: key, unit: 'µs', better: 'less', read: (result) => result.latencyNs[key] / 1000 });

const LATENCIES = [
  { ...latency('p50'), wanted: 1.1 },
  latency('p90'),
  { ...latency('p99'), wanted: 0.5 },
  latency('p999'),
  latency('max'),
  { label: 'send lag p99', unit: 'µs', better: 'less', read: (result) => result.sendLagNs.p99 / 1000 },
];

const confirmLatency = (key) => ({
  label: `confirm ${key}`,
  unit: 'µs',
  better: 'less',
  read: (result) => result.confirmLatencyNs[key] / 1000,
});
const mebibytes = (label, key) => ({ label, unit: 'MiB', better: 'less', read: (result) => result[key] / 2 ** 20 });

const ROUTE = (count) => ['--producers', `${count}`, '--queues', `${count}`, '--consumers', `${count}`];
const KIB = ['--size', '1024'];
const DURABLE = ['--durable', '--persistent'];
const BACKLOG = ['--backlog-only', '--producers', '1'];
const WAITING = [...ROUTE(1), '--size', '16'];
const WAITING_FIGURES = [
  { unit: 'B', better: 'less', read: (result) => result.rssBytesPerMessage, wantedAtMost: 32 },
  mebibytes('RSS in all', 'rssFullBytes'),
  { label: 'drain', ...perSecond('drainPerSecond'), wanted: 4 },
  { label: 'fill', ...perSecond('fillPerSecond') },
];

/** A durable queue with so many persistent messages of 1 KiB, and how long a start on it takes until the port answers. */
function restartRow(name, end, messages, onDemand) {
  const how = end === 'clean' ? 'a clean stop' : 'a kill -9';
  return {
    name,
    title: `start after ${how} with ${messages.toLocaleString('en')} persistent messages of 1 KiB until the port answers`,
    args: [...DURABLE, ...KIB, '--producers', '1', '--consumers', '0', '--confirm', '1000', '--backlog', `${messages}`],
    restart: end,
    freshBroker: true,
    onDemand,
    figures: [
      { unit: 's', better: 'less', read: (result) => result.restartSeconds, wantedAtMost: 5 },
      { label: 'on an empty directory', unit: 's', better: 'less', read: (result) => result.emptyStartSeconds },
      mebibytes('data directory', 'dataBytes'),
      mebibytes('RSS when it answers', 'rssBytes'),
      { label: 'fill', ...perSecond('fillPerSecond') },
    ],
  };
}

export const ROWS = [
  {
    name: 'one-16b',
    title: '1 producer, 1 queue, 1 consumer, 16 B, transient, auto-ack',
    args: [...ROUTE(1), '--size', '16'],
    figures: [{ ...consumed, wanted: 6 }],
  },
  {
    name: 'one-1k',
    title: '1 producer, 1 queue, 1 consumer, 1 KiB, transient, auto-ack',
    args: [...ROUTE(1), ...KIB],
    figures: [{ ...consumed, wanted: 4 }],
  },
  {
    name: 'fanout',
    title: '1 producer, fanout, 10 queues, 10 consumers, 1 KiB (deliveries)',
    args: ['--producers', '1', '--exchange', 'fanout', '--queues', '10', '--consumers', '10', ...KIB],
    figures: [{ ...consumed, wanted: 5 }],
  },
  {
    name: 'ten',
    title: '10 producers, 10 queues, 10 consumers, 1 KiB',
    args: [...ROUTE(10), ...KIB],
    figures: [{ ...consumed, wanted: 4 }],
  },
  {
    name: 'unbound',
    title: 'publish to an exchange without bindings, 1 KiB',
    args: ['--producers', '1', '--exchange', 'unbound', ...KIB],
    figures: [{ ...published, wanted: 3 }],
  },
  {
    name: 'latency',
    title: 'latency at 5,000 msg/s, 1 KiB, transient, auto-ack; the generator sleeps',
    args: [...ROUTE(1), ...KIB, '--rate', '5000'],
    figures: LATENCIES,
  },
  {
    name: 'latency-spin',
    title: 'the same; the generator polls and takes a core of its own',
    args: [...ROUTE(1), ...KIB, '--rate', '5000', '--spin'],
    figures: LATENCIES,
    generatorMayBeBusy: true,
  },
  {
    name: 'durable',
    title: 'durable queue, persistent 1 KiB, confirms (window 1,000), manual ack (prefetch 500)',
    args: [...ROUTE(1), ...KIB, '--durable', '--persistent', '--confirm', '1000', '--prefetch', '500'],
    figures: [consumed, confirmLatency('p50'), confirmLatency('p99')],
  },
  {
    name: 'durable-backlog',
    title: 'the same without a consumer: every byte reaches the disk',
    args: [...BACKLOG, ...DURABLE, ...KIB, '--confirm', '1000'],
    figures: [{ ...confirmed, wanted: 8 }, confirmLatency('p50'), confirmLatency('p99')],
  },
  {
    name: 'durable-one',
    title: 'durable queue, persistent 1 KiB, one message in flight, no consumer',
    args: [...BACKLOG, ...DURABLE, ...KIB, '--confirm', '1'],
    figures: [{ ...confirmed, wanted: 1.8 }, confirmLatency('p50'), confirmLatency('p99')],
  },
  {
    name: 'durable-queues',
    title: '1,000 durable queues written in turn, persistent 1 KiB, confirms (window 1,000)',
    args: [...BACKLOG, ...DURABLE, ...KIB, '--confirm', '1000', '--queues', '1000'],
    figures: [{ ...confirmed, wanted: 5 }, confirmLatency('p50'), confirmLatency('p99')],
  },
  {
    name: 'growing',
    title: 'publish only into a transient queue, 1 KiB, the backlog grows',
    args: [...BACKLOG, ...KIB],
    // Long enough to tell memory that grows with the backlog from memory that does not.
    secondsMin: 15,
    freshBroker: true,
    figures: [
      { ...published, wanted: 4 },
      {
        label: 'highest RSS',
        unit: 'MiB',
        better: 'less',
        read: (result) => result.broker?.peakRssBytes / 2 ** 20,
        wantedAtMost: 400,
      },
    ],
  },
  {
    name: 'waiting',
    title: '1,000,000 messages of 16 B wait in a transient queue: RSS growth each',
    args: [...WAITING, '--backlog', '1000000'],
    freshBroker: true,
    figures: WAITING_FIGURES,
  },
  {
    name: 'waiting-10m',
    title: '10,000,000 messages of 16 B wait in a transient queue: RSS growth each',
    args: [...WAITING, '--backlog', '10000000'],
    freshBroker: true,
    onDemand: true,
    figures: [
      ...WAITING_FIGURES.slice(0, 1),
      { ...mebibytes('RSS in all', 'rssFullBytes'), wantedAtMost: 300 },
      ...WAITING_FIGURES.slice(2),
    ],
  },
  restartRow('restart', 'clean', 200_000, false),
  restartRow('restart-kill9', 'kill9', 200_000, false),
  restartRow('restart-5m', 'clean', 5_000_000, true),
  restartRow('restart-5m-kill9', 'kill9', 5_000_000, true),
  {
    name: 'idle',
    title: 'idle connection, RSS each (10,000 open)',
    args: ['--connections-idle', '10000'],
    // Memory that a broker once had stays with it: each measurement gets a broker that was just started.
    freshBroker: true,
    withoutWarmup: true,
    figures: [{ unit: 'KiB', better: 'less', read: (result) => result.rssBytesPerConnection / 1024, wantedAtMost: 12 }],
  },
];

/** The rows with these names, in the order of the table, or all that are not on demand only; throws a UsageError on a name that there is not. */
export function rowsNamed(names) {
  if (!names) return ROWS.filter((row) => !row.onDemand);
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  const known = ROWS.map((row) => row.name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no row is called ${unknown.join(', ')}; there are ${known}`);
  return ROWS.filter((row) => names.includes(row.name));
}
