import type { Call } from './call.js';
import type { Reply } from './reply.js';

/**
 * What an endpoint asks of its caller. All but `nothing` ask for one of the API's tags; `vhost` for permissions in the virtual host of
 * the path, `policies` for the tag policymaker beside it. Administrators pass everywhere.
 */
export type Need = 'nothing' | 'management' | 'vhost' | 'policies' | 'policymaker' | 'monitoring' | 'administrator';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
export const methods: readonly Method[] = ['GET', 'PUT', 'POST', 'DELETE'];

export interface Endpoint {
  readonly need: Need;
  /** Largest body, bytes; without it `bodyBytesMax` of the server. */
  readonly bodyBytesMax?: number;
  answer(call: Call): Reply | Promise<Reply>;
}

/** A path of the API with what can be done there. `docs/API.md` is written from these. */
export interface Route extends Partial<Readonly<Record<Method, Endpoint>>> {
  readonly path: string;
  readonly summary: string;
}
