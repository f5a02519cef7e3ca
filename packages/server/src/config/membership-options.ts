import path from 'node:path';
import { formatAddress, type ListenAddress } from './address.js';
import type { EffectiveConfiguration } from './effective.js';
import type { Problem } from './problem.js';
import { type SettingKey, settings } from './settings.js';

/** PEM files, absolute paths. */
export interface CertificateFiles {
  readonly caFile: string;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

/** How a node belongs to a cluster. */
export interface MembershipOptions {
  /** `http://host:port` or `https://host:port`, at least one. */
  readonly etcd: readonly string[];
  /** Without a slash at its end. */
  readonly prefix: string;
  readonly leaseSeconds: number;
  readonly secret: string | null;
  /** Absolute. */
  readonly secretFile: string | null;
  /** All three are there. */
  readonly peerTls: CertificateFiles | null;
  readonly etcdTls: CertificateFiles | null;
  readonly etcdLogin: { readonly user: string; readonly passwordFile: string } | null;
  /** Where peers reach this node. Port 0: the one that `peer` really listens on. */
  readonly advertise: { readonly host: string; readonly port: number };
}

/** Null when this node is alone. `peer` is where it listens for other nodes; `hostname` is this machine's. */
export function membershipOptions(
  config: EffectiveConfiguration,
  directory: string,
  peer: ListenAddress | undefined,
  hostname: string,
): MembershipOptions | null {
  const etcd = config.get('cluster.etcd');
  if (etcd.length === 0 || peer === undefined) return null;
  const user = config.get('cluster.etcdUser');
  const passwordFile = absolute(config.get('cluster.etcdPasswordFile'), directory);
  return {
    etcd: etcd.map((url) => url.replace(/\/$/, '')),
    prefix: config.get('cluster.prefix'),
    leaseSeconds: config.get('cluster.leaseSeconds'),
    secret: config.get('cluster.secret'),
    secretFile: absolute(config.get('cluster.secretFile'), directory),
    peerTls: certificates(config, 'peer', directory),
    etcdTls: certificates(config, 'etcd', directory),
    etcdLogin: user === null || passwordFile === null ? null : { user, passwordFile },
    advertise: advertised(config.get('node.advertise'), peer, hostname),
  };
}

function certificates(
  config: EffectiveConfiguration,
  side: 'peer' | 'etcd',
  directory: string,
): CertificateFiles | null {
  const [ca, cert, key] = (['Ca', 'Cert', 'Key'] as const).map((what) =>
    absolute(config.get(`cluster.${side}${what}File`), directory),
  );
  return ca == null ? null : { caFile: ca, certFile: cert ?? null, keyFile: key ?? null };
}

/** What was said, else where `peer` listens, else the machine's name: all interfaces are no address that others can use. */
function advertised(text: string | null, peer: ListenAddress, hostname: string): { host: string; port: number } {
  if (text === null) return { host: listensOnAll(peer) ? hostname : peer.host!, port: peer.port };
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  const bare = /^\[(.*?)\](?::(\d+))?$/.exec(text);
  if (bare !== null) return { host: bare[1]!, port: Number(bare[2] ?? peer.port) };
  return { host, port: Number(port ?? peer.port) };
}

// ---------------------------------------------------------------------------------------------------------------

/** What is wrong with it as a whole, `peer` being where it would listen and whether somebody asked for that. */
export function checkMembership(config: EffectiveConfiguration, peer: ListenAddress | undefined): Problem[] {
  return [...checkPeer(config, peer), ...checkTrust(config, peer), ...checkCertificates(config), ...checkEtcd(config)];
}

function checkPeer(config: EffectiveConfiguration, peer: ListenAddress | undefined): Problem[] {
  const joins = config.get('cluster.etcd').length > 0;
  const port = Number(/:(\d+)$/.exec(config.get('node.advertise') ?? '')?.[1] ?? 1);
  if (port > 65535) {
    return [problem(config, 'node.advertise', `node.advertise: port ${port} is above 65535`, 'Correct the port.')];
  }
  if (joins && peer === undefined) {
    return [
      problem(
        config,
        'cluster.etcd',
        'cluster.etcd is set, but listeners.peer is off: the other nodes could not reach this one',
        'Add --listen peer=HOST:PORT (in the file: listeners.peer); when any --listen is given, only those that are named listen.',
      ),
    ];
  }
  // What `config show --effective` prints has it, and can be read back.
  const isDefault = peer !== undefined && formatAddress(peer) === settings['listeners.peer'].default;
  if (joins || peer === undefined || isDefault) return [];
  return [
    problem(
      config,
      'listeners.peer',
      `listeners.peer is ${formatAddress(peer)}, but cluster.etcd is not set: without it a node is alone and has no peers`,
      'Set cluster.etcd (--etcd URL) to join a cluster, or leave the peer listener out.',
    ),
  ];
}

/** Who reaches the port and is believed may read and write everything: so nobody is believed for nothing. */
function checkTrust(config: EffectiveConfiguration, peer: ListenAddress | undefined): Problem[] {
  const secrets = (['cluster.secret', 'cluster.secretFile'] as const).filter((key) => config.get(key) !== null);
  if (secrets.length === 2) {
    return [problem(config, 'cluster.secretFile', 'cluster.secret and cluster.secretFile are both set', 'Set one.')];
  }
  const isProved = secrets.length > 0 || config.get('cluster.peerCaFile') !== null;
  if (peer === undefined || isProved || isLoopback(peer)) return [];
  return [
    problem(
      config,
      'listeners.peer',
      `listeners.peer is ${formatAddress(peer)}, which others than this machine may reach, and nothing proves who is a node of the cluster`,
      'Set cluster.secret (environment: CHAPAR_CLUSTER__SECRET) to the same text on all nodes, or cluster.peerCaFile, peerCertFile and peerKeyFile for mutual TLS; or listen on 127.0.0.1 only.',
    ),
  ];
}

function checkCertificates(config: EffectiveConfiguration): Problem[] {
  const problems: Problem[] = [];
  const peer = (['Ca', 'Cert', 'Key'] as const).map((what) => `cluster.peer${what}File` as const);
  const given = peer.filter((key) => config.get(key) !== null);
  const missing = peer.filter((key) => config.get(key) === null);
  if (given.length > 0 && missing.length > 0) {
    problems.push(needs(config, given[0]!, missing, 'Nodes verify each other: all three are needed.'));
  }
  const [ca, cert, key] = ['cluster.etcdCaFile', 'cluster.etcdCertFile', 'cluster.etcdKeyFile'] as const;
  if (config.get(cert) !== null || config.get(key) !== null) {
    const lacking = [ca, cert, key].filter((file) => config.get(file) === null);
    const has = config.get(cert) === null ? key : cert;
    if (lacking.length > 0) problems.push(needs(config, has, lacking, 'Set them, or leave all of them out.'));
  }
  return problems;
}

function checkEtcd(config: EffectiveConfiguration): Problem[] {
  const problems: Problem[] = [];
  const plain = config.get('cluster.etcd').find((url) => url.startsWith('http:'));
  if (plain !== undefined && config.get('cluster.etcdCaFile') !== null) {
    const text = `cluster.etcdCaFile is set, but ${plain} is spoken to without TLS`;
    problems.push(problem(config, 'cluster.etcd', text, 'Write https:// for every endpoint, or leave the file out.'));
  }
  const login = ['cluster.etcdUser', 'cluster.etcdPasswordFile'] as const;
  const missing = login.filter((key) => config.get(key) === null);
  if (missing.length === 1) {
    const given = login.find((key) => config.get(key) !== null)!;
    problems.push(needs(config, given, missing, 'Set both, or neither.'));
  }
  return problems;
}

function needs(config: EffectiveConfiguration, key: SettingKey, missing: readonly string[], hint: string): Problem {
  const verb = missing.length === 1 ? 'which is not set' : 'which are not set';
  return problem(config, key, `${key} needs ${missing.join(' and ')}, ${verb}`, hint);
}

function problem(config: EffectiveConfiguration, key: SettingKey, text: string, hint: string): Problem {
  return { origin: config.origin(key), text, hint };
}

function listensOnAll({ host }: ListenAddress): boolean {
  return host === null || host === '0.0.0.0' || host === '::';
}

function isLoopback({ host }: ListenAddress): boolean {
  return host !== null && (host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host));
}

function absolute(file: string | null, directory: string): string | null {
  return file === null ? null : path.resolve(directory, file);
}
