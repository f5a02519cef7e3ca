import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { DoorSettings } from '@chapar/mqtt';
import type { TlsFiles } from '@chapar/platform';
import { formatAddress, type ListenAddress, parseAddress } from './address.js';
import { type EffectiveConfiguration, isOff } from './effective.js';
import { checkMembership, type MembershipOptions, membershipOptions } from './membership-options.js';
import { ConfigurationError, type Problem } from './problem.js';
import { type Protocol, protocols, tlsProtocols } from './protocols.js';
import type { SettingKey, SettingValues } from './settings.js';

/** The effective configuration, checked as a whole: what the broker is built from. */
export interface ServerOptions {
  readonly node: {
    readonly name: string;
    readonly clusterName: string;
    /** Absolute. */
    readonly dataDir: string;
    readonly productVersion: string;
  };
  /** Only those that listen. */
  readonly listeners: { readonly [protocol in Protocol]?: ListenAddress };
  /** Absolute paths; null when no TLS listener is wanted. */
  readonly tls: TlsFiles | null;
  /** Null: this node is alone. */
  readonly membership: MembershipOptions | null;
  readonly store: {
    /** Bytes. */
    readonly windowBytes: number;
    /** Bytes. */
    readonly memoryBytes: number;
    /** Milliseconds that a confirmed message may be without a sync; 0: it is synced first. */
    readonly syncEveryMs: number;
    /** Bytes. */
    readonly reserve: number;
  };
  readonly auth: {
    readonly defaultUser: string;
    /** Absolute. */
    readonly defaultPasswordFile: string | null;
    readonly loopbackUsers: readonly string[];
    readonly sslCertLoginFrom: SettingValues['auth.sslCertLoginFrom'];
    readonly loginCacheSeconds: number;
  };
  readonly limits: {
    /** Bytes. */
    readonly maxMessageSize: number;
    readonly channelMax: number;
    /** Bytes. */
    readonly frameMax: number;
    readonly heartbeatSeconds: number;
    readonly handshakeSeconds: number;
    /** Null: no limit. */
    readonly connectionMax: number | null;
    readonly memoryWatermark: number;
    /** Bytes. Null: what the machine or the cgroup has. */
    readonly memoryTotal: number | null;
    /** Bytes. */
    readonly diskFreeMin: number;
  };
  readonly mqtt: DoorSettings & { readonly webSocketOrigins: readonly string[] };
  readonly log: {
    readonly level: SettingValues['log.level'];
    readonly levels: SettingValues['log.levels'];
    readonly format: SettingValues['log.format'];
  };
  readonly shutdownSeconds: number;
}

/** Turns the settings into what the broker is built from. Relative paths start at `directory`. Throws ConfigurationError. */
export function serverOptions(config: EffectiveConfiguration, directory: string): ServerOptions {
  const asked = readListeners(config);
  const { peer, ...doors } = asked;
  // Without peers there is nobody to listen for; that somebody asked for it all the same is among the problems.
  const listeners = config.get('cluster.etcd').length === 0 ? doors : asked;
  const problems = [
    ...checkListeners(config, listeners),
    ...checkTls(config, listeners, directory),
    ...checkAuth(config),
    ...checkMembership(config, peer),
    ...membershipFiles.flatMap((key) => checkFile(config, key, directory)),
  ];
  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    node: {
      name: config.get('node.name'),
      clusterName: config.get('node.clusterName') ?? config.get('node.name'),
      dataDir: path.resolve(directory, config.get('node.dataDir')),
      productVersion: config.get('node.productVersion'),
    },
    listeners,
    tls: tlsFiles(config, directory),
    membership: membershipOptions(config, directory, peer, hostname()),
    store: {
      windowBytes: config.get('store.windowBytes'),
      memoryBytes: config.get('store.memoryBytes'),
      syncEveryMs: Number(/\d+/.exec(config.get('store.durability'))?.[0] ?? 0),
      reserve: config.get('store.reserve'),
    },
    auth: {
      defaultUser: config.get('auth.defaultUser'),
      defaultPasswordFile: absolute(config.get('auth.defaultPasswordFile'), directory),
      loopbackUsers: config.get('auth.loopbackUsers'),
      sslCertLoginFrom: config.get('auth.sslCertLoginFrom'),
      loginCacheSeconds: config.get('auth.loginCacheSeconds'),
    },
    limits: {
      maxMessageSize: config.get('limits.maxMessageSize'),
      channelMax: config.get('limits.channelMax'),
      frameMax: config.get('limits.frameMax'),
      heartbeatSeconds: config.get('limits.heartbeatSeconds'),
      handshakeSeconds: config.get('limits.handshakeSeconds'),
      connectionMax: config.get('limits.connectionMax'),
      memoryWatermark: config.get('limits.memoryWatermark'),
      memoryTotal: config.get('limits.memoryTotal'),
      diskFreeMin: config.get('limits.diskFreeMin'),
    },
    mqtt: {
      exchange: config.get('mqtt.exchange'),
      vhost: config.get('mqtt.vhost'),
      certificateLogin: config.get('auth.sslCertLoginFrom'),
      anonymousUser: config.get('mqtt.anonymousUser') || null,
      sessionExpirySecondsMax: config.get('mqtt.sessionExpirySecondsMax') ?? Number.POSITIVE_INFINITY,
      sessionCopies: config.get('mqtt.sessionCopies'),
      cleanSessions: config.get('mqtt.cleanSessions'),
      receiveMaximum: config.get('mqtt.receiveMaximum'),
      inFlightMax: config.get('mqtt.inFlightMax'),
      topicAliasMaximum: config.get('mqtt.topicAliasMaximum'),
      subscriptionsMax: config.get('mqtt.subscriptionsMax'),
      keepAliveSecondsMax: config.get('mqtt.keepAliveSecondsMax'),
      connectionsMax: config.get('mqtt.connectionsMax') ?? Number.POSITIVE_INFINITY,
      connectionsPerSecond: config.get('mqtt.connectionsPerSecond'),
      packetBytesMax: config.get('mqtt.packetBytesMax') ?? Number.POSITIVE_INFINITY,
      perListener: perListener(config.get('mqtt.perListener')),
      webSocketOrigins: config.get('mqtt.webSocketOrigins'),
    },
    log: { level: config.get('log.level'), levels: config.get('log.levels'), format: config.get('log.format') },
    shutdownSeconds: config.get('shutdownSeconds'),
  };
}

/** `mqtt-ws.connectionsMax` and its like, by listener. */
function perListener(limits: SettingValues['mqtt.perListener']): DoorSettings['perListener'] {
  const found: Record<string, Record<string, number>> = {};
  for (const [key, value] of Object.entries(limits)) {
    const [listener = '', limit = ''] = key.split('.');
    found[listener] = { ...found[listener], [limit]: value };
  }
  return found;
}

function readListeners(config: EffectiveConfiguration): { [protocol in Protocol]?: ListenAddress } {
  const listeners: { [protocol in Protocol]?: ListenAddress } = {};
  for (const protocol of protocols) {
    const value = config.get(`listeners.${protocol}`) as string | number | boolean | null;
    if (isOff(value)) continue;
    const address = parseAddress(protocol, value === true ? '' : (value as string | number));
    if (typeof address !== 'string') listeners[protocol] = address;
  }
  return listeners;
}

function tlsFiles(config: EffectiveConfiguration, directory: string): TlsFiles | null {
  const certFile = absolute(config.get('tls.certFile'), directory);
  const keyFile = absolute(config.get('tls.keyFile'), directory);
  const caFile = absolute(config.get('tls.caFile'), directory);
  if (certFile === null || keyFile === null) return null;
  return {
    certFile,
    keyFile,
    ...(caFile === null ? {} : { caFile }),
    clientCertificate: config.get('tls.clientCertificate'),
  };
}

function absolute(file: string | null, directory: string): string | null {
  return file === null ? null : path.resolve(directory, file);
}

// ---------------------------------------------------------------------------------------------------------------
// what no setting can know by itself

function checkListeners(config: EffectiveConfiguration, listeners: ServerOptions['listeners']): Problem[] {
  const named = Object.entries(listeners) as [Protocol, ListenAddress][];
  if (named.length === 0) {
    return [
      {
        origin: null,
        text: 'no listener is left: nobody could reach this broker',
        hint: `Name one of ${protocols.join(', ')}.`,
      },
    ];
  }
  const taken = new Map<string, Protocol>();
  return named.flatMap(([protocol, address]) => {
    if (address.port === 0) return [];
    const text = formatAddress(address);
    const other = taken.get(text);
    taken.set(text, protocol);
    if (other === undefined) return [];
    const origin = config.origin(`listeners.${protocol}`);
    return [
      {
        origin,
        text: `listeners.${protocol}: ${text} is taken by listeners.${other}`,
        hint: 'Give each protocol a port of its own.',
      },
    ];
  });
}

function checkTls(config: EffectiveConfiguration, listeners: ServerOptions['listeners'], directory: string): Problem[] {
  const problems: Problem[] = [];
  const wanted = tlsProtocols.filter((protocol) => listeners[protocol] !== undefined);
  for (const protocol of wanted) {
    for (const key of ['tls.certFile', 'tls.keyFile'] as const) {
      if (config.get(key) !== null) continue;
      const origin = config.origin(`listeners.${protocol}`);
      problems.push({
        origin,
        text: `listeners.${protocol} needs ${key}, which is not set`,
        hint: `Set ${key}, or switch listeners.${protocol} off.`,
      });
    }
  }
  if (config.get('tls.clientCertificate') !== 'none' && config.get('tls.caFile') === null) {
    const origin = config.origin('tls.clientCertificate');
    const text = `tls.clientCertificate is ${config.get('tls.clientCertificate')}, but tls.caFile is not set`;
    problems.push({
      origin,
      text,
      hint: 'Set tls.caFile to the certificates of the authorities that sign your clients.',
    });
  }
  if (wanted.length > 0)
    problems.push(
      ...['tls.certFile', 'tls.keyFile', 'tls.caFile'].flatMap((key) => checkFile(config, key as FileKey, directory)),
    );
  return problems;
}

const membershipFiles = [
  'cluster.secretFile',
  'cluster.peerCaFile',
  'cluster.peerCertFile',
  'cluster.peerKeyFile',
  'cluster.etcdCaFile',
  'cluster.etcdCertFile',
  'cluster.etcdKeyFile',
  'cluster.etcdPasswordFile',
] as const;

type FileKey = SettingKey & ('tls.certFile' | 'tls.keyFile' | 'tls.caFile' | (typeof membershipFiles)[number]);

function checkFile(config: EffectiveConfiguration, key: FileKey, directory: string): Problem[] {
  const file = absolute(config.get(key), directory);
  if (file === null) return [];
  try {
    accessSync(file, constants.R_OK);
    return [];
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
    return [
      {
        origin: config.origin(key),
        text: `${key}: ${file} ${why}`,
        hint: 'Correct the path, or the permissions of the file.',
      },
    ];
  }
}

function checkAuth(config: EffectiveConfiguration): Problem[] {
  if (config.get('auth.defaultUser') === 'guest' || config.get('auth.defaultPasswordFile') !== null) return [];
  const text = `auth.defaultUser is ${config.get('auth.defaultUser')}, but auth.defaultPasswordFile is not set`;
  return [
    {
      origin: config.origin('auth.defaultUser'),
      text,
      hint: 'Set auth.defaultPasswordFile to a file that holds the password.',
    },
  ];
}
