// The settings of MQTT's door, as rows of the table in settings.ts.

const mqttListeners = ['mqtt', 'mqtts', 'mqtt-ws', 'mqtt-wss'] as const;

/** What may be set for all listeners of MQTT, and for each. */
const mqttLimits = {
  connectionsMax: { type: 'integer', minimum: 0 },
  connectionsPerSecond: { type: 'integer', minimum: 0 },
  packetBytesMax: { type: 'integer', minimum: 256, maximum: 268_435_460 },
  receiveMaximum: { type: 'integer', minimum: 1, maximum: 65_535 },
  inFlightMax: { type: 'integer', minimum: 1, maximum: 65_535 },
  subscriptionsMax: { type: 'integer', minimum: 1 },
} as const;

export const mqttSettings = {
  'mqtt.exchange': {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    default: 'amq.topic',
    description:
      'The topic exchange that MQTT topics are routing keys of, in every virtual host: what is published to it comes to MQTT subscribers, and what MQTT clients publish comes to the queues bound to it.',
  },
  'mqtt.vhost': {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    default: '/',
    description: 'The virtual host of MQTT clients that name none in their user name (`vhost:user`).',
  },
  'mqtt.anonymousUser': {
    type: ['string', 'null'],
    maxLength: 255,
    default: 'guest',
    description:
      'Who MQTT clients are that give no user name and show no certificate; `guest` only from this machine, see `auth.loopbackUsers`. Empty: they are refused.',
  },
  'mqtt.sessionExpirySecondsMax': {
    type: ['integer', 'null'],
    minimum: 0,
    default: 86_400,
    description:
      'How long a session may outlive its connection: what clients of MQTT 5.0 may ask for at most, and what those before get whose session is not clean. Null: for ever. Seconds.',
  },
  'mqtt.sessionCopies': {
    type: 'integer',
    minimum: 1,
    default: 3,
    description:
      'In a cluster: how many nodes have the messages of a session that outlives its connection, and those of a shared group, so that they survive the death of a node. Policies with `ha-mode` go before it; 1: they live on one node. On a node that is alone it means nothing.',
  },
  'mqtt.cleanSessions': {
    type: 'string',
    enum: ['cluster', 'node'],
    default: 'cluster',
    description:
      'In a cluster: who knows of sessions that end with their connection. `cluster`: all nodes, so that a client that comes to another node ends its first connection (0x8E), and its will is sent when its node dies; each connect and each end of a connection is a write to the log of sessions. `node`: only their node, which costs nothing; the same client may then be connected to two nodes, and wills die with their node. Sessions that are kept are known to all nodes in either case. Set it to the same on all nodes.',
  },
  'mqtt.receiveMaximum': {
    ...mqttLimits.receiveMaximum,
    default: 4096,
    description:
      'Messages of QoS 1 and 2 that an MQTT client of 5.0 may have under way to the broker, which it is told. More of QoS 2 end its connection (0x93); of QoS 1 they do not, since well-known clients do not look at it and they are acknowledged at once.',
  },
  'mqtt.inFlightMax': {
    ...mqttLimits.inFlightMax,
    default: 100,
    description:
      'Messages of QoS 1 and 2 that the broker has under way to an MQTT client before 5.0, which cannot say how many it takes.',
  },
  'mqtt.topicAliasMaximum': {
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 32,
    description: 'Topic aliases that an MQTT client may use.',
  },
  'mqtt.subscriptionsMax': {
    ...mqttLimits.subscriptionsMax,
    default: 100_000,
    description: 'Subscriptions that one MQTT session may have; more are refused (0x97).',
  },
  'mqtt.keepAliveSecondsMax': {
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description:
      'The longest keep-alive of a client of MQTT 5.0; who asks for more, or for none, gets this and is told so. 0: no limit. Seconds.',
  },
  'mqtt.connectionsMax': {
    ...mqttLimits.connectionsMax,
    type: ['integer', 'null'],
    default: null,
    defaultText: 'no limit',
    description:
      'MQTT clients that each listener has at a time; more are refused (0x97, before 5.0 code 3). Beside `limits.connectionMax` and the limits of virtual hosts and users.',
  },
  'mqtt.packetBytesMax': {
    ...mqttLimits.packetBytesMax,
    type: ['integer', 'null'],
    default: null,
    defaultText: '`limits.maxMessageSize` and 128 KiB, which is also the most',
    description:
      'The largest packet that is taken, which MQTT clients of 5.0 are told; a larger one ends the connection (0x95). Bytes.',
  },
  'mqtt.connectionsPerSecond': {
    ...mqttLimits.connectionsPerSecond,
    default: 1000,
    description:
      'New MQTT clients that each listener lets in a second, beside a burst of as many; more are told to come again (0x9F, before 5.0 code 3), so that a storm of reconnects does not starve those who are there. 0: no limit.',
  },
  'mqtt.perListener': {
    type: 'object',
    properties: Object.fromEntries(
      mqttListeners.flatMap((listener) =>
        Object.entries(mqttLimits).map(([limit, schema]) => [`${listener}.${limit}`, schema]),
      ),
    ),
    additionalProperties: false,
    default: {},
    allowedText: `LISTENER.LIMIT with a number each, of the listeners ${mqttListeners.join(', ')} and the limits ${Object.keys(mqttLimits).join(', ')}`,
    description:
      'Limits of single listeners, where they are not those of all: `{ mqtt-ws.connectionsMax: 500, mqtt-ws.packetBytesMax: 65536 }`. In the environment: `mqtt-ws.connectionsMax=500,mqtt-ws.packetBytesMax=65536`.',
  },
  'mqtt.webSocketOrigins': {
    type: 'array',
    items: { type: 'string', minLength: 1 },
    default: [],
    description:
      'Origins of the pages that may connect over WebSocket, such as `https://dashboard.example`. None: all, and clients that are no browsers always.',
  },
} as const;
