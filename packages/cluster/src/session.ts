import type { JsonValue, Revision } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import { type Etcd, type EtcdEntry, EtcdError, type LeaseId } from './etcd/etcd.js';
import type { WriterSession } from './writer.js';

/** What a node says of itself in etcd while it lives. */
export interface NodeRecord {
  /** Of its data directory: who restarts with the same one takes its place at once. */
  readonly dataId: string;
  /** Where peers reach it: `host:port`. */
  readonly address: string;
  /** Our version, and those of what it speaks and writes. */
  readonly versions: { readonly [what: string]: JsonValue };
}

interface StoredRecord extends NodeRecord {
  readonly lease: LeaseId;
}

export interface SessionOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the cluster, with a slash at its end. */
  readonly prefix: string;
  readonly node: string;
  readonly record: NodeRecord;
  /** From 3 to 60. */
  readonly leaseSeconds: number;
}

/** One registration of this node, from `began` to its end. */
export interface Session extends WriterSession {
  /** The revision in which the registration was written: no other session of any node has it. */
  readonly revision: Revision;
}

/** Waits between two tries. Milliseconds. */
const retryMs = 500;
/** Before the lease can end at etcd, it has ended here. Of its time to live. */
const safetyShare = 0.1;

/**
 * Keeps this node registered under its name: `nodes/<name>` on a lease. One registration is one session; when its lease may have
 * ended, by this node's monotonic clock from the moment the last renewal was *sent*, it is over here before it can be over there.
 */
export class Registration {
  private readonly options: SessionOptions;
  session: Session | null = null;
  /** Until when the present session is ours for sure; monotonic milliseconds. */
  deadlineMs = 0;
  onBegan: ((session: Session) => void) | null = null;
  onEnded: ((session: Session) => void) | null = null;
  private timer: Timer | null = null;
  private expiry: Timer | null = null;
  private closed = false;
  private saidWaiting = false;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  /** Registers, and again whenever the session ends, until `close`. */
  start(): void {
    void this.tryToBegin();
  }

  /** Gives the name back at once. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    const { session } = this;
    if (session === null) return;
    this.end(session);
    await this.options.etcd.revokeLease(session.lease).catch((error: unknown) => {
      this.options.log.debug({ error }, 'the lease of this node could not be given back; it ends by itself');
    });
  }

  // -- beginning ---------------------------------------------------------------------------------------------------

  private async tryToBegin(): Promise<void> {
    if (this.closed) return;
    try {
      await this.begin();
    } catch (error) {
      this.options.log.warn({ error }, 'this node could not be registered in etcd; tried again');
    }
    if (this.session === null) this.later(retryMs, () => void this.tryToBegin());
  }

  private async begin(): Promise<void> {
    const { etcd, clock, leaseSeconds } = this.options;
    const holder = await this.holder();
    if (holder !== null && !(await this.takeOver(holder))) return;
    const sentMs = clock.monotonicMs();
    const lease = await etcd.grantLease(leaseSeconds);
    const session = await this.register(lease);
    if (session === null || this.closed) {
      await etcd.revokeLease(lease).catch(() => undefined);
      return;
    }
    this.session = session;
    this.saidWaiting = false;
    this.renewed(sentMs, leaseSeconds);
    this.onBegan?.(session);
    this.later(this.renewEveryMs, () => void this.renew());
  }

  private get nodeKey(): string {
    return `${this.options.prefix}nodes/${encodeURIComponent(this.options.node)}`;
  }

  private get markKey(): string {
    return `marks/${encodeURIComponent(this.options.node)}`;
  }

  private async holder(): Promise<EtcdEntry | null> {
    const get = { kind: 'get', key: this.nodeKey } as const;
    const { results } = await this.options.etcd.txn({ compare: [], success: [get], failure: [] });
    return results[0] as EtcdEntry | null;
  }

  /** The name is free for us: it was our own, of an earlier life or of a session that we lost sight of. */
  private async takeOver(holder: EtcdEntry): Promise<boolean> {
    const { etcd, node, log, record } = this.options;
    const held = JSON.parse(holder.value) as StoredRecord;
    if (held.dataId !== record.dataId) {
      if (!this.saidWaiting) {
        log.warn(
          { node, address: held.address, dataId: held.dataId },
          `another data directory is registered as ${node}; this node waits until that one is gone (names have to differ)`,
        );
      }
      this.saidWaiting = true;
      return false;
    }
    // With its lease go its key and its mark, so that nothing of that session can be written any more.
    await etcd.revokeLease(held.lease).catch((error: unknown) => {
      if (!(error instanceof EtcdError) || error.outcome !== 'refused') throw error;
    });
    return (await this.holder()) === null;
  }

  private async register(lease: LeaseId): Promise<Session | null> {
    const { etcd, prefix, record } = this.options;
    const { markKey, nodeKey } = this;
    const value: StoredRecord = { ...record, lease };
    const { succeeded, revision } = await etcd.txn({
      compare: [
        { key: nodeKey, of: 'create', is: 'equal', revision: 0 },
        { key: prefix + markKey, of: 'create', is: 'equal', revision: 0 },
      ],
      success: [
        { kind: 'put', key: nodeKey, value: JSON.stringify(value), lease },
        { kind: 'put', key: prefix + markKey, value: '0', lease },
      ],
      failure: [],
    });
    return succeeded ? { lease, markKey, markRevision: revision, revision } : null;
  }

  // -- keeping -----------------------------------------------------------------------------------------------------

  private get renewEveryMs(): number {
    return (this.options.leaseSeconds * 1000) / 3;
  }

  private renewed(sentMs: number, seconds: number): void {
    const { clock } = this.options;
    const { session } = this;
    this.deadlineMs = sentMs + seconds * 1000 * (1 - safetyShare);
    this.expiry?.cancel();
    // Not left to a renewal under way, which may hear nothing for a while.
    this.expiry = clock.after(Math.max(0, this.deadlineMs - clock.monotonicMs()), () => {
      if (this.session === session && session !== null) this.lost(session, 'etcd was not reached in time');
    });
  }

  private async renew(): Promise<void> {
    const { session } = this;
    if (session === null || this.closed) return;
    const { etcd, clock, log } = this.options;
    const sentMs = clock.monotonicMs();
    let waitMs = this.renewEveryMs;
    try {
      const seconds = await etcd.keepLease(session.lease);
      if (this.session !== session) return;
      if (seconds <= 0) return this.lost(session, 'etcd has ended it');
      this.renewed(sentMs, seconds);
    } catch (error) {
      if (this.session !== session) return;
      log.debug({ error }, 'the lease of this node could not be renewed; tried again');
      waitMs = retryMs;
    }
    this.later(waitMs, () => void this.renew());
  }

  private lost(session: Session, why: string): void {
    this.options.log.warn({ node: this.options.node }, `the registration of this node is over: ${why}`);
    this.end(session);
    void this.tryToBegin();
  }

  private end(session: Session): void {
    this.session = null;
    this.expiry?.cancel();
    this.onEnded?.(session);
  }

  private later(ms: number, run: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(ms, () => {
      this.timer = null;
      run();
    });
  }
}
