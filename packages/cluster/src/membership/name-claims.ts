import { type Guard, GuardFailedError, type JsonValue, type MetadataEntry, type MetadataEvent } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { type Etcd, EtcdError } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import type { Session } from '../session.js';
import type { Writer } from '../writer.js';
import { type ClaimLease, ClaimLeases } from './claim-leases.js';
import { queuesPrefix } from './records.js';

export interface NameClaimsOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirror: Mirror;
  readonly writer: Writer;
  readonly dataId: string;
  readonly boot: string;
  readonly leaseSeconds: number;
}

/** Under `claims/<key>`. */
export interface ClaimRecord {
  readonly dataId: string;
  readonly boot: string;
  /** What the claimant says of it. */
  readonly value: JsonValue;
}

interface Claim {
  readonly key: string;
  readonly value: JsonValue;
  lease: ClaimLease | null;
}

const room = 'claims/';
/** Until the mirror shows what a guard has already seen. Milliseconds. */
const lookAgainMs = 25;
/** Between two tries of what nobody waits for. Milliseconds. */
const retryMs = 1000;

/**
 * Names of this node's transient queues, which no other node may give away meanwhile. A claim ends with the node's life or by `release`.
 * When its lease ended and the node lives (it was paused, or cut off), it is put back where nobody else has the name by then.
 */
export class NameClaims {
  private readonly options: NameClaimsOptions;
  private readonly leases: ClaimLeases;
  private readonly held = new Map<string, Claim>();
  /** Keys that are being claimed. */
  private readonly underWay = new Set<string>();
  private readonly stopWatch: () => void;
  private isClosed = false;
  /** Somebody else has the name now. */
  onLost: ((key: string, value: JsonValue) => void) | null = null;

  constructor(options: NameClaimsOptions) {
    const { etcd, mirror, leaseSeconds } = options;
    this.options = options;
    this.leases = new ClaimLeases(etcd, options, leaseSeconds);
    this.leases.onEnded = (lease) => this.leaseEnded(lease);
    this.stopWatch = mirror.watch(room, mirror.revision, (events) => this.observe(events));
  }

  get count(): number {
    return this.held.size;
  }

  get leaseCount(): number {
    return this.leases.count;
  }

  /** A new session began: leases may have ended with the one before. */
  use(_session: Session): void {
    void this.leases.renew();
  }

  /** Who has the name, as far as this node knows; undefined: nobody. */
  holder(key: string): ClaimRecord | undefined {
    return this.options.mirror.get(room + key)?.value as ClaimRecord | undefined;
  }

  /** `key`: `<virtual host>/<name>`, encoded. False: somebody else has the name. True also when this node has it already. Rejects with EtcdError. */
  async claim(key: string, value: JsonValue): Promise<boolean> {
    if (this.held.has(key)) return true;
    if (this.underWay.has(key)) return false;
    const claim: Claim = { key, value, lease: null };
    this.underWay.add(key);
    try {
      if (!(await this.put(claim))) return false;
      this.held.set(key, claim);
      return true;
    } finally {
      this.underWay.delete(key);
      // What stands there of an earlier claim was left to this one.
      if (!this.held.has(key)) void this.remove(key);
    }
  }

  /** The name is free again, at the latest when etcd can be reached. */
  async release(key: string): Promise<void> {
    const claim = this.held.get(key);
    if (claim === undefined) return;
    this.held.delete(key);
    claim.lease?.keys.delete(key);
    await this.remove(key);
  }

  /** Gives all names back. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.stopWatch();
    this.held.clear();
    await this.leases.close();
  }

  // -- putting -----------------------------------------------------------------------------------------------------

  /** Until it is ours or somebody else's. The mirror says which: a guard alone cannot tell our own lost answers from others. */
  private async put(claim: Claim): Promise<boolean> {
    const { mirror, writer, dataId, boot, clock } = this.options;
    const key = room + claim.key;
    for (;;) {
      const found = mirror.get(key);
      if (found !== undefined && !this.isOurs(found)) return false;
      // A queue that a record holds has the name.
      const record = queuesPrefix + claim.key;
      if (mirror.get(record) !== undefined) return false;
      const lease = await this.leases.take(claim.key);
      claim.lease = lease;
      const told: ClaimRecord = { dataId, boot, value: claim.value };
      try {
        const guards: Guard[] = [
          { key, revision: found?.revision ?? 'absent' },
          { key: record, revision: 'absent' },
        ];
        await writer.change(guards, [{ key, value: told as unknown as JsonValue, lease: lease.id }]);
        if (!lease.isOver) return true;
        claim.lease = null;
      } catch (error) {
        lease.keys.delete(claim.key);
        claim.lease = null;
        if (error instanceof GuardFailedError) await new Promise<void>((resolve) => clock.after(lookAgainMs, resolve));
        else if (isLeaseGone(error)) this.leases.ended(lease);
        else throw error;
      }
    }
  }

  /** Of this node's present life, or of one before, whose leases have not ended yet. */
  private isOurs({ value }: MetadataEntry): boolean {
    return (value as unknown as ClaimRecord).dataId === this.options.dataId;
  }

  private leaseEnded({ keys }: ClaimLease): void {
    for (const key of keys) {
      const claim = this.held.get(key);
      if (claim === undefined) continue;
      claim.lease = null;
      void this.putBack(claim);
    }
  }

  private async putBack(claim: Claim): Promise<void> {
    while (this.held.get(claim.key) === claim && claim.lease === null && !this.isClosed) {
      try {
        if (await this.put(claim)) continue;
        if (this.held.get(claim.key) !== claim) return;
        this.held.delete(claim.key);
        this.options.log.warn({ key: claim.key }, 'a name was taken by somebody else while this node was away');
        this.onLost?.(claim.key, claim.value);
      } catch (error) {
        await this.pause(error);
      }
    }
    // Released while it was being put back.
    if (this.held.get(claim.key) !== claim && claim.lease !== null) {
      claim.lease.keys.delete(claim.key);
      await this.remove(claim.key);
    }
  }

  // -- removing ----------------------------------------------------------------------------------------------------

  /** What stands there of ours and is not held. */
  private async remove(key: string): Promise<void> {
    const { mirror, writer } = this.options;
    while (!this.isClosed && !this.held.has(key) && !this.underWay.has(key)) {
      const found = mirror.get(room + key);
      if (found === undefined || (found.value as unknown as ClaimRecord).boot !== this.options.boot) return;
      try {
        await writer.change([{ key: found.key, revision: found.revision }], [{ key: found.key, value: undefined }]);
        return;
      } catch (error) {
        await this.pause(error);
      }
    }
  }

  /** A claim whose answer was lost, and that was given up, may turn up all the same. */
  private observe(events: readonly MetadataEvent[]): void {
    for (const { key, value } of events) {
      if ((value as unknown as ClaimRecord | undefined)?.boot !== this.options.boot) continue;
      const name = key.slice(room.length);
      if (!this.held.has(name) && !this.underWay.has(name)) void this.remove(name);
    }
  }

  private async pause(error: unknown): Promise<void> {
    if (!(error instanceof EtcdError) && !(error instanceof GuardFailedError)) throw error;
    const waitMs = error instanceof GuardFailedError ? lookAgainMs : retryMs;
    await new Promise<void>((resolve) => this.options.clock.after(waitMs, resolve));
  }
}

const isLeaseGone = (error: unknown): boolean =>
  error instanceof EtcdError && error.message.includes('lease not found');
