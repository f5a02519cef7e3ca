import { Amqp091Door } from '@chapar/amqp091';
import { ensureDefaultUser, InternalUsers } from '@chapar/auth';
import { Broker, type NodeLimits } from '@chapar/core';
import type { NodePlatform } from '@chapar/platform';
import { openStore } from '@chapar/store';
import type { RunningBroker, StopReason } from './broker.js';
import type { ServerOptions } from './config/options.js';
import { Listeners } from './listener.js';
import { readDefaultPassword } from './start/default-password.js';
import { version } from './version.js';
import { recogniseProtocol } from './wrong-protocol.js';

/** How long a peer may read nothing of what waits for it. Seconds. */
const stalledSeconds = 60;
/** Output that may wait for one peer before its deliveries stop. Bytes. */
const unsentBytesMax = 512 * 1024;

/** Builds one node: store, users, core, doors; listens when all of it can serve. */
export async function compose(options: ServerOptions, platform: NodePlatform): Promise<RunningBroker> {
  const { dataDir } = options.node;
  const store = await openStore({ platform, dataDir });
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
    });
    await broker.open();
    const amqp = new Amqp091Door(broker, {
      certificateLogin: options.auth.sslCertLoginFrom,
      recognise: recogniseProtocol,
    });
    const listeners = new Listeners(options, platform);
    await listeners.open({ amqp: (wire) => amqp.accept(wire), amqps: (wire) => amqp.accept(wire) });
    const stop = async (reason: StopReason): Promise<void> => {
      await listeners.close();
      await amqp.stop(`shutdown (${reason})`, options.shutdownSeconds * 1000);
      await broker.close();
      await store.close();
    };
    let stopped: Promise<void> | null = null;
    return {
      listeners: listeners.endpoints,
      dataDir,
      durability: 'every confirmed persistent message is synced to disk first (group commit)',
      version,
      stop: (reason) => (stopped ??= stop(reason)),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openUsers(
  options: ServerOptions,
  platform: NodePlatform,
  metadata: ConstructorParameters<typeof InternalUsers>[0]['metadata'],
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
