import type { NodePlatform } from '@chapar/platform';
import type { ServerOptions } from './config/options.js';
import type { Protocol } from './config/protocols.js';

/** Why a broker stops, in words for its log and its clients: `SIGTERM`. */
export type StopReason = string;

/** A broker that serves. */
export interface RunningBroker {
  /** Where it really listens, as `HOST:PORT` text (the port that was found when 0 was asked for; `*` for all interfaces). */
  readonly listeners: { readonly [protocol in Protocol]?: string };
  /** Absolute path. */
  readonly dataDir: string;
  /** In words, for the banner: `every confirmed persistent message is synced to disk (group commit)`. */
  readonly durability: string;
  /** Chapar's own version. */
  readonly version: string;
  /** Stops listening, tells the clients (320), syncs. Resolves when all that is done; a second call joins the first. */
  stop(reason: StopReason): Promise<void>;
}

/** Somebody asked the node to stop while its start waited for something. */
export class StartAbortedError extends Error {}

/** The node may not be what it was told to be; the text says why, and the way out. */
export class StartRefusedError extends Error {}

/**
 * Builds everything and listens; resolves when the node can serve. Throws the world's errors (EADDRINUSE, EACCES, DirectoryLockedError,
 * StartRefusedError, ...), and StartAbortedError soon after `aborted`.
 */
export type Compose = (options: ServerOptions, platform: NodePlatform, aborted: AbortSignal) => Promise<RunningBroker>;
