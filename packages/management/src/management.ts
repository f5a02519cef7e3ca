import type { Broker } from '@chapar/core';
import type { Endpoint, TlsFiles } from '@chapar/platform';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { answerPeers } from './cluster/answers.js';
import { Peers } from './cluster/peers.js';
import { Credentials } from './credentials.js';
import { HttpPorts } from './http-ports.js';
import type { ManagementOptions } from './options.js';
import { allRoutes } from './routes.js';
import { createHttpFace, type HttpFace } from './server.js';

/** The HTTP API of a broker. */
export class Management {
  private readonly face: HttpFace;
  private readonly ports: HttpPorts;

  constructor(face: HttpFace, ports: HttpPorts) {
    this.face = face;
    this.ports = ports;
  }

  /** Serves on one more address; port 0 picks a free one. Rejects with the system's error (EADDRINUSE, EACCES, ...). */
  listen(host: string | null, port: number, tls: TlsFiles | null): Promise<Endpoint> {
    return this.ports.listen(host, port, tls);
  }

  /** A request without a socket, for tests and for callers in this process. */
  inject(request: InjectOptions): Promise<LightMyRequestResponse> {
    return this.face.app.inject(request);
  }

  /** Stops listening; answers under way are finished, unless their readers take too long. */
  async close(): Promise<void> {
    await this.ports.close();
    await this.face.app.close();
  }
}

/** `ports`: those that are open already; the API takes them over. */
export async function createManagement(
  broker: Broker,
  options: ManagementOptions,
  ports: HttpPorts = new HttpPorts(broker.platform.clock),
): Promise<Management> {
  const log = broker.platform.log.of('management');
  const credentials = new Credentials(broker, log, options.token);
  const { clock } = broker.platform;
  const routes = allRoutes(options, { clock, log });
  answerPeers(broker, options, new Peers(options.membership, log));
  const face = await createHttpFace({ broker, credentials, log, routes });
  ports.serve(face.handle);
  return new Management(face, ports);
}
