import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from './effective.js';
import type { Flags } from './flags.js';
import { serverOptions } from './options.js';
import { formatOrigin } from './origin.js';
import { ConfigurationError } from './problem.js';
import { allowedValues, settingKeys } from './settings.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function yaml(text: string): string {
  const file = path.join(directory, 'chapar.yaml');
  writeFileSync(file, text);
  return file;
}

const read = (text: string, environment: Record<string, string> = {}, flags: Flags = {}) =>
  readConfiguration({ ...flags, config: yaml(text) }, environment);

const options = (text: string, environment: Record<string, string> = {}, flags: Flags = {}) =>
  serverOptions(read(text, environment, flags), directory);

function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (cause) {
    expect(cause).toBeInstanceOf(ConfigurationError);
    return (cause as ConfigurationError).message;
  }
  throw new Error('the configuration was taken');
}

describe('values', () => {
  test('an empty file leaves the defaults', () => {
    const { listeners, limits, node, shutdownSeconds } = options('# nothing\n');
    expect(listeners).toEqual({
      amqp: { host: null, port: 5672 },
      mqtt: { host: null, port: 1883 },
      'mqtt-ws': { host: null, port: 15675 },
      management: { host: '127.0.0.1', port: 15672 },
    });
    expect(limits).toEqual({
      maxMessageSize: 16 * 1024 * 1024,
      channelMax: 2047,
      frameMax: 131072,
      heartbeatSeconds: 60,
      handshakeSeconds: 10,
      connectionMax: null,
      memoryWatermark: 0.6,
      memoryTotal: null,
      diskFreeMin: 50_000_000,
    });
    expect(node.productVersion).toBe('4.1.0');
    expect(node.dataDir).toBe(path.join(directory, 'data'));
    expect(node.clusterName).toBe(node.name);
    expect(shutdownSeconds).toBe(30);
  });

  test('every default is a value that its own schema allows', () => {
    for (const key of settingKeys) {
      const config = readConfiguration({}, {});
      expect(config.assign({ key, value: config.get(key), origin: { kind: 'default' } }), key).toBeNull();
      expect(allowedValues(key)).not.toBe('');
    }
  });

  test('flags win over the environment, that over the file, and each value knows where it is from', () => {
    const text = 'node:\n  name: a@file\n  clusterName: c\nlimits:\n  channelMax: 5\n';
    const environment = { CHAPAR_NODE__NAME: 'a@env', CHAPAR_LIMITS__FRAME_MAX: '8192' };
    const config = read(text, environment, { nodeName: 'a@flag' });
    const shown = (['node.name', 'limits.frameMax', 'limits.channelMax', 'log.level'] as const).map((key) => [
      config.get(key),
      formatOrigin(config.origin(key)),
    ]);
    expect(shown).toEqual([
      ['a@flag', 'flag --node-name'],
      [8192, 'environment CHAPAR_LIMITS__FRAME_MAX'],
      [5, `${directory}/chapar.yaml line 5`],
      ['info', 'default'],
    ]);
  });

  test('how often the disk is synced, and fractions', () => {
    expect(options('').store).toMatchObject({ syncEveryMs: 0, reserve: 64 * 1024 * 1024 });
    expect(options('store:\n  durability: periodic:200ms\n').store.syncEveryMs).toBe(200);
    expect(options('', { CHAPAR_LIMITS__MEMORY_WATERMARK: '0.45' }).limits.memoryWatermark).toBe(0.45);
  });

  test('lists, maps, dashes and nothing in the environment', () => {
    const environment = {
      CHAPAR_AUTH__LOOPBACK_USERS: 'guest, admin',
      CHAPAR_LOG__LEVELS: 'amqp091=debug,store=warn',
      CHAPAR_MQTT__PER_LISTENER: 'mqtt-ws.connectionsMax=5,mqtt-ws.packetBytesMax=1000,mqtt.connectionsPerSecond=0',
      CHAPAR_LISTENERS__AMQP: '127.0.0.1:0',
      CHAPAR_LISTENERS__MANAGEMENT: 'off',
      CHAPAR_LISTENERS__MQTT: 'off',
      CHAPAR_LISTENERS__MQTT_WS: 'off',
      CHAPAR_LIMITS__CONNECTION_MAX: '',
      CHAPAR_SHUTDOWN_SECONDS: '5',
      CHAPAR_SERVICE_HOST: '10.0.0.1',
    };
    const taken = options('', environment);
    expect(taken.auth.loopbackUsers).toEqual(['guest', 'admin']);
    expect(taken.log.levels).toEqual({ amqp091: 'debug', store: 'warn' });
    expect(taken.mqtt.perListener).toEqual({
      'mqtt-ws': { connectionsMax: 5, packetBytesMax: 1000 },
      mqtt: { connectionsPerSecond: 0 },
    });
    expect(taken.listeners).toEqual({ amqp: { host: '127.0.0.1', port: 0 } });
    expect(taken.limits.connectionMax).toBeNull();
    expect(taken.shutdownSeconds).toBe(5);
  });

  test.each([
    ['5673', { host: null, port: 5673 }],
    ['"*:1"', { host: null, port: 1 }],
    ['"[::1]:5672"', { host: '::1', port: 5672 }],
    ['localhost', { host: 'localhost', port: 5672 }],
    ['":7"', { host: null, port: 7 }],
    ['true', { host: null, port: 5672 }],
    ['false', undefined],
    ['off', undefined],
  ])('listeners.amqp: %s', (text, address) => {
    expect(options(`listeners:\n  amqp: ${text}\n`).listeners.amqp).toEqual(address);
  });

  test('when --listen names some, only those listen', () => {
    const text = 'listeners:\n  management: 127.0.0.1:1234\n';
    expect(options(text, {}, { listen: ['amqp=127.0.0.1:0'] }).listeners).toEqual({
      amqp: { host: '127.0.0.1', port: 0 },
    });
    expect(options(text, {}, { noListen: ['amqp', 'mqtt', 'mqtt-ws'] }).listeners).toEqual({
      management: { host: '127.0.0.1', port: 1234 },
    });
    expect(options('', {}, { listen: ['management'] }).listeners).toEqual({
      management: { host: '127.0.0.1', port: 15672 },
    });
  });
});

describe('what is refused', () => {
  test.each([
    [
      'limits:\n  chanelMax: 5\n',
      ['line 2', 'limits.chanelMax: unknown key', 'Did you mean channelMax?', 'Allowed in limits: maxMessageSize,'],
    ],
    ['limits:\n  max_message_size: 5\n', ['line 2', 'Did you mean maxMessageSize?']],
    ['limit:\n  channelMax: 5\n', ['line 1', 'limit: unknown key', 'Did you mean limits?', 'Allowed here: node,']],
    ['maxMessageSize: 5\n', ['line 1', 'maxMessageSize: unknown key', 'Did you mean limits.maxMessageSize?']],
    ['node:\n  frameMax: 5\n', ['line 2', 'node.frameMax: unknown key', 'Did you mean limits.frameMax?']],
    ['limits.channelMax: 5\n', ["'limits.channelMax': unknown key", 'indented below it']],
    [
      '\n\nlimits:\n  frameMax: 4095\n',
      ['line 4', 'limits.frameMax: 4095 is not allowed', 'a whole number from 4096 to 134217728'],
    ],
    ['limits:\n  maxMessageSize: 536870913\n', ['to 536870912']],
    ['limits:\n  heartbeatSeconds: "60"\n', ['limits.heartbeatSeconds: "60" is not allowed']],
    ['limits: 5\n', ['line 1', 'limits is not a section']],
    ['- a\n', ['line 1', 'the file is not a section']],
    ['log:\n  level: loud\n', ['log.level: "loud" is not allowed', 'one of trace, debug, info, warn, error, silent']],
    ['log:\n  levels: { store: loud }\n', ['log.levels', 'package names with a level each']],
    ['mqtt:\n  perListener: { amqp.connectionsMax: 1 }\n', ['mqtt.perListener', 'LISTENER.LIMIT with a number each']],
    ['mqtt:\n  perListener: { mqtt-ws.subscriptionsMax: 0 }\n', ['mqtt.perListener', 'of the listeners mqtt, mqtts']],
    ['store:\n  durability: periodic\n', ['store.durability: "periodic" is not allowed', 'such as `periodic:200ms`']],
    ['limits:\n  memoryWatermark: 1.5\n', ['limits.memoryWatermark: 1.5', 'a number from 0.01 to 1']],
    ['log: {\n', ['not valid YAML']],
    ['log:\n  level: info\n  level: warn\n', ['line 3', 'not valid YAML', 'unique']],
    ['listeners:\n  amqp: 127.0.0.1:70000\n', ['listeners.amqp: port 70000 is above 65535', 'HOST:PORT']],
    ['listeners:\n  amqp: a b\n', ["'a b' is not an address"]],
    [
      'listeners:\n  stomp: 61613\n',
      ['line 2', 'listeners.stomp: not built yet: the protocol stomp', 'speaks amqp, amqps, mqtt'],
    ],
    ['cluster:\n  etcd: [a]\n', ['line 2', 'cluster.etcd: ["a"] is not allowed', 'a list of http://HOST:PORT']],
    ['cluster:\n  prefix: chapar/\n', ['cluster.prefix', 'names after slashes']],
    ['cluster:\n  leaseSeconds: 2\n', ['cluster.leaseSeconds: 2', 'from 3 to 60']],
    ['auth:\n  ldap: {}\n', ['auth.ldap: not built yet: the LDAP back end']],
    ['shutdownSeconds: -1\n', ['shutdownSeconds: -1 is not allowed']],
  ])('%j', (text, parts) => {
    const message = errorOf(() => read(text));
    for (const part of parts) expect(message).toContain(part);
  });

  test('everything that is wrong is told at once', () => {
    const message = errorOf(() =>
      read('a: 1\nlog:\n  level: x\n', { CHAPAR_LIMITS__CHANEL_MAX: '3' }, { listen: ['amqq'] }),
    );
    expect(message).toContain('a: unknown key');
    expect(message).toContain('log.level');
    expect(message).toContain('environment CHAPAR_LIMITS__CHANEL_MAX: limits.chanelMax: unknown key');
    expect(message).toContain("flag --listen: 'amqq' is not a protocol");
    expect(message).toContain('Did you mean amqp?');
  });

  test.each([
    [{ CHAPAR_LISTENERS__STOMP_WS: '1' }, 'not built yet: the protocol stomp-ws'],
    [{ CHAPAR_LIMITS__FRAME_MAX: 'big' }, 'limits.frameMax: "big" is not allowed'],
  ])('environment %j', (environment, part) => {
    expect(errorOf(() => read('', environment))).toContain(part);
  });

  test.each([
    [{ listen: ['stomp=127.0.0.1:61613'] }, 'not built yet: the protocol stomp'],
    [{ listen: ['amqp=x y'] }, "flag --listen: listeners.amqp: 'x y' is not an address"],
    [{ listen: ['amqp=:1', 'amqp=:2'] }, 'amqp is given twice'],
    [{ noListen: ['amqp', 'mqtt', 'mqtt-ws', 'management'] }, 'no listener is left'],
    [{ listen: ['amqp=*:7', 'management=*:7'] }, 'listeners.management: *:7 is taken by listeners.amqp'],
    [{ listen: ['amqps'] }, 'listeners.amqps needs tls.certFile, which is not set'],
    [{ etcd: '' }, 'flag --etcd: cluster.etcd: [""] is not allowed'],
    [{ nodeName: 'spaces are bad' }, 'flag --node-name: node.name'],
  ] as [Flags, string][])('flags %j', (flags, part) => {
    expect(errorOf(() => options('', {}, flags))).toContain(part);
  });

  test.each([
    ['tls:\n  clientCertificate: required\n', 'tls.clientCertificate is required, but tls.caFile is not set'],
    ['auth:\n  defaultUser: admin\n', 'auth.defaultUser is admin, but auth.defaultPasswordFile is not set'],
    ['listeners:\n  amqps: 5671\ntls:\n  certFile: no.pem\n  keyFile: chapar.yaml\n', 'no.pem does not exist'],
  ])('settings that do not fit together: %j', (text, part) => {
    expect(errorOf(() => options(text))).toContain(part);
  });

  test('a file that is not there', () => {
    expect(errorOf(() => readConfiguration({ config: `${directory}/nothing.yaml` }, {}))).toContain(
      'there is no such file',
    );
  });
});
