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
  /**
   * Gets what `json` needs of these items and is not here: other nodes are asked once for many. Called before each portion, with the
   * columns that will be looked at.
   */
  fetch?(items: readonly T[], columns: Columns): Promise<void>;
}

/** What of a list is wanted, in order, and what it was taken from. */
export interface Selected<T> {
  /** All that pass the filter, or as many from the first on as the page needs. */
  readonly items: readonly T[];
  readonly filtered: number;
  readonly total: number;
}

/** Lists up to this length are sent in one piece, with a length. */
const piecedFrom = 100;
/** Items whose details are fetched together. */
const portionLength = 500;

/** Filters, sorts, cuts out the page and picks the columns that the query asks for. */
export async function list<T>(query: ReadonlyMap<string, string>, clock: Clock, listing: Listing<T>): Promise<Reply> {
  return cut(query, clock, listing, await select(query, clock, listing));
}

/** Filters and sorts as the query asks. */
export async function select<T>(
  query: ReadonlyMap<string, string>,
  clock: Clock,
  listing: Listing<T>,
): Promise<Selected<T>> {
  const pace = new Pace(clock);
  const page = readPage(query);
  const filtered = page === null ? listing.items : await filter(listing, page, pace);
  const items = await sort(query, listing, filtered, pace);
  return { items, filtered: items.length, total: listing.items.length };
}

/** Cuts out the page and picks the columns that the query asks for. */
export async function cut<T>(
  query: ReadonlyMap<string, string>,
  clock: Clock,
  rows: Pick<Listing<T>, 'json' | 'fetch'>,
  selected: Selected<T>,
): Promise<Reply> {
  const pace = new Pace(clock);
  const page = readPage(query);
  const columns = readColumns(query);
  if (page === null) return reply(selected.items, rows, columns, pace, '', '');
  const { filtered, total } = selected;
  const from = (page.number - 1) * page.size;
  if (from > filtered) {
    const reason = `Page out of range, page: ${page.number} page size: ${page.size}, len: ${filtered}`;
    throw new Problem(400, 'page_out_of_range', reason);
  }
  const items = selected.items.slice(from, from + page.size);
  const head = `{"filtered_count":${filtered},"item_count":${items.length},"items":`;
  const pages = Math.ceil(filtered / page.size);
  const tail = `,"page":${page.number},"page_count":${pages},"page_size":${page.size},"total_count":${total}}`;
  return reply(items, rows, columns, pace, head, tail);
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
  await listing.fetch?.(items, [path]);
  const keyed: { readonly item: T; readonly key: JsonValue }[] = [];
  for (const item of items) {
    keyed.push({ item, key: dottedValue(listing.json(item), path) });
    if (pace.isDue) await pace.rest();
  }
  const sorted = await sortInSlices(keyed, (a, b) => compareValues(a.key, b.key), pace);
  return sorted.map(({ item }) => item);
}

async function reply<T>(
  items: readonly T[],
  rows: Pick<Listing<T>, 'json' | 'fetch'>,
  columns: Columns,
  pace: Pace,
  head: string,
  tail: string,
): Promise<Reply> {
  const text = (item: T): string => JSON.stringify(pick(rows.json(item), columns));
  const fetch = async (portion: readonly T[]): Promise<void> => rows.fetch?.(portion, columns);
  if (items.length <= piecedFrom) {
    await fetch(items);
    return { status: 200, text: `${head}[${items.map(text).join(',')}]${tail}` };
  }
  return { status: 200, pieces: pieces(items, { text, fetch }, pace, head, tail) };
}

const pieceLength = 65_536;

async function* pieces<T>(
  items: readonly T[],
  { text, fetch }: { text(item: T): string; fetch(portion: readonly T[]): Promise<void> },
  pace: Pace,
  head: string,
  tail: string,
): AsyncGenerator<string> {
  let piece = `${head}[`;
  let separator = '';
  for (let from = 0; from < items.length; from += portionLength) {
    const portion = items.slice(from, from + portionLength);
    await fetch(portion);
    for (const item of portion) {
      piece += separator + text(item);
      separator = ',';
      if (piece.length >= pieceLength) {
        yield piece;
        piece = '';
      }
      if (pace.isDue) await pace.rest();
    }
  }
  yield `${piece}]${tail}`;
}
