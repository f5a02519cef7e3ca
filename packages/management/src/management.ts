import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Broker } from '@chapar/core';
import type { Clock, Endpoint, TlsFiles } from '@chapar/platform';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { answerPeers } from './cluster/answers.js';
import { Peers } from './cluster/peers.js';
import { Credentials } from './credentials.js';
import type { ManagementOptions } from './options.js';
import { allRoutes } from './routes.js';
import { createHttpFace, type HttpFace } from './server.js';

/** The HTTP API of a broker. */
export class Management {
  private readonly face: HttpFace;
  private readonly clock: Clock;
  private readonly servers = new Set<Server>();

  constructor(face: HttpFace, clock: Clock) {
    this.face = face;
    this.clock = clock;
  }

  /** Serves on one more address; port 0 picks a free one. Rejects with the system's error (EADDRINUSE, EACCES, ...). */
  async listen(host: string | null, port: number, tls: TlsFiles | null): Promise<Endpoint> {
    const server = tls === null ? createServer(this.face.handle) : await createSecureServer(this.face.handle, tls);
    // A client that sends its head or body byte by byte does not stay; one that asks now and then may keep its connection.
    server.headersTimeout = 10_000;
    server.requestTimeout = 120_000;
    server.keepAliveTimeout = 65_000;
    server.maxConnections = connectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, ...(host === null ? {} : { host }) }, resolve);
    });
    this.servers.add(server);
    const { address, port: bound } = server.address() as AddressInfo;
    return { address, port: bound };
  }

  /** A request without a socket, for tests and for callers in this process. */
  inject(request: InjectOptions): Promise<LightMyRequestResponse> {
    return this.face.app.inject(request);
  }

  /** Stops listening; answers under way are finished, unless their readers take too long. */
  async close(): Promise<void> {
    const servers = [...this.servers];
    this.servers.clear();
    const late = this.clock.after(goodbyeMs, () => {
      for (const server of servers) server.closeAllConnections();
    });
    await Promise.all(servers.map(closeServer));
    late.cancel();
    await this.face.app.close();
  }
}

/** Connections that one listener holds at once; the API is for people and their tools. */
const connectionsMax = 1024;
/** How long answers under way may take when the API closes, milliseconds. */
const goodbyeMs = 1000;

export async function createManagement(broker: Broker, options: ManagementOptions): Promise<Management> {
  const log = broker.platform.log.of('management');
  const credentials = new Credentials(broker, log, options.token);
  const { clock } = broker.platform;
  const routes = allRoutes(options, { clock, log });
  answerPeers(broker, options, new Peers(options.membership, log));
  const face = await createHttpFace({ broker, credentials, log, routes });
  return new Management(face, broker.platform.clock);
}

async function createSecureServer(handle: HttpFace['handle'], files: TlsFiles): Promise<Server> {
  const { certFile, keyFile, caFile, clientCertificate } = files;
  const [cert, key, ca] = await Promise.all([
    readFile(certFile),
    readFile(keyFile),
    caFile === undefined ? undefined : readFile(caFile),
  ]);
  const requestCert = clientCertificate !== 'none';
  const rejectUnauthorized = clientCertificate === 'required';
  return createTlsServer({ cert, key, ...(ca === undefined ? {} : { ca }), requestCert, rejectUnauthorized }, handle);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
