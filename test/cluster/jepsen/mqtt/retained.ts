import type { Calm } from './calm.js';
import type { MqttEntry, Read } from './entry.js';
import type { Faults } from './faults.js';
import type { Message } from './inbox.js';

export interface RetainedCounts {
  reads: number;
  /** Who asked got an older one than was acknowledged before; while something was wrong. */
  readsOld: number;
}

/**
 * In the end all nodes have the same last value of each topic: the last one that was acknowledged, or one that was published and got no
 * answer, on at least one of the connections that carried it. Who asks while all is well gets nothing older than what was acknowledged before.
 */
export function checkRetained(
  entries: readonly MqttEntry[],
  messages: ReadonlyMap<string, Message>,
  nodes: readonly string[],
  calm: Calm,
  faults: Faults,
): RetainedCounts {
  const counts = { reads: 0, readsOld: 0 };
  /** By topic, the number of the last one that was acknowledged by now. */
  const acked = new Map<string, { readonly n: number; readonly t: number }[]>();
  const last = new Map<string, Read[]>();
  for (const entry of entries) {
    if (entry.e === 'acked') {
      const topic = messages.get(`${entry.p} ${entry.n}`)?.topic;
      if (topic !== undefined && isRetained(topic)) add(acked, topic, { n: entry.n, t: entry.t });
    }
    if (entry.e !== 'read') continue;
    counts.reads++;
    const { p, n, topic, askedMs, t, isLast } = entry;
    if (messages.get(`${p} ${n}`)?.topic !== topic) faults.add('from nowhere', entry, `is retained in ${topic}`);
    if (isLast) add(last, topic, entry);
    const before = acked.get(topic)?.findLast((each) => each.t < askedMs);
    if (before === undefined || n >= before.n || isLast) continue;
    if (calm.during(askedMs, t))
      faults.add('old', entry, `is retained in ${topic} at ${entry.at}, ${before.n} was acknowledged`);
    else counts.readsOld++;
  }
  for (const [topic, answered] of acked) {
    const published = [...messages.values()].filter((message) => message.topic === topic);
    checkLast(topic, answered.at(-1)!, last.get(topic) ?? [], published, nodes, faults);
  }
  return counts;
}

function add<T>(lists: Map<string, T[]>, topic: string, one: T): void {
  const list = lists.get(topic);
  if (list === undefined) lists.set(topic, [one]);
  else list.push(one);
}

function isRetained(topic: string): boolean {
  return topic.startsWith('last/');
}

function checkLast(
  topic: string,
  answered: { readonly n: number; readonly t: number },
  reads: readonly Read[],
  published: readonly Message[],
  nodes: readonly string[],
  faults: Faults,
): void {
  const { p } = published[0]!;
  for (const node of nodes) {
    const those = reads.filter(({ at }) => at === node);
    if (those.length === 0)
      faults.add('not retained', { p, ...answered }, `was acknowledged, and ${node} has nothing in ${topic}`);
  }
  const values = new Set(reads.map(({ n }) => n));
  if (values.size > 1) {
    const shown = reads.map(({ at, n }) => `${n} at ${at}`).join(', ');
    faults.add('retained differently', { p, ...answered }, `was acknowledged in ${topic}; there are ${shown}`);
  }
  for (const n of values) {
    if (n >= answered.n) continue;
    const message = published.find((each) => each.n === n);
    const hasOpenCopy = message !== undefined && [...message.copies.values()].includes(false);
    if (!hasOpenCopy)
      faults.add(
        'retained old',
        { p, n, t: answered.t },
        `is the last in ${topic}, and ${answered.n} was acknowledged`,
      );
  }
}
