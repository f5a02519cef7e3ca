// The rows of MQTT's comparison with other brokers. `load`: as the generator's options; `measure` where a row takes more than one run.
import { generate } from './generator.mjs';

const perSecond = { unit: 'msg/s', better: 'more', read: ({ consumedPerSecond }) => consumedPerSecond };
const latency = (key, wanted) => ({
  label: key,
  unit: 'µs',
  better: 'less',
  wanted,
  read: ({ latencyNs }) => latencyNs[key] / 1000,
});
const ms = (label, read) => ({ label, unit: 'ms', better: 'less', read });

const UNRELATED = 100_000;
const TOPICS = 200_000;
const STORM = 10_000;

/** What 3.10's plug-in does not have. */
const NO_SHARED = { RabbitMQ: 'no shared subscriptions' };
const NO_QOS2 = { RabbitMQ: 'takes QoS 2 as QoS 1' };
const NO_RETAINED_WILDCARDS = { RabbitMQ: 'no retained messages for wildcards' };
const TOO_SLOW = { RabbitMQ: 'takes some hundred subscriptions a second' };

/** Beside none, and beside many that have nothing to do with it. So many topics that no broker remembers where all of them lead. */
async function unrelated(broker, { warmup, seconds }) {
  const common = { port: broker.mqttPort, pid: broker.pid, topics: TOPICS, warmup, seconds };
  // What a broker compiles or allots once is not to be counted for either.
  await generate('traffic', { ...common, seconds: 1 });
  const alone = await generate('traffic', common);
  const beside = await generate('traffic', { ...common, background: UNRELATED, backgroundClients: 100 });
  const cpu = ({ cpuSeconds, consumedPerSecond }) => cpuSeconds / (consumedPerSecond * Number(seconds));
  return { ...beside, alonePerSecond: alone.consumedPerSecond, cpuToAlone: cpu(beside) / cpu(alone) };
}

/** A million of them, and what a restart makes of it where they are kept. */
async function retained(broker, { topics }) {
  const common = { port: broker.mqttPort, topics };
  const result = await generate('retained', { ...common, pid: broker.pid });
  if (broker.name !== 'Chapar') return result;
  const restartSeconds = await broker.restart();
  const again = await generate('retained', { ...common, pid: broker.pid, withoutPut: true });
  return { ...result, restartSeconds, again };
}

const held = (of) => ms(`, others wait at most meanwhile`, (result) => of(result)?.pingNs.max / 1e6);

export const rows = [
  { name: 'qos0', title: '1 -> 1, QoS 0, 64 B', load: { qos: 0 }, figures: [{ ...perSecond, wanted: 1.2 }] },
  {
    name: 'qos1',
    title: '1 -> 1, QoS 1, 64 B, 100 in flight',
    load: { qos: 1 },
    figures: [{ ...perSecond, wanted: 2 }],
  },
  {
    name: 'qos2',
    title: '1 -> 1, QoS 2, 64 B, 100 in flight',
    load: { qos: 2 },
    figures: [perSecond],
    without: NO_QOS2,
  },
  {
    name: 'fanout',
    title: '1 -> 100, QoS 0, 64 B (deliveries)',
    load: { subscribers: 100 },
    figures: [{ ...perSecond, wanted: 3 }],
  },
  {
    name: 'fanout1',
    title: '1 -> 100, QoS 1, 64 B (deliveries)',
    load: { subscribers: 100, qos: 1 },
    figures: [perSecond],
  },
  { name: 'fanin', title: '100 -> 1, QoS 0, 64 B', load: { publishers: 100 }, figures: [{ ...perSecond, wanted: 1 }] },
  {
    name: 'shared',
    title: '1 -> 10 of one shared group, QoS 0, 64 B',
    load: { subscribers: 10, version: 5, filter: '$share/g/bench/+', shared: true },
    figures: [perSecond],
    without: NO_SHARED,
  },
  {
    name: 'shared1',
    title: '1 -> 10 of one shared group, QoS 1, 64 B',
    load: { subscribers: 10, version: 5, qos: 1, filter: '$share/g/bench/+', shared: true },
    figures: [perSecond],
    without: NO_SHARED,
  },
  {
    name: 'latency',
    title: '1 -> 1, QoS 0, 64 B, 5,000 msg/s',
    load: { rate: 5000 },
    figures: [latency('p50', 2.5), latency('p99', 4)],
  },
  {
    name: 'unrelated',
    title: '1 -> 1 over 200,000 topics, QoS 0, 64 B, beside 100,000 subscriptions that do not match',
    measure: unrelated,
    isFresh: true,
    figures: [
      perSecond,
      {
        label: ', to none beside it',
        unit: '%',
        better: 'more',
        read: ({ consumedPerSecond, alonePerSecond }) => (100 * consumedPerSecond) / alonePerSecond,
      },
      {
        label: ', CPU a message to none beside it',
        unit: '%',
        better: 'less',
        read: ({ cpuToAlone }) => 100 * cpuToAlone,
      },
      { label: ', subscribing', unit: '/s', better: 'more', read: ({ subscribesPerSecond }) => subscribesPerSecond },
      {
        label: ', RSS a subscription',
        unit: 'B',
        better: 'less',
        read: ({ rssBytesPerSubscription }) => rssBytesPerSubscription,
      },
    ],
    without: TOO_SLOW,
  },
  {
    name: 'retained',
    title: '1,000,000 retained topics, 64 B',
    measure: retained,
    isFresh: true,
    roundsMax: 1,
    figures: [
      { label: ', put with QoS 1', unit: '/s', better: 'more', read: ({ putPerSecond }) => putPerSecond },
      { label: ', RSS a topic', unit: 'B', better: 'less', read: ({ rssBytesPerTopic }) => rssBytesPerTopic },
      ms(', `#`: first', ({ all }) => all.firstMs),
      ms(', `#`: last', ({ all }) => all.lastMs),
      held(({ all }) => all),
      ms(', `+/5/x` (100 match): last', ({ narrow }) => narrow.lastMs),
      ms(', `+/+/y` (1 matches): last', ({ needle }) => needle.lastMs),
      held(({ needle }) => needle),
      ms(', start on them (Mosquitto is not durable here)', ({ restartSeconds }) => restartSeconds * 1000),
    ],
    without: NO_RETAINED_WILDCARDS,
  },
  {
    name: 'storm',
    title: `${STORM.toLocaleString('en')} connect at once, no limit`,
    kind: 'storm',
    isFresh: true,
    load: { connections: STORM, concurrent: 200, rate: 1000, warmup: 2 },
    figures: [
      { unit: '/s', better: 'more', read: ({ connectsPerSecond }) => connectsPerSecond },
      ms(', p99 of a pair at 1,000 msg/s', ({ latencyNs }) => latencyNs.p99 / 1e6),
    ],
  },
  {
    name: 'storm-limited',
    title: `${STORM.toLocaleString('en')} connect at once, with the limit that is the default`,
    kind: 'storm',
    isFresh: true,
    // Who is refused comes again within a second, as clients do.
    load: { connections: STORM, concurrent: 200, rate: 1000, warmup: 2, again: 500 },
    chapar: { CHAPAR_MQTT__CONNECTIONS_PER_SECOND: undefined },
    figures: [
      { unit: '/s', better: 'more', read: ({ connectsPerSecond }) => connectsPerSecond },
      { label: ', refused meanwhile', unit: 'times', better: 'less', read: ({ refused }) => refused },
      ms(', p99 of a pair at 1,000 msg/s', ({ latencyNs }) => latencyNs.p99 / 1e6),
      ms(', p99 of the pair before', ({ calmNs }) => calmNs.p99 / 1e6),
    ],
    without: { Mosquitto: 'has no such limit', RabbitMQ: 'has no such limit' },
  },
  {
    name: 'idle',
    title: '10,000 connections that are idle',
    isFresh: true,
    load: { publishers: 10_000, subscribers: 0, rate: 0.001 },
    figures: [
      { unit: 'B', better: 'less', wantedAtMost: 8192, read: ({ rssBytesPerConnection }) => rssBytesPerConnection },
    ],
  },
];
