import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener, TlsFiles, Wire, WireSink } from '../network.js';
import { NodeNetwork } from './network.js';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const read = (name: string) => readFile(fixture(name));

const files = (clientCertificate: TlsFiles['clientCertificate']): TlsFiles => ({
  certFile: fixture('server.pem'),
  keyFile: fixture('server.key.pem'),
  caFile: fixture('ca.pem'),
  clientCertificate,
});

/** What came of one handshake. */
interface Outcome {
  readonly wire: Wire | null;
  readonly refusal: Error | null;
}

const quiet: WireSink = { received() {}, drained() {}, ended() {}, closed() {} };

let listener: Listener;
let wires: Wire[] = [];
let outcomes: ((outcome: Outcome) => void)[] = [];

async function listen(tlsFiles: TlsFiles, handshakeTimeoutMs = 5_000): Promise<void> {
  const tell = (wire: Wire | null, refusal: Error | null) => outcomes.shift()?.({ wire, refusal });
  listener = await new NodeNetwork().listen(
    { host: '127.0.0.1', port: 0, tls: tlsFiles, handshakeTimeoutMs },
    (wire) => {
      wires.push(wire);
      wire.open(quiet);
      tell(wire, null);
    },
    (remote, error) => {
      if (remote !== null) expect(remote.address).toBe('127.0.0.1');
      tell(null, error);
    },
  );
}

const outcome = () => new Promise<Outcome>((resolve) => outcomes.push(resolve));

async function handshake(options: tls.ConnectionOptions): Promise<Outcome> {
  const result = outcome();
  const base = { port: listener.endpoint.port, host: '127.0.0.1', servername: 'localhost', ca: await read('ca.pem') };
  const socket = tls.connect({ ...base, ...options });
  socket.on('error', () => {});
  const { wire, refusal } = await result;
  socket.destroy();
  return { wire, refusal };
}

const withCertificate = async (name: string) => ({
  cert: await read(`${name}.pem`),
  key: await read(`${name}.key.pem`),
});

afterEach(async () => {
  for (const wire of wires) wire.destroy();
  [wires, outcomes] = [[], []];
  await listener.close();
});

describe('TLS', () => {
  it('tells protocol and cipher, and no certificate where none was asked for', async () => {
    await listen(files('none'));
    const { wire } = await handshake(await withCertificate('alice'));
    expect(wire?.tls).toEqual({ protocol: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_/), peerCertificate: null });
  });

  it('reads the certificate of a peer', async () => {
    await listen(files('required'));
    const { wire } = await handshake(await withCertificate('alice'));
    expect(wire?.tls?.peerCertificate).toEqual({
      subject: 'CN=second,CN=alice \\"ü\\",OU=North+O=Relay\\, Riders,C=IR',
      issuer: 'CN=Test CA,O=Chapar tests',
      commonNames: ['alice "ü"', 'second'],
      alternativeNames: [
        { type: 'dns', value: 'alice.example' },
        { type: 'email', value: 'alice@example.org' },
        { type: 'uri', value: 'spiffe://example/alice' },
        { type: 'ip', value: '10.1.2.3' },
        { type: 'ip', value: '2001:db8::1' },
      ],
      serialNumber: '0A11CE',
      validUntilMs: expect.any(Number),
    });
    expect(wire!.tls!.peerCertificate!.validUntilMs).toBeGreaterThan(Date.UTC(2100, 0));
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'optional: takes none, takes a good one, refuses a wrong one (%s)',
    async (maxVersion) => {
      await listen(files('optional'));
      const none = await handshake({ maxVersion });
      expect(none.wire?.tls).toMatchObject({ protocol: maxVersion, peerCertificate: null });
      const good = await handshake({ maxVersion, ...(await withCertificate('alice')) });
      expect(good.wire?.tls?.peerCertificate?.commonNames[0]).toBe('alice "ü"');
      const wrong = await handshake({ maxVersion, ...(await withCertificate('mallory')) });
      expect(wrong.wire).toBe(null);
      expect(wrong.refusal?.message).toMatch(/certificate is not trusted: UNABLE_TO/);
    },
  );

  it('required: refuses none and a wrong one, each with its reason', async () => {
    await listen(files('required'));
    expect((await handshake({})).refusal?.message).toBe('the client sent no certificate');
    const wrong = await handshake(await withCertificate('mallory'));
    expect(wrong.refusal?.message).toMatch(/not trusted/);
  });

  it('keeps a verified certificate through a resumed session', async () => {
    await listen(files('required'));
    const client = { maxVersion: 'TLSv1.2' as const, ...(await withCertificate('alice')) };
    const base = { port: listener.endpoint.port, host: '127.0.0.1', servername: 'localhost', ca: await read('ca.pem') };
    const first = outcome();
    const socket = tls.connect({ ...base, ...client });
    const session = await new Promise<Buffer>((resolve) => socket.once('session', resolve));
    await first;
    socket.destroy();
    const { wire } = await handshake({ ...client, session });
    expect(wire?.tls?.peerCertificate?.commonNames[0]).toBe('alice "ü"');
  });

  it('refuses TLS 1.1, garbage, and peers that say nothing', async () => {
    await listen(files('none'), 300);
    const old = await handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(old.refusal?.message).toMatch(/unsupported protocol/);
    for (const words of ['AMQP\0\0\x09\x01 this is no handshake', '']) {
      const result = outcome();
      const socket = connect(listener.endpoint.port, '127.0.0.1');
      socket.on('error', () => {});
      if (words !== '') socket.write(words);
      expect((await result).refusal).toBeInstanceOf(Error);
      socket.destroy();
    }
  });

  it('wants a CA where it asks for certificates, and files that are there', async () => {
    await listen(files('none'));
    const { caFile: _, ...withoutCa } = files('optional');
    const place = { host: '127.0.0.1', port: 0 };
    await expect(new NodeNetwork().listen({ ...place, tls: withoutCa }, () => {})).rejects.toThrow(/no CA file/);
    const absent = { ...files('none'), keyFile: fixture('absent.pem') };
    await expect(new NodeNetwork().listen({ ...place, tls: absent }, () => {})).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('reads its files again on reload, and keeps the old ones when the new ones are bad', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'chapar-tls-'));
    const own = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
    await copyFile(fixture('server.pem'), own.certFile);
    await copyFile(fixture('server.key.pem'), own.keyFile);
    await listen({ ...own, clientCertificate: 'none' });
    expect(await nameOfServer()).toBe('localhost');
    await writeFile(own.certFile, 'no certificate');
    await expect(listener.reload()).rejects.toThrow();
    expect(await nameOfServer()).toBe('localhost');
    await copyFile(fixture('server-2.pem'), own.certFile);
    await copyFile(fixture('server-2.key.pem'), own.keyFile);
    await listener.reload();
    expect(await nameOfServer()).toBe('second');
    await rm(directory, { recursive: true });
  });
});

async function nameOfServer(): Promise<string> {
  const ca = await read('ca.pem');
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: listener.endpoint.port, host: '127.0.0.1', servername: 'localhost', ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('plain', () => {
  it('shows IPv4 peers of a dual-stack listener by their IPv4 address', async () => {
    const accepted = new Promise<Wire>((resolve) => {
      new NodeNetwork()
        .listen({ host: null, port: 0, tls: null }, (wire) => {
          wire.open(quiet);
          wires.push(wire);
          resolve(wire);
        })
        .then((opened) => {
          listener = opened;
          connect(opened.endpoint.port, '127.0.0.1').on('error', () => {});
        });
    });
    const wire = await accepted;
    expect([wire.remote.address, wire.local.address]).toEqual(['127.0.0.1', '127.0.0.1']);
  });
});
