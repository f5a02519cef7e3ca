import type { Delivered, Entry } from '../ledger/entry.js';

/** Something that was settled for good, and came again. */
export interface CameBack {
  readonly p: string;
  readonly id: number;
  readonly text: string;
}

/** Clients write down what they saw when they come to it, and disks have what was settled a little later. Milliseconds. */
const slackMs = 1000;

interface Held {
  readonly delivered: Delivered;
  /** Null: never. */
  ackedMs: number | null;
}

/**
 * Nobody tells a consumer that its acknowledgement has arrived, so what it settled may come again. But not what it settled before a moment
 * at which all was well (`quiet`, milliseconds since 1970, upwards), on a connection that was still there then, when it was the last who
 * had that message: then everybody who counts has had the time to write it down, and it never comes again, flagged or not.
 */
export function cameBack(ledgers: readonly (readonly Entry[])[], quiet: readonly number[]): CameBack[] {
  const found: CameBack[] = [];
  for (const all of heldCopies(ledgers).values()) {
    for (const [i, { delivered, ackedMs }] of all.entries()) {
      const next = all[i + 1];
      if (next === undefined || ackedMs === null) continue;
      const goodMs = quiet.find((ms) => ms > ackedMs + slackMs);
      if (goodMs === undefined || next.delivered.t < goodMs + slackMs) continue;
      if (endOf(delivered, ledgers) < goodMs + slackMs) continue;
      const { p, id, c, q } = delivered;
      const [acked, again] = [ackedMs, next.delivered.t].map((ms) => new Date(ms).toISOString().slice(11, 23));
      found.push({
        p,
        id,
        text: `settled: ${p} ${id} was acked by ${c} (${acked}) and came out of ${q} again (${again})`,
      });
    }
  }
  return found;
}

/** Of each copy, who had it, one after the other. */
function heldCopies(ledgers: readonly (readonly Entry[])[]): Map<string, Held[]> {
  const copies = new Map<string, Held[]>();
  for (const ledger of ledgers) {
    /** Of this consumer, by its connection and the message: the last time that it got it. */
    const mine = new Map<string, Held>();
    for (const entry of ledger) {
      if (entry.e === 'delivered') {
        const held = { delivered: entry, ackedMs: null };
        mine.set(`${entry.s} ${entry.p} ${entry.id}`, held);
        const key = `${entry.p} ${entry.ps} ${entry.id}`;
        copies.set(key, [...(copies.get(key) ?? []), held]);
      } else if (entry.e === 'acked') {
        const held = mine.get(`${entry.s} ${entry.p} ${entry.id}`);
        if (held !== undefined) held.ackedMs = entry.t;
      }
    }
  }
  for (const all of copies.values()) all.sort((one, other) => one.delivered.t - other.delivered.t);
  return copies;
}

/** Until when the connection that brought it was there for sure: its consumer had no trouble. */
function endOf({ c, t }: Delivered, ledgers: readonly (readonly Entry[])[]): number {
  const ledger = ledgers.find((each) => each.some((entry) => 'c' in entry && entry.c === c))!;
  const end = ledger.find(
    (entry) => entry.t >= t && (entry.e === 'trouble' || entry.e === 'connected' || entry.e === 'cancelled'),
  );
  return end?.t ?? Infinity;
}
