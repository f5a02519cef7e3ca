import { join } from 'node:path';
import { Amqp091Door, amqp091Dialect, amqp091Form } from '@chapar/amqp091';
import { ensureDefaultUser, InternalUsers } from '@chapar/auth';
import { Broker, Memory, type MetadataStore, type NodeLimits, type ResourceLimits } from '@chapar/core';
import { createManagement, HttpPorts, type ManagementOptions } from '@chapar/management';
import { MqttDoor, mqttDialect } from '@chapar/mqtt';
import type { Endpoint, NodePlatform, Wire } from '@chapar/platform';
import type { RunningBroker, StopReason } from './broker.js';
import { tokenFileName } from './cli/endpoint.js';
import type { ClusterFace } from './cluster/cluster-face.js';
import { formatAddress } from './config/address.js';
import type { ServerOptions } from './config/options.js';
import type { Protocol } from './config/protocols.js';
import { type Ground, openGround } from './ground.js';
import { type Doors, Listeners, tlsFilesFor } from './listener.js';
import { readDefaultPassword } from './start/default-password.js';
import { version } from './version.js';
import { recogniseProtocol } from './wrong-protocol.js';

/** How long a peer may read nothing of what waits for it. Seconds. */
const stalledSeconds = 60;
/** Output that may wait for one peer before its deliveries stop. Bytes. */
const unsentBytesMax = 512 * 1024;

/** Of the time that a stop may take, what clients get for their goodbyes; the rest is for the last sync. */
const goodbyeShare = 0.8;

/** Builds one node: store, cluster, users, core, doors; listens when all of it can serve. */
export async function compose(
  options: ServerOptions,
  platform: NodePlatform,
  aborted: AbortSignal = new AbortController().signal,
): Promise<RunningBroker> {
  const ports = new HttpPorts(platform.clock);
  const listeners = new Listeners(options, platform);
  try {
    await openManagement(ports, listeners, options);
    const waitsFor = (what: string) => {
      ports.waitingFor = what;
    };
    const ground = await openGround(options, platform, { aborted, waitsFor });
    try {
      return await composeOn(ground, { options, platform, ports, listeners });
    } catch (error) {
      await ground.cluster?.close();
      await ground.close();
      throw error;
    }
  } catch (error) {
    await ports.close();
    throw error;
  }
}

interface Parts {
  readonly options: ServerOptions;
  readonly platform: NodePlatform;
  readonly ports: HttpPorts;
  readonly listeners: Listeners;
}

async function composeOn(ground: Ground, { options, platform, ports, listeners }: Parts): Promise<RunningBroker> {
  const { cluster, peer } = ground;
  if (peer !== null) listeners.add('peer', peer);
  const durability = durabilityText(options.store.syncEveryMs);
  const broker = await openBroker(ground, options, platform);
  const amqp = new Amqp091Door(broker, {
    certificateLogin: options.auth.sslCertLoginFrom,
    recognise: recogniseProtocol,
  });
  const mqtt = new MqttDoor(broker, options.mqtt, recogniseProtocol);
  const token = platform.random.bytes(32).toString('base64url');
  const face = cluster === null ? null : await clusterFace(ground, options, platform);
  let isReady = false;
  /** In maintenance. */
  let isShut = false;
  const managementOptions: ManagementOptions = {
    token,
    form: amqp091Form,
    durability,
    isReady: () => isReady && !isShut,
    listeners: () => listeners.addresses,
    membership: face,
  };
  const management = await createManagement(broker, managementOptions, ports);
  const shutDown = async (): Promise<void> => {
    broker.resources.stop();
    face?.close();
    await management.close();
  };
  const toAmqp = (wire: Wire) => amqp.accept(wire);
  const toMqtt = (protocol: Protocol) => {
    const listener = mqtt.listener(protocol);
    return (wire: Wire) => mqtt.accept(wire, listener);
  };
  const doors: Doors = {
    amqp: toAmqp,
    amqps: toAmqp,
    mqtt: toMqtt('mqtt'),
    mqtts: toMqtt('mqtts'),
    'mqtt-ws': toMqtt('mqtt-ws'),
    'mqtt-wss': toMqtt('mqtt-wss'),
  };
  if (cluster !== null) {
    cluster.steward.drain.doors = {
      shut: async () => {
        isShut = true;
        await listeners.suspend();
      },
      dismiss: () => broker.closeWhere(() => true, 'the node was put into maintenance'),
      reopen: async () => {
        await listeners.open(doors);
        isShut = false;
      },
    };
  }
  try {
    await cluster?.begin();
    await writeToken(listeners, options, platform, token);
    await mqtt.open();
    await listeners.open(doors);
  } catch (error) {
    await shutDown();
    throw error;
  }
  isReady = true;
  if (cluster !== null) {
    cluster.membership.onRefused = (error) => {
      isReady = false;
      platform.log.of('server').error({ error }, 'this node may not be part of its cluster any more; stop it');
    };
  }
  const stop = async (reason: StopReason): Promise<void> => {
    isReady = false;
    await listeners.close();
    const goodbyeMs = options.shutdownSeconds * 1000 * goodbyeShare;
    await Promise.all([amqp.stop(`shutdown (${reason})`, goodbyeMs), mqtt.stop(`shutdown (${reason})`, goodbyeMs)]);
    // The others hear at once that this node is gone; what they still have under way to it was not confirmed.
    await cluster?.close();
    try {
      await broker.close();
    } finally {
      // A disk that failed has nothing left to sync, but ports and directory are given back all the same.
      await shutDown();
      await ground.close();
    }
  };
  let stopped: Promise<void> | null = null;
  return {
    listeners: listeners.endpoints,
    dataDir: options.node.dataDir,
    durability,
    version,
    stop: (reason) => (stopped ??= stop(reason)),
  };
}

async function openBroker(ground: Ground, options: ServerOptions, platform: NodePlatform): Promise<Broker> {
  const { metadata, logs, cluster } = ground;
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
    residence: cluster?.residence ?? null,
  });
  // What is found in the logs may be due at once, and has to be read for it.
  broker.dialects.add(amqp091Dialect);
  broker.dialects.add(mqttDialect(broker.dialects));
  cluster?.attach(broker);
  await broker.open();
  await broker.resources.start();
  return broker;
}

async function clusterFace({ cluster }: Ground, options: ServerOptions, { clock }: NodePlatform): Promise<ClusterFace> {
  const { ClusterFace } = await import('./cluster/cluster-face.js');
  return new ClusterFace(cluster!, clock, options.membership!);
}

function durabilityText(syncEveryMs: number): string {
  if (syncEveryMs === 0) return 'every confirmed persistent message is synced to disk first (group commit)';
  return `periodic: a power cut may take what was confirmed in the last ${syncEveryMs} ms; the end of the process takes nothing`;
}

/** The HTTP ports, which are not wires: they are opened by the door and listed with the others. */
async function openManagement(ports: HttpPorts, listeners: Listeners, options: ServerOptions): Promise<void> {
  for (const protocol of ['management', 'management-tls'] as const) {
    const address = options.listeners[protocol];
    if (address === undefined) continue;
    listeners.add(protocol, await ports.listen(address.host, address.port, tlsFilesFor(protocol, options)));
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
