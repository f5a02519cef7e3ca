import {
  ClusterNode,
  EtcdClient,
  GrpcTransport,
  JoinRefusedError,
  type KnownIncarnations,
  linkVersions,
  Membership,
  readMetadataCopy,
} from '@chapar/cluster';
import type { NodePlatform } from '@chapar/platform';
import { openStore, renewIdentity, type Store } from '@chapar/store';
import { StartAbortedError, StartRefusedError } from '../broker.js';
import { formatAddress } from '../config/address.js';
import type { MembershipOptions } from '../config/membership-options.js';
import type { ServerOptions } from '../config/options.js';
import { type Ground, type Starting, storeOptions } from '../ground.js';
import { version } from '../version.js';
import { peerEndpoint } from './peer-endpoint.js';
import { readSecrets, type Secrets } from './secrets.js';

/**
 * Opens the data directory of a node of a cluster, agrees with etcd on who it is, listens for peers and registers; waits for etcd, and for
 * the name, as long as that takes.
 */
export async function openInCluster(
  options: ServerOptions,
  belongs: MembershipOptions,
  platform: NodePlatform,
  starting: Starting,
): Promise<Ground> {
  const secrets = await readSecrets(belongs);
  const endpoint = await peerEndpoint(platform.network, options.listeners.peer!);
  const place = new Place(options, platform, await openStore(storeOptions(options, platform)));
  try {
    const known = await knownIncarnations(options, platform);
    const { host, port } = belongs.advertise;
    const address = formatAddress({ host, port: port === 0 ? endpoint.port : port });
    const membership = await joinCluster(options, belongs, platform, starting, place, { secrets, address });
    const { clock, random } = platform;
    const node = new ClusterNode({
      membership,
      transport: new GrpcTransport(secrets.peerTls),
      clock,
      random,
      log: platform.log.of('cluster'),
      secret: secrets.secret,
      leaseSeconds: belongs.leaseSeconds,
      known,
    });
    try {
      await node.listen(endpoint.host, endpoint.port);
      await membership.register();
    } catch (error) {
      await node.close();
      throw error;
    }
    const { store } = place;
    const peer = { address: endpoint.host, port: endpoint.port };
    return { metadata: node.metadata, logs: store.logs, cluster: node, peer, close: () => store.close() };
  } catch (error) {
    await place.store.close();
    // Whoever waited says so in words of its own.
    if (starting.aborted.aborted) throw new StartAbortedError();
    if (error instanceof JoinRefusedError) throw new StartRefusedError(error.message, { cause: error });
    throw error;
  }
}

async function joinCluster(
  options: ServerOptions,
  belongs: MembershipOptions,
  platform: NodePlatform,
  starting: Starting,
  place: Place,
  { secrets, address }: { readonly secrets: Secrets; readonly address: string },
): Promise<Membership> {
  const { clock, random, disk } = platform;
  const log = platform.log.of('cluster');
  const { etcdTls: tls, etcdAuth: auth } = secrets;
  const etcd = new EtcdClient({ endpoints: belongs.etcd, tls, auth, clock, log });
  try {
    return await Membership.open({
      etcd,
      clock,
      log,
      random,
      disk,
      directory: options.node.dataDir,
      dataId: place.store.dataId,
      prefix: belongs.prefix,
      node: options.node.name,
      address,
      versions: { chapar: version, link: linkVersions.newest },
      leaseSeconds: belongs.leaseSeconds,
      embedded: () => place.store.metadata,
      renewDataId: () => place.renew(),
      signal: starting.aborted,
      onWaiting: (what) => starting.waitsFor(what),
    });
  } catch (error) {
    etcd.close();
    throw error;
  }
}

/** A data directory that may have to become somebody else. */
class Place {
  store: Store;
  private readonly options: ServerOptions;
  private readonly platform: NodePlatform;

  constructor(options: ServerOptions, platform: NodePlatform, store: Store) {
    this.options = options;
    this.platform = platform;
    this.store = store;
  }

  async renew(): Promise<string> {
    const { disk, random } = this.platform;
    await this.store.close();
    const { dataId } = await renewIdentity(disk, random, this.options.node.dataDir);
    this.store = await openStore(storeOptions(this.options, this.platform));
    return dataId;
  }
}

/** The queues that this directory has heard of, by its copy of what was in etcd: their logs may go when they are gone. */
async function knownIncarnations({ node }: ServerOptions, platform: NodePlatform): Promise<KnownIncarnations> {
  try {
    const copy = await readMetadataCopy(platform.disk, node.dataDir);
    const known = new Set<string>();
    for (const { value } of copy?.entries ?? []) {
      const incarnation = (value as { incarnation?: unknown } | null)?.incarnation;
      if (typeof incarnation === 'string') known.add(incarnation);
    }
    return known;
  } catch (error) {
    platform.log
      .of('cluster')
      .warn({ error }, 'the copy of the cluster metadata in the data directory cannot be read; it is written anew');
    return new Set();
  }
}
