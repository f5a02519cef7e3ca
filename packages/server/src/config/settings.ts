import { hostname } from 'node:os';
import { addressForms } from './address.js';
import { mqttSettings } from './mqtt-settings.js';

/**
 * Every setting: one JSON Schema fragment each, from which come the validation (ajv), the error texts, the types, the environment's
 * names and docs/CONFIGURATION.md. `default` null means "none".
 */
interface Setting {
  readonly type: string | readonly string[];
  readonly description: string;
  readonly default: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly items?: { readonly type: 'string'; readonly minLength?: number; readonly pattern?: string };
  readonly additionalProperties?: { readonly enum: readonly string[] } | false;
  readonly properties?: Readonly<Record<string, { readonly type: 'integer' }>>;
  /** How the default is told in the documentation where it depends on the machine. */
  readonly defaultText?: string;
  /** In words, where a pattern would not help the reader. */
  readonly allowedText?: string;
  /** Never shown by `config show`. */
  readonly isSecret?: true;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export const settings = {
  shutdownSeconds: {
    type: 'integer',
    minimum: 0,
    maximum: 3600,
    default: 30,
    description:
      'How long a stop waits for the goodbye of the clients and the sync of the log before it gives up on them. Seconds.',
  },

  'node.name': {
    type: 'string',
    pattern: '^[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+$',
    maxLength: 255,
    default: `chapar@${hostname()}`,
    defaultText: 'chapar@<host name>',
    allowedText: 'NAME@HOST of letters, digits, dots, dashes and underscores',
    description: "The node's name, as clients and the management API see it.",
  },
  'node.clusterName': {
    type: ['string', 'null'],
    minLength: 1,
    maxLength: 255,
    default: null,
    defaultText: 'the node name',
    description: "The name under which clients know this broker (`cluster_name` of the server's properties).",
  },
  'node.dataDir': {
    type: 'string',
    minLength: 1,
    default: 'data',
    description:
      'Where everything durable is kept; created when absent. A relative path starts at the working directory.',
  },
  'node.advertise': {
    type: ['string', 'null'],
    pattern: '^([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\])(:[1-9][0-9]{0,4})?$',
    default: null,
    defaultText: 'the address and port of `listeners.peer`; the host name where that listens on all interfaces',
    allowedText: 'HOST:PORT, [IPv6]:PORT or HOST (with the port of `listeners.peer`)',
    description: 'Where the other nodes of the cluster reach this one.',
  },
  'node.productVersion': {
    type: 'string',
    pattern: '^\\d+\\.\\d+\\.\\d+$',
    default: '4.1.0',
    allowedText: 'three numbers, such as 4.1.0',
    description:
      'The version told to clients as `version` and `rabbitmq_version`: client libraries check it before they use newer features. Our own is in `chapar_version`.',
  },

  'listeners.amqp': listener('*:5672', 'AMQP 0-9-1.'),
  'listeners.amqps': listener('off', 'AMQP 0-9-1 over TLS (needs `tls.certFile` and `tls.keyFile`).'),
  'listeners.mqtt': listener('*:1883', 'MQTT 3.1, 3.1.1 and 5.0.'),
  'listeners.mqtts': listener('off', 'MQTT over TLS (needs `tls.certFile` and `tls.keyFile`).'),
  'listeners.mqtt-ws': listener('*:15675', 'MQTT over WebSocket, paths `/ws` and `/mqtt`.'),
  'listeners.mqtt-wss': listener('off', 'MQTT over WebSocket and TLS (needs `tls.certFile` and `tls.keyFile`).'),
  'listeners.management': listener('127.0.0.1:15672', 'The management HTTP API and `/health/live`, `/health/ready`.'),
  'listeners.management-tls': listener('off', 'The same over TLS (needs `tls.certFile` and `tls.keyFile`).'),

  'listeners.peer': listener(
    '127.0.0.1:25672',
    'The other nodes of the cluster, over gRPC. Listens only with `cluster.etcd`, and on more than the loopback only with `cluster.secret` or certificates (`cluster.peerCertFile`).',
  ),

  'cluster.etcd': {
    type: 'array',
    items: { type: 'string', pattern: '^https?://([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\])(:[1-9][0-9]{0,4})?/?$' },
    default: [],
    defaultText: 'none: this node is alone',
    allowedText: 'a list of http://HOST:PORT or https://HOST:PORT',
    description:
      'The members of the etcd (3.4 or later) in which the nodes of a cluster find each other and keep what all of them must know. Every node that starts with the same etcd and the same `cluster.prefix` is a node of the same cluster.',
  },
  'cluster.prefix': {
    type: 'string',
    pattern: '^(/[A-Za-z0-9._-]+)+$',
    maxLength: 255,
    default: '/chapar',
    allowedText: 'names after slashes, such as /chapar or /brokers/test',
    description: 'Under which keys of etcd the cluster keeps its own. Clusters with different prefixes share an etcd.',
  },
  'cluster.leaseSeconds': {
    type: 'integer',
    minimum: 3,
    maximum: 60,
    default: 10,
    description:
      'How long after its last sign of life a node counts as gone: then its queues elsewhere are answered with its name, and its exclusive queues end. Seconds.',
  },
  'cluster.secret': {
    type: ['string', 'null'],
    minLength: 1,
    maxLength: 1024,
    default: null,
    isSecret: true,
    allowedText: 'a text, the same on all nodes; long and random',
    description:
      'By which nodes know each other; it is proved and never sent. What they say after that is not encrypted: across networks that others can read take certificates.',
  },
  'cluster.secretFile': file(
    'The file with the secret, instead of `cluster.secret`; a newline at its end does not count.',
  ),
  'cluster.peerCaFile': file(
    "Certificates of the authorities that sign the nodes' certificates. With it nodes speak mutual TLS to each other. PEM.",
  ),
  'cluster.peerCertFile': file(
    "This node's certificate for other nodes, as server and as client; it has to name the host of `node.advertise`. PEM.",
  ),
  'cluster.peerKeyFile': file("That certificate's private key. PEM."),
  'cluster.etcdCaFile': file(
    "Certificates of the authorities that sign etcd's certificate; needs https endpoints. PEM.",
  ),
  'cluster.etcdCertFile': file("This node's certificate for etcd, where etcd asks its clients for one. PEM."),
  'cluster.etcdKeyFile': file("That certificate's private key. PEM."),
  'cluster.etcdUser': {
    type: ['string', 'null'],
    minLength: 1,
    maxLength: 255,
    default: null,
    description: 'The user of etcd, where it wants one; with `cluster.etcdPasswordFile`.',
  },
  'cluster.etcdPasswordFile': file('The file with its password; a newline at its end does not count.'),

  'tls.certFile': file("The server's certificate, followed by those of the authorities between it and the root. PEM."),
  'tls.keyFile': file("The certificate's private key. PEM."),
  'tls.caFile': file('Certificates of the authorities that client certificates are checked against. PEM.'),
  'tls.clientCertificate': {
    type: 'string',
    enum: ['none', 'optional', 'required'],
    default: 'none',
    description:
      'Whether clients show a certificate: `none` does not ask, `optional` checks one that is shown, `required` refuses clients without. The latter two need `tls.caFile`.',
  },

  'store.durability': {
    type: 'string',
    pattern: '^(sync|periodic:[1-9][0-9]{0,4}ms)$',
    default: 'sync',
    allowedText: '`sync` or `periodic:MILLISECONDSms` with at most 99999, such as `periodic:200ms`',
    description:
      'When a persistent message counts as kept: `sync` confirms it once it is synced to disk (in groups); `periodic:200ms` confirms it once it is written and syncs at most so much later: it survives the end of the process, but a power cut or a crash of the machine may take the last 200 ms of what was confirmed. Virtual hosts, users, queues and so on are synced in either case.',
  },

  'store.reserve': {
    type: 'integer',
    minimum: 0,
    default: 67_108_864,
    description:
      'Kept aside on the disk of the data directory, so that a full disk can still be drained: with it go out what gathered before the disk was full, and the settlements of what is consumed. 0: nothing. Bytes.',
  },

  'store.windowBytes': {
    type: 'integer',
    minimum: 65_536,
    maximum: 1_073_741_824,
    default: 8_388_608,
    description:
      'How much of its waiting messages each queue keeps in memory; the rest lies on disk and is read when its turn comes, transient messages too. Bytes.',
  },
  'store.memoryBytes': {
    type: 'integer',
    minimum: 1_048_576,
    default: 134_217_728,
    description:
      'How much of their waiting messages all queues together keep in memory; beyond it, each queue keeps a sixty-fourth of its window. Bytes.',
  },

  'auth.defaultUser': {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    default: 'guest',
    description:
      'The administrator that a fresh data directory is given. Any other name than `guest` needs `auth.defaultPasswordFile`; there is no `guest` then.',
  },
  'auth.defaultPasswordFile': file(
    'The file with the password of `auth.defaultUser`; a newline at its end does not count. Read only when the data directory is fresh.',
  ),
  'auth.loopbackUsers': {
    type: 'array',
    items: { type: 'string', minLength: 1 },
    default: ['guest'],
    description: 'Users that may log in from this machine only.',
  },
  'auth.sslCertLoginFrom': {
    type: 'string',
    enum: ['distinguished_name', 'common_name', 'subject_alternative_name'],
    default: 'distinguished_name',
    description:
      "Which part of a client's certificate is its user name (SASL EXTERNAL, and MQTT clients that give no user name).",
  },
  'auth.loginCacheSeconds': {
    type: 'integer',
    minimum: 0,
    maximum: 3600,
    default: 60,
    description:
      'How long a verified password is remembered (as a keyed digest, in memory), so that reconnecting clients do not each cost a password hash. 0: not at all. A changed or deleted user is forgotten at once. Seconds.',
  },

  'limits.maxMessageSize': {
    type: 'integer',
    minimum: 1,
    maximum: 536_870_912,
    default: 16_777_216,
    description: 'The largest message body that is taken; a larger one is refused (406) and its channel closed. Bytes.',
  },
  'limits.channelMax': {
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 2047,
    description: 'Channels of one connection, proposed to the client. 0: 65535.',
  },
  'limits.frameMax': {
    type: 'integer',
    minimum: 4096,
    maximum: 134_217_728,
    default: 131_072,
    description: 'The largest AMQP 0-9-1 frame, proposed to the client, which may ask for less. Bytes.',
  },
  'limits.heartbeatSeconds': {
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 60,
    description: 'The heartbeat proposed to AMQP 0-9-1 clients. 0: none. Seconds.',
  },
  'limits.handshakeSeconds': {
    type: 'integer',
    minimum: 1,
    maximum: 3600,
    default: 10,
    description: 'How long a client may take from connecting to an opened connection. Seconds.',
  },
  'limits.connectionMax': {
    type: ['integer', 'null'],
    minimum: 0,
    default: null,
    defaultText: 'no limit',
    description: 'Client connections that are open at the same time; more are closed as soon as they are accepted.',
  },
  'limits.memoryWatermark': {
    type: 'number',
    minimum: 0.01,
    maximum: 1,
    default: 0.6,
    description:
      'The share of the memory that the broker may have resident; above it (or above four fifths of what the JavaScript heap may have) publishers wait until it is less.',
  },
  'limits.memoryTotal': {
    type: ['integer', 'null'],
    minimum: 16_777_216,
    default: null,
    defaultText: "the machine's memory or the limit of its cgroup, whichever is smaller",
    description: 'What `limits.memoryWatermark` is a share of. Bytes.',
  },
  'limits.diskFreeMin': {
    type: 'integer',
    minimum: 0,
    default: 50_000_000,
    description:
      'What has to be free on the disk of the data directory; publishers wait while it is less. 0: not watched. Bytes.',
  },

  ...mqttSettings,

  'log.level': {
    type: 'string',
    enum: logLevels,
    default: 'info',
    description: 'What is logged: this and everything graver.',
  },
  'log.levels': {
    type: 'object',
    additionalProperties: { enum: logLevels },
    default: {},
    allowedText: `package names with a level each (${logLevels.join(', ')})`,
    description:
      'Levels of single packages, such as `{ amqp091: debug, store: warn }`. In the environment: `amqp091=debug,store=warn`.',
  },
  'log.format': {
    type: 'string',
    enum: ['auto', 'pretty', 'json'],
    default: 'auto',
    description: '`pretty` for people, `json` (a line each) for machines, `auto`: pretty on a terminal.',
  },
} as const satisfies Record<string, Setting>;

function listener<const D extends string>(fallback: D, what: string) {
  return {
    type: ['string', 'integer', 'boolean', 'null'],
    default: fallback,
    allowedText: addressForms,
    description: what,
  } as const;
}

function file<const D extends string>(description: D) {
  return {
    type: ['string', 'null'],
    minLength: 1,
    default: null,
    allowedText: 'the path of a file',
    description,
  } as const;
}

export type SettingKey = keyof typeof settings;

type TypeOf<T> = T extends 'integer' | 'number'
  ? number
  : T extends 'string'
    ? string
    : T extends 'boolean'
      ? boolean
      : T extends 'null'
        ? null
        : T extends 'array'
          ? readonly string[]
          : T extends 'object'
            ? Readonly<Record<string, (typeof logLevels)[number]>>
            : never;

type ValueOf<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly additionalProperties: false }
    ? Readonly<Record<string, number>>
    : S extends { readonly type: readonly (infer T)[] }
      ? TypeOf<T>
      : S extends { readonly type: infer T }
        ? TypeOf<T>
        : never;

/** The type of each setting's value, derived from its schema. */
export type SettingValues = { readonly [K in SettingKey]: ValueOf<(typeof settings)[K]> };

export const settingKeys = Object.keys(settings) as readonly SettingKey[];

/** Widened: for code that treats all settings alike. */
export function settingOf(key: SettingKey): Setting {
  return settings[key];
}

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(settings, key);
}

/** Sections in the order of the documentation; '' for the settings that stand alone. */
export const sections: readonly string[] = [...new Set(settingKeys.map(sectionOf))];

export function sectionOf(key: string): string {
  return key.includes('.') ? key.slice(0, key.indexOf('.')) : '';
}

/** What a setting takes, in words. */
export function allowedValues(key: SettingKey): string {
  const { allowedText, enum: values, type, minimum, maximum } = settingOf(key);
  if (allowedText !== undefined) return allowedText;
  if (values !== undefined) return values.length === 1 ? `only ${values[0]}` : `one of ${values.join(', ')}`;
  const types = Array.isArray(type) ? type : [type];
  if (types.includes('integer')) return range('a whole number', minimum, maximum);
  if (types.includes('number')) return range('a number', minimum, maximum);
  if (types.includes('array')) return 'a list of names';
  return 'a text';
}

function range(what: string, minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return `${what} from ${minimum} to ${maximum}`;
  return minimum === undefined ? what : `${what} from ${minimum} up`;
}
