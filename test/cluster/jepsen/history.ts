import type { Entry } from '../ledger/entry.js';

export interface Named {
  /** Of the client. */
  readonly name: string;
  readonly entries: readonly Entry[];
}

/**
 * The first message of each publisher that got no verdict on the connection that it had in the end. There is one where somebody waited in
 * vain.
 */
export function withoutVerdict(ledgers: readonly Named[]): { readonly p: string; readonly id: number }[] {
  return ledgers.flatMap(({ entries }) => {
    const open = new Map<number, { readonly p: string; readonly id: number; readonly s: number }>();
    let last = 0;
    for (const entry of entries) {
      if (entry.e === 'published') {
        open.set(entry.id, entry);
        last = entry.s;
      } else if (entry.e === 'confirmed' || entry.e === 'nacked') open.delete(entry.id);
    }
    const first = [...open.values()].find(({ s }) => s === last);
    return first === undefined ? [] : [{ p: first.p, id: first.id }];
  });
}

/** All that any client saw of one message, in the order of time, with where each of them was connected then. For people. */
export function historyOf(p: string, id: number, ledgers: readonly Named[]): string[] {
  const seen: { readonly t: number; readonly text: string }[] = [];
  for (const { name, entries } of ledgers) {
    let at = 'nowhere';
    for (const entry of entries) {
      if (entry.e === 'connected') at = entry.text;
      if (!('id' in entry) || entry.id !== id || entry.p !== p) continue;
      const { t, e, p: _, id: __, ...rest } = entry;
      seen.push({ t, text: `${e} ${JSON.stringify(rest)}, by ${name} at ${at}` });
    }
  }
  seen.sort((a, b) => a.t - b.t);
  return seen.map(({ t, text }) => `${new Date(t).toISOString().slice(11, 23)}  ${text}`);
}
