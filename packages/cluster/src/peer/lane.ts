import type { Message } from '@chapar/core';

/**
 * How nodes reach each other: lanes of batches. A lane is one stream, opened by one node to another; what is sent arrives whole and in
 * order, or the lane closes. Implementations: GrpcTransport, SimTransport, and LoopbackLane within one process.
 */

/** What a lane is for. Each has its own stream, so that one that is full keeps nobody else waiting. */
export type LaneKind =
  /** Publishes and deliveries: they flow towards the node that opened the lane, which grants credit for them. */
  | 'bulk'
  /** Questions, answers and announcements, both ways. */
  | 'control'
  /** What copies of mirrored queues pull, and what they get: that flows towards the node that opened the lane, too. */
  | 'replication';

/** Messages that go along with a batch as they are, and stand in it by number: both ends are in one process. */
export interface Carried {
  readonly messages: Message[];
  /** What they weigh where batches on their way are counted. */
  bytes: number;
}

export interface LaneSink {
  /** A batch arrived. It belongs to the receiver; views into it stay valid and pin it. */
  received(batch: Buffer, carried?: Carried | null): void;
  /** The lane takes more again, after a `send` that returned false. */
  drained(): void;
  /** The lane is gone; nothing follows. */
  closed(reason: string): void;
}

export interface Lane {
  /** Nothing is received before. Called once. */
  open(sink: LaneSink): void;
  /**
   * False: enough is on its way, wait for `drained`. The bytes must not change before `left` is called, which may never be, and is not
   * within this call.
   */
  send(batch: Buffer, carried?: Carried | null, left?: () => void): boolean;
  close(reason: string): void;
}

export interface PeerListener {
  readonly port: number;
  close(): Promise<void>;
}

export interface PeerTransport {
  /** `accept` is called with every lane that another node opens here; whose it is, its first batch says. */
  listen(host: string, port: number, accept: (kind: LaneKind, lane: Lane) => void): Promise<PeerListener>;
  /** Opens a lane to `host:port`. A refusal comes as `closed`. */
  connect(address: string, kind: LaneKind): Lane;
  close(): void;
}
