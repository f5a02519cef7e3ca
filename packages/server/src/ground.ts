import { join } from 'node:path';
import type { ClusterNode } from '@chapar/cluster';
import type { LogStore, MetadataStore } from '@chapar/core';
import type { Endpoint, NodePlatform } from '@chapar/platform';
import { openStore, type StoreOptions } from '@chapar/store';
import type { ServerOptions } from './config/options.js';
import { ConfigurationError } from './config/problem.js';

/** What a node's broker stands on, alone or in a cluster. */
export interface Ground {
  readonly metadata: MetadataStore;
  readonly logs: LogStore;
  /** Null: this node is alone. */
  readonly cluster: ClusterNode | null;
  /** Where it listens for the other nodes. */
  readonly peer: Endpoint | null;
  /** After the broker: syncs what there is, and gives name, ports and directory back. */
  close(): Promise<void>;
}

/** A start that may take long: who waits says for what, and gives up when it is aborted. */
export interface Starting {
  readonly aborted: AbortSignal;
  waitsFor(what: string): void;
}

/** Opens the data directory and, in a cluster, agrees with etcd on who this node is. */
export async function openGround(options: ServerOptions, platform: NodePlatform, starting: Starting): Promise<Ground> {
  if (options.membership === null) return openAlone(options, platform);
  // Loaded only here: a node that is alone needs nothing of it.
  const { openInCluster } = await import('./cluster/cluster-ground.js');
  return openInCluster(options, options.membership, platform, starting);
}

async function openAlone(options: ServerOptions, platform: NodePlatform): Promise<Ground> {
  const { dataDir } = options.node;
  await assertNeverInCluster(platform, dataDir);
  const store = await openStore(storeOptions(options, platform));
  return { metadata: store.metadata, logs: store.logs, cluster: null, peer: null, close: () => store.close() };
}

export function storeOptions(options: ServerOptions, platform: NodePlatform): StoreOptions {
  const { syncEveryMs, reserve } = options.store;
  return { platform, dataDir: options.node.dataDir, wal: { syncEveryMs, reserveBytes: reserve } };
}

/** What its queues are is in etcd: alone it would find logs of queues that it does not know. */
async function assertNeverInCluster({ disk }: NodePlatform, dataDir: string): Promise<void> {
  const memory = await disk.readFile(join(dataDir, 'cluster.json')).catch(() => null);
  if (memory === null) return;
  throw new ConfigurationError([
    {
      origin: null,
      text: `the data directory ${dataDir} belongs to a cluster, and cluster.etcd is not set`,
      hint: 'Start it with --etcd URL and a peer listener, as before, or alone with another --data-dir.',
    },
  ]);
}
