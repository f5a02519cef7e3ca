import { BrokerError, GuardFailedError } from '@chapar/core';
import { PatternError } from '@chapar/platform';
import { RefusedError } from './cluster/membership.js';

/** An answer that says no: a status, and the body `{"error", "reason"}` that the field's tools read. */
export class Problem extends Error {
  readonly status: number;
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: string, reason: string, headers: Readonly<Record<string, string>> = {}) {
    super(reason);
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

export const badRequest = (reason: string): Problem => new Problem(400, 'bad_request', reason);

/** A record that cannot be stored, in the field's words. */
export const notValid = (...faults: readonly string[]): Problem =>
  badRequest(`Validation failed\n\n${faults.join('\n')}\n`);

/** Nothing at this path. */
export const notFound = (): Problem => new Problem(404, 'Object Not Found', 'Not Found');

/** Something that the request names is not there. */
export const missing = (reason: string): Problem => new Problem(404, 'not_found', reason);

/** Known, and not allowed. The field answers 401 here too, not 403. */
export const notAuthorised = (reason: string): Problem => new Problem(401, 'not_authorised', reason);

/** What the caller did wrong, as an answer; null for what is our own fault. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof BrokerError) return ofBrokerError(error);
  if (error instanceof RefusedError) return new Problem(409, 'conflict', error.message);
  if (error instanceof PatternError) return badRequest(error.message);
  if (error instanceof GuardFailedError) return new Problem(409, 'conflict', error.message);
  return ofHttpError(error);
}

/** The ports below refuse bad values with RangeError; elsewhere one would be our own fault. */
export async function refusing<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RangeError) throw badRequest(error.message);
    throw error;
  }
}

/** As the field maps them: what is missing is 404, what is refused 401, all else 400. */
function ofBrokerError(error: BrokerError): Problem {
  const text = error.message.slice(error.codeName.length + ' - '.length);
  if (error.key === 'vhostNotFound') return missing('vhost_not_found');
  if (error.code === 404) return missing(text);
  if (error.code === 403 || error.key === 'vhostRefused') return notAuthorised(error.message);
  return badRequest(text);
}

/** Errors that the HTTP server raises itself: a body that is too large, a URL that cannot be decoded. */
function ofHttpError(error: unknown): Problem | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null;
  const status = Number(error.statusCode);
  if (!(status >= 400 && status < 500)) return null;
  if (status === 413) return new Problem(413, 'payload_too_large', 'the body is larger than this request may have');
  return new Problem(status, 'bad_request', error.message);
}
