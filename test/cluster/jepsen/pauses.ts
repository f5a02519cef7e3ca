import type { Entry } from '../ledger/entry.js';
import type { Span } from './timeline.js';

/** A queue confirmed nothing from when to when; milliseconds since 1970. */
export interface Pause {
  readonly queue: string;
  readonly fromMs: number;
  readonly lastsMs: number;
}

/** What is done to a cluster shows for a moment after it was undone. */
const aftermathMs = 1000;

/**
 * The longest time in which a queue confirmed nothing, for each kind of thing that was wrong then, and for the times when nothing was
 * (`nothing`). A pause during two of them counts for both. All publishers publish to all queues all the time.
 */
export function longestPauses(ledgers: readonly (readonly Entry[])[], spans: readonly Span[]): Map<string, Pause> {
  const longest = new Map<string, Pause>();
  for (const [queue, times] of confirmTimes(ledgers)) {
    for (let i = 1; i < times.length; i++) {
      const pause = { queue, fromMs: times[i - 1]!, lastsMs: times[i]! - times[i - 1]! };
      for (const kind of kindsDuring(pause, spans)) {
        if (pause.lastsMs > (longest.get(kind)?.lastsMs ?? -1)) longest.set(kind, pause);
      }
    }
  }
  return longest;
}

function kindsDuring({ fromMs, lastsMs }: Pause, spans: readonly Span[]): Set<string> {
  const meeting = (afterMs: number) =>
    spans.filter((span) => fromMs < span.toMs + afterMs && fromMs + lastsMs > span.fromMs).map(({ kind }) => kind);
  const during = meeting(0);
  const around = during.length > 0 ? during : meeting(aftermathMs);
  return new Set(around.length === 0 ? ['nothing'] : around);
}

/** Of each queue, upwards. */
function confirmTimes(ledgers: readonly (readonly Entry[])[]): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const ledger of ledgers) {
    /** Those without a verdict: publisher and number, and the queue. */
    const open = new Map<string, string>();
    for (const entry of ledger) {
      if (entry.e === 'published' && entry.q !== null) open.set(`${entry.p} ${entry.id}`, entry.q);
      if (entry.e !== 'confirmed') continue;
      const queue = open.get(`${entry.p} ${entry.id}`);
      if (queue === undefined) continue;
      open.delete(`${entry.p} ${entry.id}`);
      const those = times.get(queue) ?? [];
      times.set(queue, those);
      those.push(entry.t);
    }
  }
  for (const those of times.values()) those.sort((a, b) => a - b);
  return times;
}
