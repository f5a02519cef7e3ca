import { createHmac } from 'node:crypto';
import type { Clock, Random } from '@chapar/platform';

/** At most so many verified logins are remembered; the oldest go first. */
const loginsMax = 10_000;

interface Remembered {
  readonly user: string;
  readonly untilMs: number;
}

/**
 * Verified logins, so that a thousand clients that reconnect after a restart cost one password hash and not a thousand. What is kept
 * is no password but a keyed digest of user, stored hash and password, with a key that lives and dies with the process: whoever reads
 * the memory later cannot test passwords against it faster than against the stored hash. Since the stored hash is part of it, a
 * changed password fits no old entry. Logins that were refused are never remembered.
 */
export class LoginCache {
  private readonly clock: Clock;
  private readonly key: Buffer;
  private readonly keepMs: number;
  private readonly verified = new Map<string, Remembered>();
  private readonly underWay = new Map<string, Promise<boolean>>();

  /** `keepMs` 0: nothing is remembered; logins under way are shared still. */
  constructor(clock: Clock, random: Random, keepMs: number) {
    this.clock = clock;
    this.key = random.bytes(32);
    this.keepMs = keepMs;
  }

  /** The remembered verdict, or `verify`'s; equal logins that come while one is being verified wait for that one. */
  check(user: string, storedHash: string, password: string, verify: () => Promise<boolean>): Promise<boolean> {
    const digest = this.digest(user, storedHash, password);
    if (this.isRemembered(digest)) return Promise.resolve(true);
    const shared = this.underWay.get(digest);
    if (shared !== undefined) return shared;
    const verdict = this.verifyAndRemember(user, digest, verify).finally(() => this.underWay.delete(digest));
    this.underWay.set(digest, verdict);
    return verdict;
  }

  /** Drops what is remembered of a user who was changed or deleted. */
  forget(user: string): void {
    for (const [digest, login] of this.verified) if (login.user === user) this.verified.delete(digest);
  }

  private async verifyAndRemember(user: string, digest: string, verify: () => Promise<boolean>): Promise<boolean> {
    const right = await verify();
    if (right && this.keepMs > 0) {
      this.verified.set(digest, { user, untilMs: this.clock.monotonicMs() + this.keepMs });
      if (this.verified.size > loginsMax) this.dropOldest();
    }
    return right;
  }

  private isRemembered(digest: string): boolean {
    const login = this.verified.get(digest);
    if (login === undefined) return false;
    if (login.untilMs > this.clock.monotonicMs()) return true;
    this.verified.delete(digest);
    return false;
  }

  private dropOldest(): void {
    for (const digest of this.verified.keys()) {
      this.verified.delete(digest);
      return;
    }
  }

  /** Lengths before the parts, so that no two different logins have the same bytes. */
  private digest(...parts: readonly string[]): string {
    const mac = createHmac('sha256', this.key);
    for (const part of parts) mac.update(`${Buffer.byteLength(part)}:`).update(part, 'utf8');
    return mac.digest('base64');
  }
}
