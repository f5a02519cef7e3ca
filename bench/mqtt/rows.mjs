// The rows of MQTT's comparison with Mosquitto: [publishers, subscribers, QoS, bytes, messages a second (0: flat out)].
const perSecond = { unit: 'msg/s', better: 'more', read: ({ consumedPerSecond }) => consumedPerSecond };
const latency = (key, wanted) => ({
  label: key,
  unit: 'µs',
  better: 'less',
  wanted,
  read: ({ latencyNs }) => latencyNs[key] / 1000,
});

export const rows = [
  { name: 'qos0', title: '1 -> 1, QoS 0, 64 B', load: [1, 1, 0, 64, 0], figures: [{ ...perSecond, wanted: 1.2 }] },
  {
    name: 'qos1',
    title: '1 -> 1, QoS 1, 64 B, 100 in flight',
    load: [1, 1, 1, 64, 0],
    figures: [{ ...perSecond, wanted: 2 }],
  },
  { name: 'qos2', title: '1 -> 1, QoS 2, 64 B, 100 in flight', load: [1, 1, 2, 64, 0], figures: [perSecond] },
  {
    name: 'fanout',
    title: '1 -> 100, QoS 0, 64 B (deliveries)',
    load: [1, 100, 0, 64, 0],
    figures: [{ ...perSecond, wanted: 3 }],
  },
  { name: 'fanin', title: '100 -> 1, QoS 0, 64 B', load: [100, 1, 0, 64, 0], figures: [{ ...perSecond, wanted: 1 }] },
  {
    name: 'latency',
    title: '1 -> 1, QoS 0, 64 B, 5,000 msg/s',
    load: [1, 1, 0, 64, 5000],
    figures: [latency('p50', 2.5), latency('p99', 4)],
  },
  {
    name: 'idle',
    title: '10,000 connections that are idle',
    load: [10_000, 0, 0, 64, 0.001],
    figures: [
      { unit: 'B', better: 'less', wantedAtMost: 8192, read: ({ rssBytesPerConnection }) => rssBytesPerConnection },
    ],
  },
];
