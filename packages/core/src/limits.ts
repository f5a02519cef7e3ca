import type { ConnectionTally } from './connection-tally.js';
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
  /** What the other nodes of the cluster have, by their names; a moment old. Kept by the cluster. */
  readonly elsewhere = new Map<string, ConnectionTally>();

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
    const ofVhost = (tally: ConnectionTally) => tally.vhosts[vhost] ?? 0;
    const ofUser = (tally: ConnectionTally) => tally.users[user]?.connections ?? 0;
    if (vhostMax !== Infinity && this.count((each) => each.vhost === vhost, ofVhost) >= vhostMax) {
      throw brokerError('vhostConnectionLimit', { vhost, user, limit: vhostMax });
    }
    if (userMax !== Infinity && this.count((each) => each.principal.user === user, ofUser) >= userMax) {
      throw brokerError('userConnectionLimit', { user, limit: userMax });
    }
  }

  /** 530 when the user's channels over all connections have reached its limit. */
  assertChannel(user: string): void {
    const limit = this.channelsMaxOfUser(user);
    if (limit === Infinity) return;
    let open = 0;
    for (const each of this.connections) if (each.principal.user === user) open += each.channelCount;
    for (const tally of this.elsewhere.values()) open += tally.users[user]?.channels ?? 0;
    if (open >= limit) throw brokerError('userChannelLimit', { user, limit });
  }

  private count(which: (each: ConnectionView) => boolean, elsewhere: (tally: ConnectionTally) => number): number {
    let count = 0;
    for (const each of this.connections) if (which(each)) count++;
    for (const tally of this.elsewhere.values()) count += elsewhere(tally);
    return count;
  }
}

function bound(limit: unknown): number {
  return typeof limit === 'number' && limit >= 0 ? limit : Infinity;
}
