import {
  ClusterNode,
  type KnownIncarnations,
  Membership,
  readMetadataCopy,
  type SimEtcdClient,
  type SimTransport,
} from '@chapar/cluster';
import type { Disk, SimPlatform } from '@chapar/platform';
import { openStore, renewIdentity, type Store, type WalSettings } from '@chapar/store';

export const peerPort = 25_672;
export const leaseSeconds = 10;
export const directory = '/data';

/** Small files, so that a run of seconds sees logs roll, checkpoints and reclaiming. */
const wal: Partial<WalSettings> = {
  fileBytesMax: 32 * 1024,
  bytesMin: 32 * 1024,
  checkpointBytes: 16 * 1024,
  stopCheckpointBytes: 1024,
};

/** What one life of a node of a cluster has of the outside. */
export interface ClusterWays {
  readonly client: SimEtcdClient;
  readonly transport: SimTransport;
}

export function openSimStore(platform: SimPlatform): Promise<Store> {
  return openStore({ platform, dataDir: directory, wal });
}

/** A node's data directory and its part in the cluster, as the server composes them. */
export interface Clustered {
  readonly store: Store;
  readonly node: ClusterNode;
}

/** Agrees with etcd on who this node is, and registers; waits for etcd as long as that takes. */
export async function joinCluster(name: string, platform: SimPlatform, ways: ClusterWays): Promise<Clustered> {
  const { clock, log, random, disk } = platform;
  const { client, transport } = ways;
  let store = await openSimStore(platform);
  const known = await knownIncarnations(disk);
  const membership = await Membership.open({
    etcd: client,
    clock,
    log,
    random,
    disk,
    directory,
    dataId: store.dataId,
    prefix: '/chapar',
    node: name,
    address: `${name}:${peerPort}`,
    versions: {},
    leaseSeconds,
    embedded: () => store.metadata,
    renewDataId: async () => {
      await store.close();
      await renewIdentity(disk, random, directory);
      store = await openSimStore(platform);
      return store.dataId;
    },
  });
  const node = new ClusterNode({ membership, transport, clock, random, log, secret: 'secret', leaseSeconds, known });
  await node.listen(name, peerPort);
  await membership.register();
  return { store, node };
}

/** The queues that this directory has heard of, by its copy of what was in etcd. */
async function knownIncarnations(disk: Disk): Promise<KnownIncarnations> {
  const copy = await readMetadataCopy(disk, directory);
  const known = new Set<string>();
  for (const { value } of copy?.entries ?? []) {
    const incarnation = (value as { incarnation?: unknown } | null)?.incarnation;
    if (typeof incarnation === 'string') known.add(incarnation);
  }
  return known;
}
