import type { Clock, Log, Timer } from '@chapar/platform';
import type { Etcd, LeaseId } from '../etcd/etcd.js';

/** etcd's work for one put grows with the keys on its lease where it asks for passwords; and one lease that ends takes them all. */
export const leaseKeysMax = 1000;

/** A lease with the keys that are on it, or are about to be. */
export interface ClaimLease {
  readonly id: LeaseId;
  readonly keys: Set<string>;
  isOver: boolean;
}

/** This node's leases for names, as many as they need, kept alive together. */
export class ClaimLeases {
  private readonly etcd: Etcd;
  private readonly log: Log;
  private readonly leaseSeconds: number;
  private readonly leases = new Set<ClaimLease>();
  private granting: Promise<ClaimLease> | null = null;
  private readonly timer: Timer;
  private isRenewing = false;
  private isClosed = false;
  /** A lease is over, and its keys are gone or will be. */
  onEnded: ((lease: ClaimLease) => void) | null = null;

  constructor(etcd: Etcd, world: { readonly clock: Clock; readonly log: Log }, leaseSeconds: number) {
    this.etcd = etcd;
    this.log = world.log;
    this.leaseSeconds = leaseSeconds;
    this.timer = world.clock.every((leaseSeconds * 1000) / 3, () => void this.renew());
  }

  get count(): number {
    return this.leases.size;
  }

  /** Puts the key on a lease that has room. Rejects with EtcdError. */
  async take(key: string): Promise<ClaimLease> {
    for (;;) {
      for (const lease of this.leases) {
        if (lease.keys.size >= leaseKeysMax) continue;
        lease.keys.add(key);
        return lease;
      }
      this.granting ??= this.grant().finally(() => {
        this.granting = null;
      });
      await this.granting;
    }
  }

  /** Asks etcd about every lease now, and not only when its time comes. */
  async renew(): Promise<void> {
    if (this.isRenewing || this.isClosed) return;
    this.isRenewing = true;
    await Promise.all([...this.leases].map((lease) => this.keep(lease)));
    this.isRenewing = false;
  }

  /** etcd was heard to say that it has no such lease. */
  ended(lease: ClaimLease): void {
    if (!this.leases.delete(lease)) return;
    lease.isOver = true;
    this.onEnded?.(lease);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer.cancel();
    await Promise.all([...this.leases].map(({ id }) => this.etcd.revokeLease(id).catch(() => undefined)));
    this.leases.clear();
  }

  private async grant(): Promise<ClaimLease> {
    const id = await this.etcd.grantLease(this.leaseSeconds);
    const lease = { id, keys: new Set<string>(), isOver: false };
    if (this.isClosed) void this.etcd.revokeLease(id).catch(() => undefined);
    else this.leases.add(lease);
    return lease;
  }

  private async keep(lease: ClaimLease): Promise<void> {
    try {
      if ((await this.etcd.keepLease(lease.id)) <= 0) this.ended(lease);
    } catch (error) {
      // While etcd is away none of its leases ends.
      this.log.debug({ error }, 'a lease of names could not be renewed; tried again');
    }
  }
}
