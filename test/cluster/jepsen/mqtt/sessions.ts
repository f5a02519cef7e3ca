import type { Calm } from './calm.js';
import { answeredGoodbye } from './connection.js';
import type { MqttEntry } from './entry.js';
import type { Faults } from './faults.js';

export interface WillCounts {
  /** Of connections that ended without a goodbye. */
  wills: number;
  willsTwice: number;
  willsLost: number;
}

interface Connection {
  readonly c: string;
  readonly k: number;
  readonly fromMs: number;
  isOpen: boolean;
  leftMs: number | null;
  over: { readonly t: number; readonly text: string } | null;
  /** How often its will came, and how often without DUP. */
  wills: number;
  freshWills: number;
}

/** A session that a client once had is there whenever it connects: none of them expires in a round. */
export function checkSessions(entries: readonly MqttEntry[], faults: Faults): void {
  const had = new Set<string>();
  for (const entry of entries) {
    if (entry.e !== 'connected') continue;
    const { c, k, t, present } = entry;
    if (had.has(c) && !present)
      faults.add('session lost', { p: c, n: k, t }, 'is its connection, and finds no session');
    had.add(c);
  }
}

/**
 * The will of each connection that was let in and ended without a goodbye comes, and that of no other does. Those that come twice are
 * faults or only counted.
 */
export function checkWills(
  entries: readonly MqttEntry[],
  calm: Calm,
  judged: 'once' | 'at-least-once',
  faults: Faults,
): WillCounts {
  const counts = { wills: 0, willsTwice: 0, willsLost: 0 };
  const connections = connectionsOf(entries);
  const sinceMs = entries.find((entry) => entry.e === 'subscribed' && entry.filter.startsWith('will/'))?.t ?? Infinity;
  for (const entry of entries) {
    if (entry.e !== 'will') continue;
    const { of, n, t, dup } = entry;
    const connection = connections.get(`${of} ${n}`);
    if (connection === undefined)
      faults.add('from nowhere', { p: of, n, t }, 'is a will, and no such connection was made');
    else {
      connection.wills++;
      if (!dup) connection.freshWills++;
    }
  }
  for (const { c, k, fromMs, isOpen, leftMs, over, wills, freshWills } of connections.values()) {
    const of = { p: c, n: k, t: over?.t ?? fromMs };
    if (freshWills > 1) {
      counts.willsTwice++;
      if (judged === 'once') faults.add('will twice', of, `is a connection whose will came ${freshWills} times`);
    }
    if (fromMs < sinceMs || !isOpen || over === null) continue;
    if (leftMs === null) {
      counts.wills++;
      if (wills > 0) continue;
      counts.willsLost++;
      faults.add('will lost', of, `is a connection that ended (${over.text}), and its will never came`);
    } else if (wills > 0 && over.text === answeredGoodbye && calm.during(leftMs, over.t))
      faults.add('will', { p: c, n: k, t: leftMs }, 'said goodbye, and its will was sent');
  }
  return counts;
}

/** How many wills are still to come. */
export function owedWills(entries: readonly MqttEntry[]): number {
  const connections = connectionsOf(entries);
  for (const entry of entries) if (entry.e === 'will') connections.delete(`${entry.of} ${entry.n}`);
  return [...connections.values()].filter(({ isOpen, leftMs, over }) => isOpen && leftMs === null && over !== null)
    .length;
}

function connectionsOf(entries: readonly MqttEntry[]): Map<string, Connection> {
  const connections = new Map<string, Connection>();
  for (const { e, c, k, t, ...rest } of entries) {
    const key = `${c} ${k}`;
    if (e === 'connecting') {
      connections.set(key, { c, k, fromMs: t, isOpen: false, leftMs: null, over: null, wills: 0, freshWills: 0 });
      continue;
    }
    const connection = connections.get(key);
    if (connection === undefined) continue;
    if (e === 'connected') connection.isOpen = true;
    else if (e === 'left') connection.leftMs = t;
    else if (e === 'over') connection.over = { t, text: 'text' in rest ? rest.text : '' };
  }
  return connections;
}
