import { readFile } from 'node:fs/promises';
import type { EtcdClientOptions, PeerTls } from '@chapar/cluster';
import type { MembershipOptions } from '../config/membership-options.js';
import { ConfigurationError } from '../config/problem.js';

/** What the configuration names by files, read. */
export interface Secrets {
  readonly secret: string | null;
  readonly peerTls: PeerTls | null;
  readonly etcdTls: EtcdClientOptions['tls'];
  readonly etcdAuth: EtcdClientOptions['auth'];
}

/** Throws ConfigurationError for what cannot be read. */
export async function readSecrets(options: MembershipOptions): Promise<Secrets> {
  const { secret, secretFile, peerTls, etcdTls, etcdLogin } = options;
  return {
    secret: secretFile === null ? secret : await readSecret('cluster.secretFile', secretFile),
    peerTls:
      peerTls === null
        ? null
        : {
            ca: await readPem('cluster.peerCaFile', peerTls.caFile),
            cert: await readPem('cluster.peerCertFile', peerTls.certFile!),
            key: await readPem('cluster.peerKeyFile', peerTls.keyFile!),
          },
    etcdTls:
      etcdTls === null
        ? null
        : {
            ca: await readPem('cluster.etcdCaFile', etcdTls.caFile),
            cert: etcdTls.certFile === null ? null : await readPem('cluster.etcdCertFile', etcdTls.certFile),
            key: etcdTls.keyFile === null ? null : await readPem('cluster.etcdKeyFile', etcdTls.keyFile),
          },
    etcdAuth:
      etcdLogin === null
        ? null
        : {
            user: etcdLogin.user,
            password: await readSecret('cluster.etcdPasswordFile', etcdLogin.passwordFile),
          },
  };
}

async function readSecret(key: string, file: string): Promise<string> {
  const text = (await read(key, file)).toString('utf8').replace(/\r?\n$/, '');
  return text === '' ? refuse(key, `${file} is empty`) : text;
}

async function readPem(key: string, file: string): Promise<Buffer> {
  const bytes = await read(key, file);
  return bytes.includes('-----BEGIN ') ? bytes : refuse(key, `${file} is not a PEM file`);
}

function read(key: string, file: string): Promise<Buffer> {
  return readFile(file).catch((cause: Error) => refuse(key, `${file}: ${cause.message}`));
}

function refuse(key: string, why: string): never {
  throw new ConfigurationError([{ origin: null, text: `${key}: ${why}`, hint: 'Correct the path or the file.' }]);
}
