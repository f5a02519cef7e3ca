import type { JsonValue, MetadataEvent, Revision } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import { type Etcd, type EtcdCompare, type EtcdEntry, EtcdError, type LeaseId, readKeys } from './etcd/etcd.js';
import type { Mirror } from './mirror.js';
import type { WriterSession } from './writer.js';

/** What a node says of itself in etcd while it lives. */
export interface NodeRecord {
  /** Of its data directory: who restarts with the same one takes its place at once. */
  readonly dataId: string;
  /** Of this process. A UUID. */
  readonly boot: string;
  /** Where peers reach it: `host:port`. */
  readonly address: string;
  /** Our version, and those of what it speaks and writes. */
  readonly versions: { readonly [what: string]: JsonValue };
}

/** Under `nodes/<name>`. */
export interface RegistrationRecord extends NodeRecord {
  readonly lease: LeaseId;
}

export interface SessionOptions {
  readonly etcd: Etcd;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the cluster, with a slash at its end. */
  readonly prefix: string;
  readonly node: string;
  readonly record: NodeRecord;
  /** From 3 to 60. */
  readonly leaseSeconds: number;
  /** Asked before every registration: what has to hold in etcd for it. Rejects with why this node may not be registered at all. */
  readonly admission?: () => Promise<readonly EtcdCompare[]>;
}

/** One registration of this node, from `began` to its end. */
export interface Session extends WriterSession {
  /** The revision in which the registration was written: no other session of any node has it. */
  readonly revision: Revision;
}

/** Waits between two tries. Milliseconds. */
const retryMs = 500;
/** Of the lease's time to live: so long before it can end at etcd this node counts as unsure. */
const safetyShare = 0.1;

export const nodeKey = (node: string): string => `nodes/${encodeURIComponent(node)}`;
const markKey = (node: string): string => `marks/${encodeURIComponent(node)}`;

/**
 * Keeps this node registered under its name: `nodes/<name>` on a lease. One registration is one session, and only etcd ends it: by its
 * lease, or by what stands under the name. When the lease may have ended, by this node's monotonic clock from the moment the last
 * renewal was *sent*, the node is unsure of its session, and asks on.
 */
export class Registration {
  private readonly options: SessionOptions;
  session: Session | null = null;
  /** That the session has not ended at etcd. False without one. */
  isSure = false;
  /** Until when that is known, whatever timers say; monotonic milliseconds. */
  deadlineMs = 0;
  /** Who is registered under our name, so that we wait; null: nobody. */
  waitingFor: RegistrationRecord | null = null;
  onBegan: ((session: Session) => void) | null = null;
  onEnded: ((session: Session, why: string) => void) | null = null;
  onUnsure: ((session: Session) => void) | null = null;
  onSure: ((session: Session) => void) | null = null;
  onWaiting: ((holder: RegistrationRecord) => void) | null = null;
  /** The admission refused this node; it is not tried again. */
  onRefused: ((why: Error) => void) | null = null;
  private timer: Timer | null = null;
  private expiry: Timer | null = null;
  private stopWatch: (() => void) | null = null;
  private closed = false;
  private hadSession = false;
  /** Of a registration whose answer was lost. */
  private attempt: { readonly lease: LeaseId; readonly sentMs: number } | null = null;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  /** Registers, and again whenever the session ends, until `close`. */
  start(): void {
    const { mirror, node } = this.options;
    const key = nodeKey(node);
    this.stopWatch = mirror.watch(key, mirror.revision, (events) => {
      for (const event of events) if (event.key === key) this.observe(event);
    });
    void this.tryToBegin();
  }

  /** Whoever writes in the session found that it is none any more; another one begins. */
  lose(session: WriterSession, why: string): void {
    if (this.session !== null && this.session.lease === session.lease && !this.closed) this.lost(this.session, why);
  }

  /** Gives the name back at once. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    this.stopWatch?.();
    const { session } = this;
    const lease = session?.lease ?? this.attempt?.lease;
    if (session !== null) this.end(session, 'the node stops');
    if (lease !== undefined) await this.giveBack(lease);
  }

  // -- beginning ---------------------------------------------------------------------------------------------------

  private async tryToBegin(): Promise<void> {
    if (this.closed) return;
    try {
      await this.begin();
    } catch (error) {
      if (!(error instanceof EtcdError)) return this.refuse(error as Error);
      this.options.log.warn({ error }, 'this node could not be registered in etcd; tried again');
    }
    if (this.session === null && !this.closed) this.later(retryMs, () => void this.tryToBegin());
  }

  private refuse(why: Error): void {
    if (this.closed) return;
    this.options.log.error({ error: why }, 'this node is not registered in etcd any more, and will not be');
    this.onRefused?.(why);
  }

  private async begin(): Promise<void> {
    const { etcd, clock, leaseSeconds, prefix, node } = this.options;
    const { entries } = await readKeys(etcd, [prefix + nodeKey(node)]);
    const holder = entries[0] ?? null;
    if (await this.resume(holder)) return;
    if (holder !== null && !this.mayReplace(JSON.parse(holder.value) as RegistrationRecord)) return;
    const admission = (await this.options.admission?.()) ?? [];
    const sentMs = clock.monotonicMs();
    const lease = await etcd.grantLease(leaseSeconds);
    this.attempt = { lease, sentMs };
    const revision = await this.register(lease, holder, admission);
    this.attempt = null;
    if (revision === null || this.closed) return this.giveBack(lease);
    this.began(lease, revision, sentMs);
    // The name is not on it any more; whatever else it held of our earlier life goes.
    if (holder !== null) void this.giveBack((JSON.parse(holder.value) as RegistrationRecord).lease);
  }

  /** The answer to an earlier try was lost: is it what stands there? */
  private async resume(holder: EtcdEntry | null): Promise<boolean> {
    const { attempt } = this;
    if (attempt === null) return false;
    this.attempt = null;
    if (holder !== null && (JSON.parse(holder.value) as RegistrationRecord).lease === attempt.lease) {
      this.began(attempt.lease, holder.modRevision, attempt.sentMs);
      return true;
    }
    await this.giveBack(attempt.lease);
    return false;
  }

  /** The name is free for us: it was our own, of an earlier life or of a session that we lost. */
  private mayReplace(held: RegistrationRecord): boolean {
    const { dataId, boot } = this.options.record;
    // Within one life nobody else can have our directory, which is locked: who has the same id has a copy of it.
    if (held.dataId === dataId && (held.boot === boot || !this.hadSession)) return true;
    if (this.waitingFor?.lease !== held.lease) this.wait(held, held.dataId === dataId);
    return false;
  }

  private wait(held: RegistrationRecord, isCopy: boolean): void {
    const { node, log } = this.options;
    const who = isCopy ? 'a copy of the data directory of this node' : 'another data directory';
    const advice = isCopy ? 'stop the one of both that is not meant to be' : 'names have to differ';
    log.warn(
      { node, address: held.address, dataId: held.dataId },
      `${who} is registered as ${node} from ${held.address}; this node waits until that one is gone (${advice})`,
    );
    this.waitingFor = held;
    this.onWaiting?.(held);
  }

  /** The name and the mark change hands in one transaction: nobody sees the name free, and nothing can be written for the session before. */
  private async register(
    lease: LeaseId,
    holder: EtcdEntry | null,
    admission: readonly EtcdCompare[],
  ): Promise<Revision | null> {
    const { etcd, prefix, node, record } = this.options;
    const key = prefix + nodeKey(node);
    const value: RegistrationRecord = { ...record, lease };
    const { succeeded, revision } = await etcd.txn({
      compare: [{ key, of: 'mod', is: 'equal', revision: holder?.modRevision ?? 0 }, ...admission],
      success: [
        { kind: 'put', key, value: JSON.stringify(value), lease },
        { kind: 'put', key: prefix + markKey(node), value: '0', lease },
      ],
      failure: [],
    });
    return succeeded ? revision : null;
  }

  private began(lease: LeaseId, revision: Revision, sentMs: number): void {
    const { node, leaseSeconds } = this.options;
    const session = { lease, markKey: markKey(node), markRevision: revision, revision };
    this.session = session;
    this.hadSession = true;
    this.isSure = true;
    this.waitingFor = null;
    this.renewed(sentMs, leaseSeconds);
    this.onBegan?.(session);
    this.later(this.renewEveryMs, () => void this.renew());
  }

  private async giveBack(lease: LeaseId): Promise<void> {
    await this.options.etcd.revokeLease(lease).catch((error: unknown) => {
      this.options.log.debug({ error }, 'a lease of this node could not be given back; it ends by itself');
    });
  }

  // -- keeping -----------------------------------------------------------------------------------------------------

  private get renewEveryMs(): number {
    return (this.options.leaseSeconds * 1000) / 3;
  }

  private renewed(sentMs: number, seconds: number): void {
    const { clock, log, node } = this.options;
    const { session } = this;
    if (session === null) return;
    this.deadlineMs = sentMs + seconds * 1000 * (1 - safetyShare);
    this.expiry?.cancel();
    const leftMs = this.deadlineMs - clock.monotonicMs();
    if (leftMs > 0 && !this.isSure) {
      this.isSure = true;
      log.info({ node }, 'the registration of this node is sure again');
      this.onSure?.(session);
    }
    // Not left to a renewal under way, which may hear nothing for a while.
    this.expiry = clock.after(Math.max(0, leftMs), () => this.expired(session));
  }

  private expired(session: Session): void {
    if (this.session !== session || !this.isSure) return;
    this.isSure = false;
    const { log, node } = this.options;
    log.warn({ node }, 'etcd was not reached in time: the registration of this node may be over there');
    this.onUnsure?.(session);
  }

  private async renew(): Promise<void> {
    const { session } = this;
    if (session === null || this.closed) return;
    const { etcd, clock, log, mirror } = this.options;
    const sentMs = clock.monotonicMs();
    let waitMs = this.renewEveryMs;
    try {
      const seconds = await etcd.keepLease(session.lease);
      mirror.heard();
      if (this.session !== session) return;
      if (seconds > 0) this.renewed(sentMs, seconds);
      else if (await this.isOurEtcd()) return this.lost(session, 'etcd has ended its lease');
      if (this.session !== session) return;
    } catch (error) {
      if (this.session !== session) return;
      log.debug({ error }, 'the lease of this node could not be renewed; tried again');
      waitMs = retryMs;
    }
    this.later(waitMs, () => void this.renew());
  }

  /**
   * One that was emptied, restored or exchanged for another knows no lease of ours, and ends no session: what it says is not what our
   * peers go by. Throws while that is not known.
   */
  private async isOurEtcd(): Promise<boolean> {
    try {
      await this.options.admission?.();
    } catch (error) {
      if (error instanceof EtcdError) throw error;
    }
    return true;
  }

  /** What etcd says of our name. The mirror may be behind, and tell of what was before our session. */
  private observe({ value, revision }: MetadataEvent): void {
    const { session } = this;
    if (session === null || revision <= session.revision) return;
    if (value === undefined) this.lost(session, 'its key in etcd is gone');
    else if ((value as unknown as RegistrationRecord).lease !== session.lease) {
      this.lost(session, 'somebody else is registered under its name');
    }
  }

  private lost(session: Session, why: string): void {
    this.options.log.warn({ node: this.options.node }, `the registration of this node is over: ${why}`);
    this.end(session, why);
    void this.tryToBegin();
  }

  private end(session: Session, why: string): void {
    this.session = null;
    this.isSure = false;
    this.timer?.cancel();
    this.expiry?.cancel();
    this.onEnded?.(session, why);
  }

  private later(ms: number, run: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(ms, () => {
      this.timer = null;
      run();
    });
  }
}
