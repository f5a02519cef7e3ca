import type { Deadline, Message, SharedQueue, Turn, VirtualHost } from '@chapar/core';
import type { Connection } from './connection.js';
import { DirectEnd } from './direct-end.js';
import { Outbound, type ReleaseLog } from './outbound.js';
import { Received, type ReceivedLog } from './received.js';
import { type Match, type Subscription, Subscriptions } from './subscriptions.js';
import type { Will } from './will.js';

/** What a session is known by and lives by; §4.1. */
export interface SessionTerms {
  readonly vhost: VirtualHost;
  readonly clientId: string;
  readonly user: string;
  /** It goes with its connection, and so do its queues. */
  readonly isTransient: boolean;
}

/** What remembers a session's packet identifiers over a restart; null for transient ones. */
export interface SessionLog extends ReceivedLog, ReleaseLog {}

const forgetful: ReleaseLog = { released: (_packetId, _position, done) => done(), completed: () => undefined };

/** A client's state, which may outlive its connections: subscriptions, messages under way, identifiers, will (§4.1). */
export class Session {
  readonly vhost: VirtualHost;
  readonly clientId: string;
  readonly user: string;
  readonly isTransient: boolean;
  readonly subscriptions = new Subscriptions();
  /** Shared ones, by the filter as the client wrote it. */
  readonly shares = new Map<string, Subscription>();
  readonly direct: DirectEnd;
  readonly outbound: Outbound;
  readonly received = new Received();
  readonly receivedLog: ReceivedLog | null;
  connection: Connection | null = null;
  /** How long it stays without a connection; 0: not at all, Infinity: for ever. Seconds. */
  expirySeconds = 0;
  /** When the last connection went, by the node's time; 0: there is one. Milliseconds since 1970. */
  disconnectedAtMs = 0;
  /** When it ends. */
  expiry: Deadline | null = null;
  will: Will | null = null;
  isEnded = false;

  constructor(terms: SessionTerms, turn: Turn, log: SessionLog | null) {
    this.vhost = terms.vhost;
    this.clientId = terms.clientId;
    this.user = terms.user;
    this.isTransient = terms.isTransient;
    this.receivedLog = log;
    this.direct = new DirectEnd(this.clientId, this.vhost.name, this.subscriptions);
    const matchOf = (message: Message): Match => this.subscriptions.match(message.address);
    this.outbound = new Outbound(this.clientId, turn, log ?? forgetful, matchOf);
  }

  /** Where messages of QoS 1 and 2 wait for the client. */
  get queueName(): string {
    return `mqtt-subscription-${this.clientId}qos1`;
  }

  get queue(): SharedQueue | null {
    return this.vhost.queues.get(this.queueName) ?? null;
  }
}
