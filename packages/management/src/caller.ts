import {
  Actor,
  type Authorizer,
  andThen,
  type Broker,
  type Later,
  type Principal,
  type VirtualHost,
} from '@chapar/core';
import { notAuthorised } from './problem.js';

/** Whoever holds this node's token may do everything: the token lies in the data directory, which its reader could delete. */
const everything: Authorizer = {
  version: 0,
  vhost: () => true,
  resource: () => true,
  topic: () => true,
};

/** Somebody who has logged in to the API: what tags allow, and what permissions allow. */
export class Caller {
  readonly principal: Principal;
  private readonly broker: Broker;
  private readonly authorizer: Authorizer;

  /** `isLocal`: came with this node's token. */
  constructor(broker: Broker, principal: Principal, isLocal: boolean) {
    this.broker = broker;
    this.principal = principal;
    this.authorizer = isLocal ? everything : broker.authorizer;
  }

  get user(): string {
    return this.principal.user;
  }

  get isAdministrator(): boolean {
    return this.has('administrator');
  }

  get isMonitor(): boolean {
    return this.isAdministrator || this.has('monitoring');
  }

  get isPolicymaker(): boolean {
    return this.isAdministrator || this.has('policymaker');
  }

  /** May use the API at all. */
  get isManager(): boolean {
    return this.isMonitor || this.isPolicymaker || this.has('management');
  }

  has(tag: string): boolean {
    return this.principal.tags.includes(tag);
  }

  /** Administrators see every virtual host; others those that they have permissions in. */
  mayEnter(vhost: string): Later<boolean> {
    return this.isAdministrator || this.authorizer.vhost(this.principal, vhost);
  }

  /** The virtual hosts whose objects this caller may see. */
  async visibleVirtualHosts(): Promise<VirtualHost[]> {
    const visible: VirtualHost[] = [];
    for (const vhost of this.broker.topology.vhosts.values()) if (await this.mayEnter(vhost.name)) visible.push(vhost);
    return visible;
  }

  /** Acts in a virtual host with the same checks as a connection has; being an administrator grants no access to messages. */
  actor(vhost: VirtualHost): Later<Actor> {
    const { broker, principal, authorizer } = this;
    return andThen(authorizer.vhost(principal, vhost.name), (allowed) => {
      if (!allowed) throw notAuthorised(`access to vhost '${vhost.name}' refused for user '${principal.user}'`);
      const { topology, limits } = broker;
      // A request is no connection: it owns no exclusive queues and counts against no limit on connections.
      return new Actor({ topology, authorizer, queuesMax: (name) => limits.queuesMax(name) }, principal, vhost, {});
    });
  }
}
