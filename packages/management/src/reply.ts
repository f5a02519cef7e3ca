import type { JsonValue } from '@chapar/core';

/** What an endpoint answers. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body; without this, `text` and `pieces` there is none. */
  readonly json?: JsonValue;
  /** JSON text. */
  readonly text?: string;
  /** JSON text in pieces, made while it is sent. */
  readonly pieces?: AsyncIterable<string>;
}

export const ok = (json: JsonValue): Reply => ({ status: 200, json });
/** It was not there before. */
export const created: Reply = { status: 201 };
export const createdAt = (location: string): Reply => ({ status: 201, headers: { location } });
/** Done, or it was there already. */
export const noContent: Reply = { status: 204 };

/** PUT answers 201 for what is new and 204 for what was changed or equal. */
export const stored = (isNew: boolean): Reply => (isNew ? created : noContent);

/** A health check that does not pass. */
export const failed = (why: { readonly [name: string]: JsonValue }): Reply => ({
  status: 503,
  json: { status: 'failed', ...why },
});
