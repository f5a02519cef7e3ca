// The rows of the comparison: what is driven, which figures are read, what the project wants of itself.
import { UsageError } from './options.mjs';

const perSecond = (key) => ({ unit: 'msg/s', better: 'more', read: (result) => result[key] });
const consumed = perSecond('consumedPerSecond');
const published = perSecond('publishedPerSecond');
const latency = (key) => ({ label: key, unit: 'µs', better: 'less', read: (result) => result.latencyNs[key] / 1000 });

const LATENCIES = [
  { ...latency('p50'), wanted: 1.1 },
  latency('p90'),
  { ...latency('p99'), wanted: 0.5 },
  latency('p999'),
  latency('max'),
  { label: 'send lag p99', unit: 'µs', better: 'less', read: (result) => result.sendLagNs.p99 / 1000 },
];

const ROUTE = (count) => ['--producers', `${count}`, '--queues', `${count}`, '--consumers', `${count}`];
const KIB = ['--size', '1024'];

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
    figures: [
      consumed,
      { label: 'confirm p50', unit: 'µs', better: 'less', read: (result) => result.confirmLatencyNs.p50 / 1000 },
      { label: 'confirm p99', unit: 'µs', better: 'less', read: (result) => result.confirmLatencyNs.p99 / 1000 },
    ],
  },
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

/** The rows with these names, in the order of the table; throws a UsageError on a name that there is not. */
export function rowsNamed(names) {
  if (!names) return ROWS;
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  const known = ROWS.map((row) => row.name).join(', ');
  if (unknown.length > 0) throw new UsageError(`no row is called ${unknown.join(', ')}; there are ${known}`);
  return ROWS.filter((row) => names.includes(row.name));
}
