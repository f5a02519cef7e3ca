import type { JsonValue } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import { type Columns, pick, readColumns } from './columns.js';
import { Pace } from './pace.js';
import { type Page, readPage } from './paging.js';
import { Problem } from './problem.js';
import type { Reply } from './reply.js';
import { compareValues, dottedValue, sortInSlices } from './sorting.js';

/** Objects to be listed. Their JSON is made one by one, when it is sent, so that a big list costs a page and holds nothing up. */
export interface Listing<T> {
  readonly items: readonly T[];
  /** What the query's `name` filters by. */
  name(item: T): string;
  /** The order without `sort`; null: as they come. */
  readonly order: ((a: T, b: T) => number) | null;
  json(item: T): JsonValue;
}

/** Lists up to this length are sent in one piece, with a length. */
const piecedFrom = 100;

/** Filters, sorts, cuts out the page and picks the columns that the query asks for. */
export async function list<T>(query: ReadonlyMap<string, string>, clock: Clock, listing: Listing<T>): Promise<Reply> {
  const pace = new Pace(clock);
  const page = readPage(query);
  const columns = readColumns(query);
  const filtered = page === null ? listing.items : await filter(listing, page, pace);
  const sorted = await sort(query, listing, filtered, pace);
  if (page === null) return reply(sorted, listing, columns, pace, '', '');
  const from = (page.number - 1) * page.size;
  if (from > sorted.length) {
    const reason = `Page out of range, page: ${page.number} page size: ${page.size}, len: ${sorted.length}`;
    throw new Problem(400, 'page_out_of_range', reason);
  }
  const items = sorted.slice(from, from + page.size);
  const head = `{"filtered_count":${sorted.length},"item_count":${items.length},"items":`;
  const pages = Math.ceil(sorted.length / page.size);
  const tail = `,"page":${page.number},"page_count":${pages},"page_size":${page.size},"total_count":${listing.items.length}}`;
  return reply(items, listing, columns, pace, head, tail);
}

async function filter<T>(listing: Listing<T>, page: Page, pace: Pace): Promise<T[]> {
  const taken: T[] = [];
  for (const item of listing.items) {
    if (page.takes(listing.name(item))) taken.push(item);
    if (pace.isDue) await pace.rest();
  }
  return taken;
}

async function sort<T>(
  query: ReadonlyMap<string, string>,
  listing: Listing<T>,
  items: readonly T[],
  pace: Pace,
): Promise<readonly T[]> {
  const column = query.get('sort') ?? '';
  const byOrder = listing.order === null ? items : await sortInSlices(items, listing.order, pace);
  const sorted = column === '' ? byOrder : await sortByColumn(listing, byOrder, column.split('.'), pace);
  return query.get('sort_reverse') === 'true' ? [...sorted].reverse() : sorted;
}

async function sortByColumn<T>(listing: Listing<T>, items: readonly T[], path: string[], pace: Pace): Promise<T[]> {
  const keyed: { readonly item: T; readonly key: JsonValue }[] = [];
  for (const item of items) {
    keyed.push({ item, key: dottedValue(listing.json(item), path) });
    if (pace.isDue) await pace.rest();
  }
  const sorted = await sortInSlices(keyed, (a, b) => compareValues(a.key, b.key), pace);
  return sorted.map(({ item }) => item);
}

function reply<T>(
  items: readonly T[],
  listing: Listing<T>,
  columns: Columns,
  pace: Pace,
  head: string,
  tail: string,
): Reply {
  const text = (item: T): string => JSON.stringify(pick(listing.json(item), columns));
  if (items.length <= piecedFrom) {
    return { status: 200, text: `${head}[${items.map(text).join(',')}]${tail}` };
  }
  return { status: 200, pieces: pieces(items, text, pace, head, tail) };
}

const pieceLength = 65_536;

async function* pieces<T>(
  items: readonly T[],
  text: (item: T) => string,
  pace: Pace,
  head: string,
  tail: string,
): AsyncGenerator<string> {
  let piece = `${head}[`;
  let separator = '';
  for (const item of items) {
    piece += separator + text(item);
    separator = ',';
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
    if (pace.isDue) await pace.rest();
  }
  yield `${piece}]${tail}`;
}
