import { readFile } from 'node:fs/promises';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Endpoint, Listener, ListenOptions, Network, TlsFiles, Wire } from '../network.js';
import { peerRefusal, tlsSessionOf } from './certificate.js';
import { addressOf, NodeTlsWire, NodeWire } from './wire.js';

type Accept = (wire: Wire) => void;
type Refused = (remote: Endpoint | null, error: Error) => void;

const handshakeTimeoutMsDefault = 10_000;

/**
 * One byte, which the server hands to each plain socket for both directions (node:tls has no such option; see NodeTlsWire).
 * Writing: a write counts as "wait for drain" as soon as anything stays behind in the process; the broker bounds its
 * outboxes by `unsentBytes`, so the stream's own bound must never be the one that decides.
 * Reading: a paused socket stops reading after the chunk that is under way, instead of collecting more.
 */
const highWaterMark = 1;

/** TCP and TLS of the machine. */
export class NodeNetwork implements Network {
  async listen(options: ListenOptions, accept: Accept, refused: Refused = () => {}): Promise<Listener> {
    const server = options.tls === null ? plainServer(accept) : await tlsServer(options, options.tls, accept, refused);
    await listening(server, options);
    // Such as EMFILE at accept: the listener lives on, and who owns it hears of it.
    server.on('error', (error) => refused(null, error));
    return new NodeListener(server, options.tls);
  }
}

class NodeListener implements Listener {
  readonly endpoint: Endpoint;
  private readonly server: net.Server;
  private readonly tlsFiles: TlsFiles | null;

  constructor(server: net.Server, tlsFiles: TlsFiles | null) {
    this.server = server;
    this.tlsFiles = tlsFiles;
    const { address, port } = server.address() as net.AddressInfo;
    this.endpoint = { address, port };
  }

  async reload(): Promise<void> {
    if (this.tlsFiles === null) return;
    (this.server as tls.Server).setSecureContext(await secureContextOptions(this.tlsFiles));
  }

  close(): Promise<void> {
    // net.Server.close calls back when the last connection is gone, but stops accepting at once: the latter is what is promised.
    return new Promise((resolve) => {
      this.server.close();
      setImmediate(resolve);
    });
  }
}

function plainServer(accept: Accept): net.Server {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true, highWaterMark });
  server.on('connection', (socket) => acceptSocket(socket, null, accept));
  return server;
}

async function tlsServer(
  options: ListenOptions,
  files: TlsFiles,
  accept: Accept,
  refused: Refused,
): Promise<net.Server> {
  const server = tls.createServer({
    ...(await secureContextOptions(files)),
    allowHalfOpen: true,
    noDelay: true,
    pauseOnConnect: true,
    handshakeTimeout: options.handshakeTimeoutMs ?? handshakeTimeoutMsDefault,
    requestCert: files.clientCertificate !== 'none',
    // Judged below instead, where the reason can be told: node itself reports "socket hang up" for every refusal.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => {
    const refusal = peerRefusal(socket, files.clientCertificate);
    if (refusal === null) return acceptSocket(socket, socket, accept);
    const remote = addressOf(socket.remoteAddress, socket.remotePort);
    socket.on('error', () => {});
    socket.destroy();
    refused(remote, refusal);
  });
  server.on('tlsClientError', (error, socket) => {
    refused(addressOf(socket.remoteAddress, socket.remotePort), error);
    socket.destroy();
  });
  return server;
}

function acceptSocket(socket: net.Socket, secure: tls.TLSSocket | null, accept: Accept): void {
  const local = addressOf(socket.localAddress, socket.localPort);
  const remote = addressOf(socket.remoteAddress, socket.remotePort);
  // The peer may be gone again already: then there is no address, and nothing to serve.
  if (local === null || remote === null) {
    socket.on('error', () => {});
    socket.destroy();
    return;
  }
  if (secure === null) accept(new NodeWire(socket, local, remote, null));
  else accept(new NodeTlsWire(socket, local, remote, tlsSessionOf(secure)));
}

async function secureContextOptions(files: TlsFiles): Promise<tls.SecureContextOptions> {
  // Without a CA of ours node would trust every public one to name our users.
  if (files.clientCertificate !== 'none' && files.caFile === undefined) {
    throw new Error(`client certificates are ${files.clientCertificate}, but there is no CA file to verify them with`);
  }
  const cert = await readFile(files.certFile);
  const key = await readFile(files.keyFile);
  const ca = files.caFile === undefined ? {} : { ca: await readFile(files.caFile) };
  return { cert, key, ...ca, minVersion: 'TLSv1.2' };
}

function listening(server: net.Server, options: ListenOptions): Promise<void> {
  const { host, port, backlog = 1_024 } = options;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog, ...(host === null ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
