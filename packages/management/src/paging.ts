import { compilePattern, PatternError } from '@chapar/platform';
import { badRequest, Problem } from './problem.js';

export interface Page {
  /** From 1. */
  readonly number: number;
  readonly size: number;
  /** Whether an object of this name is on any page. */
  readonly takes: (name: string) => boolean;
}

const sizeDefault = 100;
const sizeMax = 500;
const nameLengthMax = 1024;

/** The page that the query asks for; null: everything, unfiltered, as the field does it without `page`. */
export function readPage(query: ReadonlyMap<string, string>): Page | null {
  const number = readNumber(query, 'page');
  const size = readNumber(query, 'page_size');
  if (number === undefined) return null;
  const sizeWanted = size ?? sizeDefault;
  if (!(number > 0 && sizeWanted > 0 && sizeWanted <= sizeMax)) {
    const reason = `Invalid pagination parameters: page number ${number}, page size ${size ?? 'undefined'}`;
    throw new Problem(400, 'invalid_pagination_parameters', reason);
  }
  return { number, size: sizeWanted, takes: nameFilter(query) };
}

function readNumber(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const given = query.get(name);
  if (given === undefined) return undefined;
  if (/^-?\d{1,9}$/.test(given)) return Number(given);
  throw badRequest('Pagination parameters are invalid');
}

function nameFilter(query: ReadonlyMap<string, string>): (name: string) => boolean {
  const wanted = query.get('name') ?? '';
  if (wanted === '') return () => true;
  if (wanted.length > nameLengthMax) throw badRequest('Pagination parameters are invalid: the name filter is too long');
  if (query.get('use_regex') !== 'true') {
    const lower = wanted.toLowerCase();
    return (name) => name.toLowerCase().includes(lower);
  }
  try {
    const pattern = compilePattern(`(?i)${wanted}`);
    return (name) => pattern.test(name);
  } catch (error) {
    if (error instanceof PatternError) throw badRequest(`Pagination parameters are invalid: ${error.message}`);
    throw error;
  }
}
