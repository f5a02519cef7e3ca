import { Membership, type MembershipOptions, SimEtcd, type SimEtcdClient } from '@chapar/cluster';
import type { MetadataStore } from '@chapar/core';
import { type SimPlatform, SimWorld } from '@chapar/platform';
import { openStore, renewIdentity, type Store } from '@chapar/store';

export const directory = '/data';

/** A machine with a data directory, on which a node of a cluster is started, dies and is started again. */
export class SimMember {
  readonly platform: SimPlatform;
  readonly name: string;
  readonly etcd: SimEtcd;
  client!: SimEtcdClient;
  store!: Store;
  membership!: Membership;
  readonly refusals: string[] = [];

  constructor(platform: SimPlatform, name: string, etcd: SimEtcd) {
    this.platform = platform;
    this.name = name;
    this.etcd = etcd;
    Object.assign(platform.disk.delayMs, { write: 0.05, sync: 0.2, read: 0.05 });
  }

  /** What was declared while the directory serves alone. */
  async alone(work: (metadata: MetadataStore) => Promise<unknown>): Promise<void> {
    const store = await this.settle(openStore({ platform: this.platform, dataDir: directory }));
    await this.settle(work(store.metadata));
    await this.settle(store.close());
  }

  /** Agrees with etcd on who this node is. */
  open(options: Partial<MembershipOptions> = {}): Promise<Membership> {
    return this.settle(this.begin(options));
  }

  /** As `open`; somebody else lets time pass. */
  async begin(options: Partial<MembershipOptions> = {}): Promise<Membership> {
    const { platform } = this;
    const { clock, log, random, disk } = platform;
    const client = this.etcd.connect(clock, random);
    this.client = client;
    this.store = await openStore({ platform, dataDir: directory });
    const opening = Membership.open({
      etcd: client,
      clock,
      log,
      random,
      disk,
      directory,
      dataId: this.store.dataId,
      prefix: '/chapar',
      node: this.name,
      address: `${this.name}:25672`,
      versions: {},
      embedded: () => this.store.metadata,
      renewDataId: async () => {
        await this.store.close();
        await renewIdentity(disk, random, directory);
        this.store = await openStore({ platform, dataDir: directory });
        return this.store.dataId;
      },
      ...options,
    });
    try {
      this.membership = await opening;
    } catch (error) {
      await this.store.close();
      client.close();
      throw error;
    }
    this.membership.onRefused = ({ message }) => this.refusals.push(message);
    return this.membership;
  }

  /** Open and registered. */
  async start(options: Partial<MembershipOptions> = {}): Promise<Membership> {
    const membership = await this.open(options);
    await this.settle(membership.register());
    return membership;
  }

  async stop(): Promise<void> {
    await this.settle(this.membership.close());
    await this.settle(this.store.close());
  }

  kill(): void {
    this.client.close();
    this.platform.kill();
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.platform.settle(promise);
  }
}

/** Machines around one simulated etcd. */
export class SimMembers {
  readonly world: SimWorld;
  etcd: SimEtcd;
  private count = 0;

  constructor(seed = 1) {
    this.world = new SimWorld(seed);
    this.etcd = new SimEtcd(this.world.scheduler);
  }

  machine(name: string, etcd = this.etcd): SimMember {
    return new SimMember(this.world.machine(`10.0.0.${++this.count}`), name, etcd);
  }

  /** Another one, empty. */
  newEtcd(): SimEtcd {
    return new SimEtcd(this.world.scheduler);
  }

  advance(ms: number): Promise<void> {
    return this.world.scheduler.advance(ms);
  }
}

/** A directory's files as they are now, for a backup of it or a copy. */
export async function filesOf({ platform: { disk } }: SimMember, under = directory): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const names = await disk.list(under).catch(() => []);
  for (const name of names) {
    const path = `${under}/${name}`;
    const content = await disk.readFile(path).catch(() => null);
    if (content !== null) files.set(path, content);
    else for (const [inner, bytes] of await filesOf({ platform: { disk } } as SimMember, path)) files.set(inner, bytes);
  }
  return files;
}

/** Puts a directory back to what it was. */
export async function restore({ platform: { disk } }: SimMember, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [path, content] of files) {
    await disk.makeDirectory(path.slice(0, path.lastIndexOf('/')));
    await disk.replaceFile(path, content);
  }
}

/** The data id in a directory that nobody has open. */
export async function readIdentityOf({ platform: { disk } }: SimMember): Promise<string> {
  return JSON.parse((await disk.readFile(`${directory}/chapar.json`)).toString()).dataId;
}
