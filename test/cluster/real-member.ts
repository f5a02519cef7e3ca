import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EtcdClient, type EtcdClientOptions, Membership, type MembershipOptions } from '@chapar/cluster';
import { type Clock, createNodePlatform, type Timer } from '@chapar/platform';
import { openStore, renewIdentity, type Store } from '@chapar/store';

export const platform = createNodePlatform({ log: { level: 'silent' } });

/** A life's clock: when that is over, nothing is called any more. */
class LifeClock implements Clock {
  isOver = false;

  wallMs(): number {
    return platform.clock.wallMs();
  }

  monotonicMs(): number {
    return platform.clock.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return platform.clock.after(delayMs, () => this.isOver || run());
  }

  every(intervalMs: number, run: () => void): Timer {
    return platform.clock.every(intervalMs, () => this.isOver || run());
  }

  endOfTurn(run: () => void): void {
    platform.clock.endOfTurn(() => this.isOver || run());
  }
}

/** A data directory on this machine and the etcd side of the node that runs on it. */
export class RealMember {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'chapar-member-'));
  readonly name: string;
  readonly etcd: Partial<EtcdClientOptions> & Pick<EtcdClientOptions, 'endpoints'>;
  membership!: Membership;
  store!: Store;
  private client!: EtcdClient;
  private clock!: LifeClock;

  constructor(name: string, etcd: RealMember['etcd']) {
    this.name = name;
    this.etcd = etcd;
  }

  async start(options: Partial<MembershipOptions> = {}): Promise<Membership> {
    const { log, random, disk } = platform;
    const { directory } = this;
    const clock = new LifeClock();
    this.clock = clock;
    this.client = new EtcdClient({ tls: null, auth: null, clock, log, ...this.etcd });
    this.store = await openStore({ platform, dataDir: directory });
    try {
      this.membership = await Membership.open({
        ...{ etcd: this.client, clock, log, random, disk, directory, dataId: this.store.dataId },
        ...{ prefix: '/chapar', node: this.name, address: 'localhost:1', versions: {}, leaseSeconds: 5 },
        embedded: () => this.store.metadata,
        renewDataId: async () => {
          await this.store.close();
          await renewIdentity(disk, random, directory);
          this.store = await openStore({ platform, dataDir: directory });
          return this.store.dataId;
        },
        ...options,
      });
      await this.membership.register();
    } catch (error) {
      await this.store.close();
      this.client.close();
      throw error;
    }
    return this.membership;
  }

  async stop(): Promise<void> {
    await this.membership.close();
    await this.store.close();
  }

  /** The process is not ours to kill: from here on this life hears and says nothing more. */
  async vanish(): Promise<void> {
    this.clock.isOver = true;
    this.client.close();
    await this.store.close();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
