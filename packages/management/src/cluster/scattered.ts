import type { Broker, JsonValue } from '@chapar/core';
import type { Call } from '../call.js';
import type { Row } from '../json/counters.js';
import { cut, list, type Selected, select } from '../listing.js';
import { Pace } from '../pace.js';
import { readPage } from '../paging.js';
import type { Reply } from '../reply.js';
import { compareValues, dottedValue, sortInSlices } from '../sorting.js';
import { type Peers, withSilent } from './peers.js';

/** Which of the scattered things are asked for; null: whichever. A type, so that it is JSON. */
export type Scope = {
  readonly vhosts: readonly string[] | null;
  /** Whose. */
  readonly user: string | null;
  /** Of that name. */
  readonly connection: string | null;
  /** Consumers of a queue of that name. */
  readonly queue: string | null;
};

export const everywhere: Scope = { vhosts: null, user: null, connection: null, queue: null };

/** What lives where its connection is, and is listed over all nodes: each node chooses and sorts its own, whoever asks merges. */
export interface Scattered<T> {
  /** `connections` and the like: what nodes ask each other for. */
  readonly kind: string;
  items(broker: Broker, scope: Scope): Promise<readonly T[]>;
  /** What the query's `name` filters by. */
  name(item: T): string;
  order(a: T, b: T): number;
  /** The columns that `order` goes by. */
  readonly orderColumns: readonly (readonly string[])[];
  json(broker: Broker, item: T): Row;
}

/** Rows that travel together. */
const portionLength = 500;

type Question = {
  readonly scope: Scope;
  readonly query: readonly (readonly [string, string])[];
  readonly from: number;
  readonly count: number;
};
type Portion = { readonly rows: Row[]; readonly filtered: number; readonly total: number };

/** The list that a caller asked for, of all nodes. */
export async function listScattered<T>(call: Call, peers: Peers, what: Scattered<T>, scope: Scope): Promise<Reply> {
  const { broker, query } = call;
  const { clock } = broker.platform;
  const own = await listingOf(broker, what, scope);
  if (peers.others.length === 0) return list(query, clock, own);
  const page = readPage(query);
  const wanted = page === null ? Number.POSITIVE_INFINITY : page.number * page.size;
  const selected = await select(query, clock, own);
  const { parts, silent } = await fetchAll(peers, what.kind, { scope, query: forPeers(query), wanted });
  parts.push({ ...selected, rows: selected.items.slice(0, wanted).map((item) => what.json(broker, item)) });
  const merged = await merge(call, what, parts);
  return withSilent(await cut(query, clock, { json: (row: Row) => row }, merged), silent);
}

/** All rows of a scope, of all nodes, in no order. */
export async function gatherScattered<T>(
  broker: Broker,
  peers: Peers,
  what: Scattered<T>,
  scope: Scope,
): Promise<{ readonly rows: Row[]; readonly silent: readonly string[] }> {
  const own = (await what.items(broker, scope)).map((item) => what.json(broker, item));
  const { parts, silent } = await fetchAll(peers, what.kind, { scope, query: [], wanted: Number.POSITIVE_INFINITY });
  return { rows: [...own, ...parts.flatMap(({ rows }) => rows)], silent };
}

/** The one row that `scope` names, wherever it is; null: nowhere. */
export async function findScattered<T>(
  broker: Broker,
  peers: Peers,
  what: Scattered<T>,
  scope: Scope,
  name: string,
): Promise<{ readonly row: Row; readonly node: string } | null> {
  for (const item of await what.items(broker, scope)) {
    if (what.name(item) === name) return { row: what.json(broker, item), node: broker.identity.node };
  }
  const { answers } = await peers.askAll(`${what.kind}.one`, { scope, name });
  for (const [node, row] of answers) if (row !== null) return { row: row as Row, node };
  return null;
}

/** Answers what other nodes ask for with the two above. */
export function answerScattered<T>(broker: Broker, peers: Peers, what: Scattered<T>): void {
  const { membership } = peers;
  membership?.answer(what.kind, async (body) => {
    const { scope, query, from, count } = body as unknown as Question;
    const listing = await listingOf(broker, what, scope);
    const { items, filtered, total } = await select(new Map(query), broker.platform.clock, listing);
    return { rows: items.slice(from, from + count).map((item) => what.json(broker, item)), filtered, total };
  });
  membership?.answer(`${what.kind}.one`, async (body) => {
    const { scope, name } = body as unknown as { scope: Scope; name: string };
    const found = (await what.items(broker, scope)).find((item) => what.name(item) === name);
    return found === undefined ? null : what.json(broker, found);
  });
}

// ---------------------------------------------------------------------------------------------------------------

async function listingOf<T>(broker: Broker, what: Scattered<T>, scope: Scope) {
  return {
    items: await what.items(broker, scope),
    name: (item: T) => what.name(item),
    order: (a: T, b: T) => what.order(a, b),
    json: (item: T): JsonValue => what.json(broker, item),
  };
}

/** Of the query, what decides which rows come first. */
function forPeers(query: ReadonlyMap<string, string>): [string, string][] {
  return [...query].filter(([key]) => key !== 'columns');
}

interface Wish extends Pick<Question, 'scope' | 'query'> {
  readonly wanted: number;
}

async function fetchAll(
  peers: Peers,
  kind: string,
  wish: Wish,
): Promise<{ readonly parts: Portion[]; readonly silent: string[] }> {
  const parts: Portion[] = [];
  const silent: string[] = [];
  const fetchFrom = async (node: string): Promise<void> => {
    try {
      parts.push(await fetchRows(peers, node, kind, wish));
    } catch {
      silent.push(node);
    }
  };
  await Promise.all(peers.others.map(fetchFrom));
  return { parts, silent };
}

async function fetchRows(peers: Peers, node: string, kind: string, { scope, query, wanted }: Wish): Promise<Portion> {
  const rows: Row[] = [];
  for (;;) {
    const count = Math.min(portionLength, wanted - rows.length);
    const answer = (await peers.ask(node, kind, { scope, query, from: rows.length, count })) as unknown as Portion;
    rows.push(...answer.rows);
    const { filtered, total } = answer;
    // Things come and go between two portions: an empty one is the end, too.
    if (answer.rows.length === 0 || rows.length >= Math.min(wanted, filtered)) return { rows, filtered, total };
  }
}

async function merge<T>(call: Call, what: Scattered<T>, parts: readonly Portion[]): Promise<Selected<Row>> {
  const sort = call.query.get('sort') ?? '';
  const columns = sort === '' ? what.orderColumns : [sort.split('.'), ...what.orderColumns];
  const sign = call.query.get('sort_reverse') === 'true' ? -1 : 1;
  const compare = (a: Row, b: Row): number => {
    for (const column of columns) {
      const order = compareValues(dottedValue(a, column), dottedValue(b, column));
      if (order !== 0) return sign * order;
    }
    return 0;
  };
  const rows = parts.flatMap((part) => part.rows);
  const items = await sortInSlices(rows, compare, new Pace(call.broker.platform.clock));
  const sum = (field: 'filtered' | 'total') => parts.reduce((total, part) => total + part[field], 0);
  return { items, filtered: sum('filtered'), total: sum('total') };
}
