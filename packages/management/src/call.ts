import type { IncomingHttpHeaders } from 'node:http';
import type { Actor, Broker, Later, VirtualHost } from '@chapar/core';
import type { Caller } from './caller.js';
import { type Fields, readFields } from './fields.js';
import { missing, notFound } from './problem.js';

export interface CallParts {
  readonly broker: Broker;
  readonly caller: Caller;
  readonly method: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** One request, as endpoints see it. */
export class Call {
  readonly broker: Broker;
  readonly caller: Caller;
  readonly method: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  private readonly parameters: Readonly<Record<string, string>>;
  private read: Fields | null = null;

  constructor(parts: CallParts) {
    this.broker = parts.broker;
    this.caller = parts.caller;
    this.method = parts.method;
    this.query = parts.query;
    this.headers = parts.headers;
    this.bytes = parts.bytes;
    this.parameters = parts.parameters;
  }

  /** A part of the path, decoded. */
  part(name: string): string {
    return this.parameters[name] ?? '';
  }

  /** An exchange's name in the path; `amq.default` stands for the one without a name. */
  exchangePart(name: string): string {
    const given = this.part(name);
    return given === 'amq.default' ? '' : given;
  }

  asks(name: string): boolean {
    return this.query.get(name) === 'true';
  }

  /** The body as a JSON object. */
  get body(): Fields {
    this.read ??= readFields(this.bytes);
    return this.read;
  }

  /** The virtual host of the path: 404 without one. */
  get vhost(): VirtualHost {
    const vhost = this.broker.topology.vhosts.get(this.part('vhost'));
    if (vhost !== undefined) return vhost;
    throw this.method === 'GET' || this.method === 'HEAD' ? notFound() : missing('vhost_not_found');
  }

  /** The caller in the virtual host of the path. */
  actor(): Later<Actor> {
    return this.caller.actor(this.vhost);
  }

  /** The virtual hosts that a list covers: the one of the path, or all that the caller may see. */
  async virtualHosts(): Promise<VirtualHost[]> {
    return this.parameters['vhost'] === undefined ? this.caller.visibleVirtualHosts() : [this.vhost];
  }
}
