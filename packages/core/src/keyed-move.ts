import type { Clock } from '@chapar/platform';
import type { Refusal } from './door/confirms.js';
import { type KeyedCondition, onlyAbsent } from './keyed-entry.js';
import type { KeyedEntry, KeyedLog } from './keyed-log.js';
import type { KeyedArrival, SharedKeyedLog } from './shared-keyed-log.js';
import type { Turn } from './turn.js';

/** Under way at a time. */
const atOnce = 500;
/** After a refusal: nobody leads, or there are not enough copies. Milliseconds. */
const againMs = 1000;

/**
 * What a node kept while it was alone goes into the log of the cluster that it has become, and leaves the node's own when it is there. A key
 * that the cluster has already stays as it is. A crash between the two only has it said again. `arrival`: in which order, and on which condition.
 */
export async function moveKeyed(
  entries: readonly KeyedEntry[],
  from: KeyedLog,
  to: SharedKeyedLog,
  parts: MoveParts,
  arrival: KeyedArrival | undefined,
): Promise<void> {
  if (arrival === undefined) {
    await moveAll(entries, from, to, parts, onlyAbsent);
    return;
  }
  await arrival.begin(to);
  const isLast = ({ key }: KeyedEntry): boolean => arrival.comesLast(key);
  const firsts = entries.filter((entry) => !isLast(entry));
  for (const each of [firsts, entries.filter(isLast)]) await moveAll(each, from, to, parts, arrival.onlyIf);
  if (!parts.turn.isStopped) arrival.end(to);
}

interface MoveParts {
  readonly clock: Clock;
  readonly turn: Turn;
}

async function moveAll(
  entries: readonly KeyedEntry[],
  from: KeyedLog,
  to: SharedKeyedLog,
  { clock, turn }: MoveParts,
  onlyIf: KeyedCondition,
): Promise<void> {
  for (let at = 0; at < entries.length && !turn.isStopped; ) {
    const part = entries.slice(at, at + atOnce);
    const refused = await Promise.all(part.map((entry) => move(entry, from, to, onlyIf)));
    if (refused.some((why) => why !== null)) await new Promise<void>((done) => clock.after(againMs, done));
    else at += part.length;
  }
}

/** Resolves with why it was refused, or null. What has left the log is put once more when others of its part were refused: it is there already. */
function move(
  { key, value, position }: KeyedEntry,
  from: KeyedLog,
  to: SharedKeyedLog,
  onlyIf: KeyedCondition,
): Promise<Refusal | null> {
  return new Promise((resolve) => {
    const committed = (): void => {
      from.remove(key, position, null);
      resolve(null);
    };
    to.put(key, value, { committed, refused: resolve }, onlyIf);
  });
}
