import { join } from 'node:path';
import { Amqp091Door, amqp091Dialect, amqp091Form } from '@chapar/amqp091';
import { ensureDefaultUser, InternalUsers } from '@chapar/auth';
import { Broker, Memory, type MetadataStore, type NodeLimits, type ResourceLimits } from '@chapar/core';
import { createManagement, type Management } from '@chapar/management';
import type { Endpoint, NodePlatform } from '@chapar/platform';
import { openStore } from '@chapar/store';
import type { RunningBroker, StopReason } from './broker.js';
import { tokenFileName } from './cli/endpoint.js';
import { formatAddress } from './config/address.js';
import type { ServerOptions } from './config/options.js';
import { Listeners, tlsFilesFor } from './listener.js';
import { readDefaultPassword } from './start/default-password.js';
import { version } from './version.js';
import { recogniseProtocol } from './wrong-protocol.js';

/** How long a peer may read nothing of what waits for it. Seconds. */
const stalledSeconds = 60;
/** Output that may wait for one peer before its deliveries stop. Bytes. */
const unsentBytesMax = 512 * 1024;

/** Of the time that a stop may take, what clients get for their goodbyes; the rest is for the last sync. */
const goodbyeShare = 0.8;

/** Builds one node: store, users, core, doors; listens when all of it can serve. */
export async function compose(options: ServerOptions, platform: NodePlatform): Promise<RunningBroker> {
  const { dataDir } = options.node;
  const { syncEveryMs, reserve } = options.store;
  const store = await openStore({ platform, dataDir, wal: { syncEveryMs, reserveBytes: reserve } });
  const durability = durabilityText(syncEveryMs);
  try {
    const { metadata, logs } = store;
    await ensureDefaultUser(metadata, platform.random, {
      name: options.auth.defaultUser,
      readPassword: () => readDefaultPassword(options),
    });
    const users = await openUsers(options, platform, metadata);
    const broker = new Broker({
      platform,
      metadata,
      logs,
      users,
      authenticator: users,
      authorizer: null,
      identity: {
        node: options.node.name,
        clusterName: options.node.clusterName,
        product: 'Chapar',
        productVersion: options.node.productVersion,
        version,
      },
      limits: nodeLimits(options),
      memory: new Memory(options.store.windowBytes, options.store.memoryBytes),
      resources: resourceLimits(options),
    });
    // What is found in the logs may be due at once, and has to be read for it.
    broker.dialects.add(amqp091Dialect);
    await broker.open();
    await broker.resources.start();
    const amqp = new Amqp091Door(broker, {
      certificateLogin: options.auth.sslCertLoginFrom,
      recognise: recogniseProtocol,
    });
    const listeners = new Listeners(options, platform);
    const token = platform.random.bytes(32).toString('base64url');
    let isReady = false;
    const management = await createManagement(broker, {
      token,
      form: amqp091Form,
      durability,
      isReady: () => isReady,
      listeners: () => listeners.addresses,
      membership: null,
    });
    const shutDown = async (): Promise<void> => {
      broker.resources.stop();
      await management.close();
    };
    try {
      await openManagement(management, listeners, options);
      await writeToken(listeners, options, platform, token);
      await listeners.open({ amqp: (wire) => amqp.accept(wire), amqps: (wire) => amqp.accept(wire) });
    } catch (error) {
      await shutDown();
      throw error;
    }
    isReady = true;
    const stop = async (reason: StopReason): Promise<void> => {
      isReady = false;
      await listeners.close();
      await amqp.stop(`shutdown (${reason})`, options.shutdownSeconds * 1000 * goodbyeShare);
      try {
        await broker.close();
      } finally {
        // A disk that failed has nothing left to sync, but ports and directory are given back all the same.
        await shutDown();
        await store.close();
      }
    };
    let stopped: Promise<void> | null = null;
    return {
      listeners: listeners.endpoints,
      dataDir,
      durability,
      version,
      stop: (reason) => (stopped ??= stop(reason)),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function durabilityText(syncEveryMs: number): string {
  if (syncEveryMs === 0) return 'every confirmed persistent message is synced to disk first (group commit)';
  return `periodic: a power cut may take what was confirmed in the last ${syncEveryMs} ms; the end of the process takes nothing`;
}

/** The HTTP ports, which are not wires: they are opened by the door and listed with the others. */
async function openManagement(management: Management, listeners: Listeners, options: ServerOptions): Promise<void> {
  for (const protocol of ['management', 'management-tls'] as const) {
    const address = options.listeners[protocol];
    if (address === undefined) continue;
    listeners.add(protocol, await management.listen(address.host, address.port, tlsFilesFor(protocol, options)));
  }
}

/** Lets the command line of this machine's administrator in: who may read the data directory may rule the broker. */
async function writeToken(
  listeners: Listeners,
  options: ServerOptions,
  platform: NodePlatform,
  token: string,
): Promise<void> {
  const endpoint = listeners.endpoint('management');
  if (endpoint === null) return;
  const url = `http://${formatAddress(reachable(endpoint))}`;
  const content = Buffer.from(`${JSON.stringify({ url, token })}\n`);
  await platform.disk.replaceFile(join(options.node.dataDir, tokenFileName), content, { mode: 0o600 });
}

/** Where this machine reaches a listener on all interfaces. */
function reachable({ address, port }: Endpoint): { host: string; port: number } {
  if (address === '::') return { host: '::1', port };
  return { host: address === '0.0.0.0' ? '127.0.0.1' : address, port };
}

async function openUsers(
  options: ServerOptions,
  platform: NodePlatform,
  metadata: MetadataStore,
): Promise<InternalUsers> {
  const users = new InternalUsers({
    metadata,
    clock: platform.clock,
    random: platform.random,
    log: platform.log.of('auth'),
    loopbackUsers: options.auth.loopbackUsers,
    loginCacheMs: options.auth.loginCacheSeconds * 1000,
  });
  await users.open();
  return users;
}

function nodeLimits({ limits }: ServerOptions): NodeLimits {
  return {
    connectionsMax: limits.connectionMax ?? Number.POSITIVE_INFINITY,
    channelsMax: limits.channelMax,
    frameBytesMax: limits.frameMax,
    heartbeatSeconds: limits.heartbeatSeconds,
    handshakeSeconds: limits.handshakeSeconds,
    messageBytesMax: limits.maxMessageSize,
    unsentBytesMax,
    stalledSeconds,
  };
}

function resourceLimits({ limits, node }: ServerOptions): ResourceLimits {
  return {
    memoryWatermark: limits.memoryWatermark,
    memoryBytes: limits.memoryTotal,
    diskFreeBytesMin: limits.diskFreeMin,
    dataDir: node.dataDir,
  };
}
