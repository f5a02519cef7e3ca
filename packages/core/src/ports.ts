/**
 * The core's ports: what it asks of the floors above it (engines implement them) and of whoever composes the broker.
 * The core decides; everything that waits, writes or asks the world stands behind one of these.
 */
import type { Message } from './message.js';
import type { Provenance, StoredReplica } from './replica-log.js';

// ---------------------------------------------------------------------------------------------------------------
// queue -> store | replication

/** A place in one queue's log: counts entries from 1, never bytes, so that compaction leaves holes and moves nothing. */
export type Position = number;

/** Names one life of a queue: a queue deleted and declared again under its name is another incarnation. A UUID. */
export type Incarnation = string;

/** Why a queue lets go of a message that no consumer accepted. */
export type DropReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

/** What was read back of a queue. */
export interface LogRead {
  /** By ascending position. */
  readonly messages: readonly LoggedMessage[];
  /** Everything up to here is in `messages`, is settled, or is unreadable. */
  readonly upTo: Position;
  /** Messages that are there and cannot be read, ascending. Whoever reads them said why in the node's log. */
  readonly unreadable: readonly Position[];
}

/** Where the part of a queue that is not in memory can be had back. */
export interface QueuePages {
  /** Keeps a message that is in no log until it is read or forgotten, or until the node ends. The bytes are copied before the call returns. */
  page(position: Position, message: Message): void;
  /**
   * Reads what lives in `from..to`, about `bytesMax` bytes of it and one message at least. `done` is called once, not within this
   * call, perhaps not before what was appended has been written. Paged messages are the caller's then; logged ones stay until settled.
   */
  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void;
  /** As `read`, of the messages at these positions, which ascend and may be far apart. */
  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void;
  /** Forgets paged messages in `first..last`. */
  forget(first: Position, last: Position): void;
}

/**
 * The log of one queue. Publishes and settlements are entries; the queue's state is their fold.
 * Implementations: none (transient queues), the node's write-ahead log, later the replicated log around it.
 */
export interface QueueLog extends QueuePages {
  /**
   * Other nodes have copies: whatever is published is logged, and nothing is delivered, dropped or settled before it is committed,
   * because until then it may be cut.
   */
  readonly isMirrored: boolean;
  /** Transient messages are logged, too: always where other nodes have copies, and from when the queue is about to be mirrored. */
  logsAll: boolean;
  /** Appends a message; the bytes are copied before the call returns. Positions grow by one with every entry. */
  publish(message: Message): Position;
  /** Logs a message at the position that it took without being logged; it stands there from now on. Not where other nodes have copies. */
  publishAt(position: Position, message: Message): void;
  /** Takes a position for a message that is not logged (transient, in a durable queue): a hole in the log. */
  skip(): Position;
  /** The messages at `first..last` (inclusive) are settled for good: accepted, dropped, expired or dead-lettered. May be coalesced and is written with the next group; no sync is forced by it. */
  settle(first: Position, last: Position): void;
  /**
   * The message leaves the ready ones for the outbox; it stays live until it is settled. Written with the next group; no sync is forced
   * by it. Of a message that is not logged nothing is written.
   */
  pend(position: Position, reason: DropReason): void;
  /** The message was given back `count` times so far; called only where that is limited. Written as `pend` is. */
  returned(position: Position, count: number): void;
  /**
   * Calls `done` when everything that was said of messages so far will be known to whoever has the log next; never within this call, and not at all when
   * it is not to be. Absent: a crash loses the log's end as a whole, so that nothing later survives it either.
   */
  whenSafe?(done: () => void): void;
  /** Whether messages may be handed out now: another node may have taken the queue over, and not said so yet. See `Doubt`. Absent: always. */
  mayHandOut?(): boolean;
  /**
   * What the dead letter of the message at this position is known by, whoever sends it: this node, or who has the log next. Absent: no
   * position is sure to name the same message then.
   */
  provenanceOf?(position: Position): Provenance;
  /** Everything up to and including this position survives a crash; Infinity for a queue without a log. */
  readonly committed: Position;
  /** Called when `committed` moved, never within a call to this log. One listener, set by the queue. */
  onCommitted: ((committed: Position) => void) | null;
  /** Called once when the log can no longer promise anything (a failed write or sync); the queue stops confirming. */
  onFailed: ((error: Error) => void) | null;
}

/** A message as it was read from a log. */
export interface LoggedMessage {
  readonly position: Position;
  readonly message: Message;
}

/** A message that waits in the outbox. */
export interface PendingDrop {
  readonly position: Position;
  readonly reason: DropReason;
  /** When it left the ready ones, by the node's time. Milliseconds since 1970. */
  readonly atMs: number;
}

/** How often a message was given back. */
export interface ReturnCount {
  readonly position: Position;
  readonly count: number;
}

export interface RecoveredQueue {
  readonly incarnation: Incarnation;
  /** Live messages: how many, the bytes of their bodies, the first and the last position (0 when there are none). */
  readonly count: number;
  readonly bytes: number;
  readonly first: Position;
  readonly last: Position;
  /** Everything up to here may have been delivered before a crash; Infinity after a crash, the delivered edge after a clean stop. */
  readonly deliveredUpTo: Position;
  /** False: none of the live messages has a time to live of its own. */
  readonly mayExpire: boolean;
  /** The same for each priority from 0 on, where it was recorded so; else empty. */
  readonly deliveredByLevel: readonly Position[];
  /** Those of the live messages that are not ready but in the outbox, by position. */
  readonly pending: readonly PendingDrop[];
  /** Of the live messages that were given back where that is counted, by position. */
  readonly returns: readonly ReturnCount[];
  /** Calls `visitor` with each live message, by position. Only before the queue's log is used. `priority`: 0 when it has none. Bytes of its body. */
  visit(visitor: (position: Position, priority: number, bodyBytes: number) => void): void;
}

/** Who owns the node's write-ahead log and hands out the logs of its queues. */
export interface LogStore {
  /** Reads what is on disk. Called once, before any `log`. What it returns is synced. */
  recover(): Promise<RecoveredQueue[]>;
  /** The latest time in what `recover` found, 0 when there is none: the node's time goes on from there. Milliseconds since 1970. */
  readonly lastStampMs: number;
  /** The log of one incarnation, going on where recovery ended (or empty). One per incarnation. */
  log(incarnation: Incarnation): QueueLog;
  /**
   * This node's copy of a mirrored queue's log, as recovery left it, or an empty one. One per incarnation. The log of a queue that lived on
   * this node alone becomes it: what it holds keeps its positions and is committed, and nothing is written to the queue's own log any more.
   */
  replica(incarnation: Incarnation): StoredReplica;
  /** The copies that recovery found; `recover` does not name them. */
  readonly replicas: readonly Incarnation[];
  /** Where a queue without a log pages to. Each call makes another; it ends when everything in it was read or forgotten. */
  pages(): QueuePages;
  /** Forgets an incarnation and gives its space back. */
  remove(incarnation: Incarnation): void;
  /** Records how far a queue was delivered (and `byLevel` its priorities), so that after a clean stop only those come back as redelivered. */
  delivered(incarnation: Incarnation, upTo: Position, byLevel?: readonly Position[]): void;
  /** Called with true when more waits to be written than should (publishers had better wait), with false when that is over. */
  onBehind: ((isBehind: boolean) => void) | null;
  /** Called with true when the disk has no room for more messages (nothing is lost, and settlements may go on), with false when it has. */
  onFull: ((isFull: boolean) => void) | null;
  /** Hands over what was gathered in this turn; the core calls it once at the end of every turn in which something was appended. */
  flush(): void;
  /** Resolves when everything appended so far is on disk. */
  sync(): Promise<void>;
  /** Syncs and closes. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------------------
// everyone -> metadata

/** Grows with every change of the store. */
export type Revision = number;

/** Holds when the key is absent (0) or was last changed at exactly this revision. */
export interface Guard {
  readonly key: string;
  readonly revision: Revision | 'absent' | 'present';
}

/** Puts (any JSON value) or deletes (undefined) one key. */
export interface Write {
  readonly key: string;
  readonly value: JsonValue | undefined;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export interface MetadataEntry {
  readonly key: string;
  readonly value: JsonValue;
  /** Of the key's last change. */
  readonly revision: Revision;
}

export interface MetadataEvent {
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: JsonValue | undefined;
  readonly revision: Revision;
}

/** Raised by `change` when a guard did not hold; nothing was written. */
export class GuardFailedError extends Error {
  readonly key: string;
  constructor(key: string) {
    super(`metadata key ${key} was changed by somebody else`);
    this.key = key;
  }
}

/**
 * Vhosts, users, permissions, policies, parameters, durable exchanges, queues and bindings. Embedded on one node, etcd in a cluster.
 * Keys are paths whose parts are percent-encoded (`metadataKey`), in the shape `queues/<vhost>/<name>`.
 */
export interface MetadataStore {
  /** All entries whose key starts with `prefix`, by key, and the revision they are of. */
  load(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly MetadataEntry[] }>;
  /** Calls `listener` for every later change under `prefix`, in order; the events of one change are handed over together. Returns a function that stops it. */
  watch(prefix: string, from: Revision, listener: (events: readonly MetadataEvent[]) => void): () => void;
  /** All or nothing. Resolves when durable and after every watcher on this node has seen it. Rejects with GuardFailedError or the world's error. */
  change(when: readonly Guard[], then: readonly Write[]): Promise<Revision>;
  close(): Promise<void>;
}

/** `queues`, `/`, `a b` -> `queues/%2F/a%20b`. */
export function metadataKey(...parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join('/');
}

/** The inverse of metadataKey. */
export function metadataKeyParts(key: string): string[] {
  return key.split('/').map(decodeURIComponent);
}

// ---------------------------------------------------------------------------------------------------------------
// doors -> users (implemented by `auth`)

export type UserTag = string;

/** Somebody who has proved who they are. */
export interface Principal {
  readonly user: string;
  readonly tags: readonly UserTag[];
  /** Which back end vouched: `internal`, later `ldap`, `http`, `oauth2`. */
  readonly backend: string;
}

/** What a door knows about somebody who knocks. */
export interface LoginContext {
  /** True when the peer's address is one of this machine's loopback addresses. */
  readonly loopback: boolean;
  /** For logs: `127.0.0.1:51234`. */
  readonly peer: string;
}

export type LoginResult =
  | { readonly ok: true; readonly principal: Principal }
  /** `reason` is for our log and for administrators, never for the peer. */
  | { readonly ok: false; readonly reason: string };

export interface Authenticator {
  /** A user name and its password. */
  password(user: string, password: string, context: LoginContext): Promise<LoginResult>;
  /** A user name vouched for by a verified client certificate (SASL EXTERNAL). */
  external(user: string, context: LoginContext): Promise<LoginResult>;
}

/** A user as stored and exported. */
export interface User {
  readonly name: string;
  /** Base64, by `hashingAlgorithm`; empty: no password login. */
  readonly passwordHash: string;
  readonly hashingAlgorithm: string;
  readonly tags: readonly UserTag[];
  readonly limits: { readonly [limit: string]: number };
}

/** The internal users. Changes resolve when durable. */
export interface UserDirectory {
  list(): readonly User[];
  get(name: string): User | undefined;
  /** Creates or replaces; exactly one of password, passwordHash or neither (no password login). Throws RangeError for an unknown algorithm or a malformed hash. */
  put(user: {
    readonly name: string;
    readonly tags: readonly UserTag[];
    readonly password?: string;
    readonly passwordHash?: string;
    readonly hashingAlgorithm?: string;
    readonly limits?: { readonly [limit: string]: number };
  }): Promise<void>;
  /** False when there was none. */
  delete(name: string): Promise<boolean>;
  /** Called when a user was deleted, on whichever node. Set by the broker. */
  onDeleted: ((name: string) => void) | null;
  /** Salted hash in the field's own form (base64 of 4 bytes of salt and sha256), for `/api/auth/hash_password`. */
  fieldHash(password: string): string;
}
