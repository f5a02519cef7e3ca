import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from './effective.js';
import type { Flags } from './flags.js';
import { type ServerOptions, serverOptions } from './options.js';
import { ConfigurationError } from './problem.js';
import { showConfiguration } from './show.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-membership-'));
  for (const name of ['ca', 'cert', 'key', 'password', 'secret']) writeFileSync(path.join(directory, name), name);
});
afterAll(() => rmSync(directory, { recursive: true }));

type Environment = Record<string, string>;
const etcd = 'http://127.0.0.1:2379';
const at = (name: string) => path.join(directory, name);

const options = (flags: Flags, environment: Environment = {}): ServerOptions =>
  serverOptions(readConfiguration(flags, environment), directory);

function refusal(flags: Flags, environment: Environment = {}): string {
  try {
    options(flags, environment);
  } catch (cause) {
    expect(cause).toBeInstanceOf(ConfigurationError);
    return (cause as ConfigurationError).message;
  }
  throw new Error('the configuration was taken');
}

describe('a node alone', () => {
  test('has no membership and no peer listener', () => {
    const { membership, listeners } = options({});
    expect(membership).toBeNull();
    expect(listeners).not.toHaveProperty('peer');
  });

  test('is told when somebody gives it one', () => {
    const text = refusal({ listen: ['amqp', 'peer=127.0.0.1:7000'] });
    expect(text).toContain('listeners.peer is 127.0.0.1:7000, but cluster.etcd is not set');
    expect(text).toContain('--etcd URL');
  });
});

describe('a node of a cluster', () => {
  test('takes what it needs from two flags and the defaults', () => {
    const { membership, listeners } = options({ etcd: `${etcd},https://etcd-2:2379/` });
    expect(listeners.peer).toEqual({ host: '127.0.0.1', port: 25672 });
    expect(membership).toEqual({
      etcd: [etcd, 'https://etcd-2:2379'],
      prefix: '/chapar',
      leaseSeconds: 10,
      secret: null,
      secretFile: null,
      peerTls: null,
      etcdTls: null,
      etcdLogin: null,
      advertise: { host: '127.0.0.1', port: 25672 },
    });
  });

  test('takes everything from the environment', () => {
    const { membership } = options(
      { listen: ['amqp', 'peer=*:0'] },
      {
        CHAPAR_CLUSTER__ETCD: 'https://a:1, https://b:2',
        CHAPAR_CLUSTER__PREFIX: '/brokers/test',
        CHAPAR_CLUSTER__LEASE_SECONDS: '3',
        CHAPAR_CLUSTER__SECRET_FILE: 'secret',
        CHAPAR_CLUSTER__PEER_CA_FILE: 'ca',
        CHAPAR_CLUSTER__PEER_CERT_FILE: 'cert',
        CHAPAR_CLUSTER__PEER_KEY_FILE: 'key',
        CHAPAR_CLUSTER__ETCD_CA_FILE: 'ca',
        CHAPAR_CLUSTER__ETCD_USER: 'broker',
        CHAPAR_CLUSTER__ETCD_PASSWORD_FILE: 'password',
        CHAPAR_NODE__ADVERTISE: 'chapar-0.chapar',
      },
    );
    expect(membership).toEqual({
      etcd: ['https://a:1', 'https://b:2'],
      prefix: '/brokers/test',
      leaseSeconds: 3,
      secret: null,
      secretFile: at('secret'),
      peerTls: { caFile: at('ca'), certFile: at('cert'), keyFile: at('key') },
      etcdTls: { caFile: at('ca'), certFile: null, keyFile: null },
      etcdLogin: { user: 'broker', passwordFile: at('password') },
      advertise: { host: 'chapar-0.chapar', port: 0 },
    });
  });

  test.each([
    ['127.0.0.1:7000', null, { host: '127.0.0.1', port: 7000 }],
    ['[::1]:7000', null, { host: '::1', port: 7000 }],
    ['10.1.2.3:7000', null, { host: '10.1.2.3', port: 7000 }],
    ['*:7000', null, { host: hostname(), port: 7000 }],
    ['0.0.0.0:7000', null, { host: hostname(), port: 7000 }],
    ['[::]:7000', null, { host: hostname(), port: 7000 }],
    ['*:7000', 'broker-1', { host: 'broker-1', port: 7000 }],
    ['*:7000', 'broker-1:8000', { host: 'broker-1', port: 8000 }],
    ['*:7000', '[fd00::1]:8000', { host: 'fd00::1', port: 8000 }],
    ['*:7000', '[fd00::1]', { host: 'fd00::1', port: 7000 }],
  ])('listening on %s and advertised as %s', (peer, advertise, expected) => {
    const flags: Flags = { etcd, listen: ['amqp', `peer=${peer}`], ...(advertise === null ? {} : { advertise }) };
    expect(options(flags, { CHAPAR_CLUSTER__SECRET: 's' }).membership?.advertise).toEqual(expected);
  });

  test.each([
    [{ advertise: 'broker:70000' }, {}, 'port 70000 is above 65535'],
    [{ advertise: 'http://broker:1' }, {}, 'flag --advertise: node.advertise: "http://broker:1" is not allowed'],
    [{ listen: ['amqp'] }, {}, 'cluster.etcd is set, but listeners.peer is off'],
    [{ listen: ['amqp', 'peer=*:25672'] }, {}, 'nothing proves who is a node of the cluster'],
    [{ listen: ['amqp', 'peer=10.0.0.1:1'] }, {}, 'listeners.peer is 10.0.0.1:1, which others than this machine'],
    [{}, { SECRET: 's', SECRET_FILE: 'secret' }, 'cluster.secret and cluster.secretFile are both set'],
    [{}, { SECRET_FILE: 'nothing' }, `cluster.secretFile: /`],
    [
      {},
      { PEER_CERT_FILE: 'cert' },
      'cluster.peerCertFile needs cluster.peerCaFile and cluster.peerKeyFile, which are',
    ],
    [{}, { ETCD_KEY_FILE: 'key' }, 'cluster.etcdKeyFile needs cluster.etcdCaFile and cluster.etcdCertFile, which are'],
    [{}, { ETCD_CA_FILE: 'ca' }, 'cluster.etcdCaFile is set, but http://127.0.0.1:2379 is spoken to without TLS'],
    [{}, { ETCD_USER: 'u' }, 'cluster.etcdUser needs cluster.etcdPasswordFile, which is not set'],
  ] as [Flags, Environment, string][])('is refused with %j and %j', (flags, environment, part) => {
    const named = Object.entries(environment).map(([key, value]) => [`CHAPAR_CLUSTER__${key}`, value]);
    expect(refusal({ etcd, ...flags }, Object.fromEntries(named))).toContain(part);
  });

  test('a secret makes a peer listener on all interfaces possible, and is never shown', () => {
    const flags: Flags = { etcd, listen: ['amqp', 'peer=*:25672'] };
    const environment = { CHAPAR_CLUSTER__SECRET: 'do not tell' };
    expect(options(flags, environment).membership?.secret).toBe('do not tell');
    for (const json of [true, false]) {
      const shown = showConfiguration(readConfiguration(flags, environment), { all: true, origin: true, json });
      expect(shown).not.toContain('do not tell');
      expect(shown).toContain('(set, not shown)');
    }
  });
});
