import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock, Endpoint, TlsFiles } from '@chapar/platform';

/** Connections that one port holds at once; the API is for people and their tools. */
const connectionsMax = 1024;
/** How long answers under way may take when the ports close, milliseconds. */
const goodbyeMs = 1000;

/**
 * Where the API is reached. The ports are there before the node is: as long as it starts, probes are told that it lives and what it
 * waits for.
 */
export class HttpPorts {
  /** What the node waits for, in words. */
  waitingFor = 'the node starts';
  private readonly clock: Clock;
  private readonly servers = new Set<Server>();
  private handler: RequestListener | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Listens on one more address; port 0 picks a free one. Rejects with the system's error (EADDRINUSE, EACCES, ...). */
  async listen(host: string | null, port: number, tls: TlsFiles | null): Promise<Endpoint> {
    const handle: RequestListener = (request, response) => {
      if (this.handler === null) this.answerStarting(request, response);
      else this.handler(request, response);
    };
    const server = tls === null ? createServer(handle) : await createSecureServer(handle, tls);
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

  /** From now on the node answers. */
  serve(handler: RequestListener): void {
    this.handler = handler;
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
  }

  private answerStarting(...[request, response]: Parameters<RequestListener>): void {
    request.resume();
    const isLive = /^\/health\/live\/?(\?|$)/.test(request.url ?? '');
    const reason = this.waitingFor;
    const body = isLive ? { status: 'ok' } : { status: 'failed', error: 'starting', reason };
    response.writeHead(isLive ? 200 : 503, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-cache',
      // What comes next is for the node itself to answer.
      connection: 'close',
    });
    response.end(JSON.stringify(body));
  }
}

async function createSecureServer(handle: RequestListener, files: TlsFiles): Promise<Server> {
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
