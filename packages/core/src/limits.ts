import { brokerError } from './errors.js';
import type { ConnectionView } from './inspect.js';
import type { UserDirectory } from './ports.js';
import type { Records } from './records.js';

/** Limits of the configuration. Bytes, seconds, counts; Infinity: none. */
export interface NodeLimits {
  readonly connectionsMax: number;
  readonly channelsMax: number;
  readonly frameBytesMax: number;
  readonly heartbeatSeconds: number;
  readonly handshakeSeconds: number;
  readonly messageBytesMax: number;
  /** Output that may wait for a peer that does not read before its deliveries stop. */
  readonly unsentBytesMax: number;
  /** How long such a peer may read nothing at all. */
  readonly stalledSeconds: number;
}

/** The limits that administrators set on virtual hosts and users, beside the node's own. -1 or absent: none. */
export class Limits {
  readonly node: NodeLimits;
  private readonly records: Records;
  private readonly users: UserDirectory;
  private readonly connections: ReadonlySet<ConnectionView>;

  constructor(node: NodeLimits, records: Records, users: UserDirectory, connections: ReadonlySet<ConnectionView>) {
    this.node = node;
    this.records = records;
    this.users = users;
    this.connections = connections;
  }

  queuesMax(vhost: string): number {
    return bound(this.records.get('vhost-limits', vhost, 'max-queues'));
  }

  channelsMaxOfUser(user: string): number {
    return bound(this.users.get(user)?.limits['max-channels']);
  }

  /** 530 when one more connection would pass a limit of the node, the virtual host or the user. */
  assertConnection(vhost: string, user: string): void {
    const { connectionsMax } = this.node;
    if (this.connections.size >= connectionsMax) throw brokerError('connectionLimit', { limit: connectionsMax });
    const vhostMax = bound(this.records.get('vhost-limits', vhost, 'max-connections'));
    const userMax = bound(this.users.get(user)?.limits['max-connections']);
    if (vhostMax !== Infinity && this.count((each) => each.vhost === vhost) >= vhostMax) {
      throw brokerError('vhostConnectionLimit', { vhost, user, limit: vhostMax });
    }
    if (userMax !== Infinity && this.count((each) => each.principal.user === user) >= userMax) {
      throw brokerError('userConnectionLimit', { user, limit: userMax });
    }
  }

  /** 530 when the user's channels over all connections have reached its limit. */
  assertChannel(user: string): void {
    const limit = this.channelsMaxOfUser(user);
    if (limit === Infinity) return;
    let open = 0;
    for (const each of this.connections) if (each.principal.user === user) open += each.channelCount;
    if (open >= limit) throw brokerError('userChannelLimit', { user, limit });
  }

  private count(which: (each: ConnectionView) => boolean): number {
    let count = 0;
    for (const each of this.connections) if (which(each)) count++;
    return count;
  }
}

function bound(limit: unknown): number {
  return typeof limit === 'number' && limit >= 0 ? limit : Infinity;
}
