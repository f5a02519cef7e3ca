import type { Arguments, Deadline, Message, SharedQueue, Turn, VirtualHost } from '@chapar/core';
import type { Connection } from './connection.js';
import { DirectEnd } from './direct-end.js';
import { Outbound, type ReleaseLog } from './outbound.js';
import { Received, type ReceivedLog } from './received.js';
import { moveToOwn } from './shared.js';
import { type Match, type Subscription, Subscriptions } from './subscriptions.js';
import type { Will } from './will.js';

/** What a session is known by and lives by; §4.1. */
export interface SessionTerms {
  readonly vhost: VirtualHost;
  readonly clientId: string;
  readonly user: string;
  /** It goes with its connection, and so do its queues. */
  readonly isTransient: boolean;
  /**
   * Behind the names of queues that go with a connection: in a cluster the node's own, so that a client that comes to another node has no
   * name to wait for that the first one still has. Empty: none.
   */
  readonly tag: string;
  /** Of the queue where its messages wait. */
  readonly queueArguments: Arguments;
}

/** What remembers a session's packet identifiers over a restart; null for transient ones. */
export interface SessionLog extends ReceivedLog, ReleaseLog {}

const noShares: ReadonlyMap<string, Subscription> = new Map();

const forgetful: ReleaseLog = {
  isApart: false,
  released: (_packetId, _position, done) => done(),
  completed: () => undefined,
};

/** A client's state, which may outlive its connections: subscriptions, messages under way, identifiers, will (§4.1). */
export class Session {
  readonly vhost: VirtualHost;
  readonly clientId: string;
  readonly user: string;
  readonly isTransient: boolean;
  private readonly tag: string;
  readonly queueArguments: Arguments;
  readonly subscriptions = new Subscriptions();
  /** Its subscriptions of QoS 0, as the router sees them; null: it never had one. Many clients only publish. */
  directEnd: DirectEnd | null = null;
  /** Its messages of QoS 1 and 2; null: it never had one. */
  outboundMade: Outbound | null = null;
  private sharesMade: Map<string, Subscription> | null = null;
  readonly received = new Received();
  readonly receivedLog: ReceivedLog | null;
  /** That has the session; it may not be open yet. */
  connection: Connection | null = null;
  /** The same, once it is. */
  private peer: Connection | null = null;
  /** How long it stays without a connection; 0: not at all, Infinity: for ever. Seconds. */
  expirySeconds = 0;
  /** When the last connection went, by the node's time; 0: there is one. Milliseconds since 1970. */
  disconnectedAtMs = 0;
  /** Its present connection found it, or the last one did. */
  wasFound = false;
  /** When it ends. */
  expiry: Deadline | null = null;
  will: Will | null = null;
  /** Due, and on their way into the log of a cluster. */
  leavingWills: Will[] | null = null;
  isEnded = false;
  /** Its client is another broker, and says so as brokers did before 5.0. */
  isBridge = false;
  /** In a cluster, of a session that is kept: of its owner, higher than of those before. */
  ownerOrdinal = 0;

  private readonly turn: Turn;
  private readonly log: SessionLog | null;

  constructor(terms: SessionTerms, turn: Turn, log: SessionLog | null) {
    this.vhost = terms.vhost;
    this.clientId = terms.clientId;
    this.user = terms.user;
    this.isTransient = terms.isTransient;
    this.tag = terms.tag;
    this.queueArguments = terms.queueArguments;
    this.receivedLog = log;
    this.turn = turn;
    this.log = log;
  }

  /** Its will waits for some time after the connection went. [MQTT-3.1.3-9] */
  get isWillDelayed(): boolean {
    return this.will !== null && this.will.wish.delaySeconds > 0 && this.expirySeconds > 0;
  }

  /** Without a connection: when its will is to be sent, or was; Infinity: it has none. Milliseconds since 1970. */
  get willDueAtMs(): number {
    if (this.will === null) return Number.POSITIVE_INFINITY;
    return this.disconnectedAtMs + (this.isWillDelayed ? this.will.wish.delaySeconds * 1000 : 0);
  }

  get direct(): DirectEnd {
    this.directEnd ??= new DirectEnd(this.clientId, this.vhost.name, this.subscriptions);
    this.directEnd.peer = this.peer;
    return this.directEnd;
  }

  get outbound(): Outbound {
    if (this.outboundMade !== null) return this.outboundMade;
    const matchOf = (message: Message): Match => this.subscriptions.matchOf(message, this.clientId);
    const outbound = new Outbound(this.clientId, this.turn, this.log ?? forgetful, matchOf);
    outbound.moveToOwn = (message, source, slot) => moveToOwn(this, message, source, slot);
    outbound.ownerOrdinal = this.ownerOrdinal;
    this.outboundMade = outbound;
    if (this.peer !== null) outbound.attach(this.peer, null);
    return outbound;
  }

  /** Shared ones, by the filter as the client wrote it. */
  get shares(): ReadonlyMap<string, Subscription> {
    return this.sharesMade ?? noShares;
  }

  share(subscription: Subscription): void {
    this.sharesMade ??= new Map();
    this.sharesMade.set(subscription.filter, subscription);
  }

  /** False when there was no such. */
  unshare(filter: string): boolean {
    return this.sharesMade?.delete(filter) ?? false;
  }

  /** Its client was let in. */
  get isOpen(): boolean {
    return this.peer !== null;
  }

  /** CONNACK is on its way: messages may follow. */
  attach(connection: Connection): void {
    this.peer = connection;
    if (this.outboundMade !== null) this.outboundMade.ownerOrdinal = this.ownerOrdinal;
    if (this.directEnd !== null) this.directEnd.peer = connection;
    const { queue } = this;
    if (queue !== null || this.outboundMade !== null) this.attachOutbound(connection, queue);
  }

  private attachOutbound(connection: Connection, queue: SharedQueue | null): void {
    if (this.outboundMade !== null) this.outboundMade.attach(connection, queue);
    else if (queue !== null) this.outbound.begin(queue);
  }

  /** The connection is gone. */
  detach(): void {
    this.peer = null;
    if (this.directEnd !== null) this.directEnd.peer = null;
    this.outboundMade?.detach();
    // In a log of its own an identifier may be on its way for longer than a client needs to come back.
    if (this.receivedLog?.isApart !== true) this.received.connectionGone();
  }

  /** Where messages of QoS 1 and 2 wait for the client. */
  get queueName(): string {
    return this.isTransient ? `${this.permittedAs}${this.tag}` : this.permittedAs;
  }

  /** The name of its queue for permissions; that of a session that is kept. */
  get permittedAs(): string {
    return queueNameOf(this.clientId);
  }

  get queue(): SharedQueue | null {
    return this.vhost.queues.get(this.queueName) ?? null;
  }
}

/** Of a session that is kept. */
export function queueNameOf(clientId: string): string {
  return `mqtt-subscription-${clientId}qos1`;
}
