import type { Endpoint, TlsSession } from '@chapar/platform';
import type { Arguments } from './arguments.js';
import type { Principal } from './ports.js';
import type { ConsumerActivity } from './queue/consumer.js';
import type { SharedQueue } from './queue/shared-queue.js';

/**
 * What administrators see of peers, whatever their protocol. Doors implement these on their own nouns, so that nothing is copied
 * until somebody looks.
 */
export interface ConnectionView {
  /** `127.0.0.1:51234 -> 127.0.0.1:5672`, unique on this node. */
  readonly name: string;
  /** `AMQP 0-9-1` and the like. */
  readonly protocol: string;
  readonly principal: Principal;
  readonly vhost: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly tls: TlsSession | null;
  readonly clientProperties: Arguments;
  /** A name the client gave itself; empty without one. */
  readonly userProvidedName: string;
  readonly authMechanism: string;
  /** Milliseconds since 1970. */
  readonly connectedAtMs: number;
  readonly state: 'running' | 'blocked' | 'blocking' | 'flow' | 'closing';
  readonly blocked: BlockedView;
  readonly channelsMax: number;
  readonly frameBytesMax: number;
  readonly heartbeatSeconds: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly unsentBytes: number;
  readonly channels: Iterable<ChannelView>;
  readonly channelCount: number;
  /** Ends the connection, telling the peer this reason. */
  close(reason: string): void;
}

/** Whether a peer's publishes wait for alarms to end. */
export interface BlockedView {
  /** What they wait for, in words; null when they do not. */
  readonly reason: string | null;
  /** When they last began to wait, milliseconds since 1970; null: never. */
  readonly lastBlockedAtMs: number | null;
}

export interface ChannelView {
  readonly number: number;
  readonly connection: ConnectionView;
  readonly confirms: boolean;
  readonly transactional: boolean;
  /** Deliveries held. */
  readonly unacknowledgedCount: number;
  readonly unconfirmedCount: number;
  readonly uncommittedCount: number;
  readonly acksUncommittedCount: number;
  readonly prefetchCount: number;
  readonly globalPrefetchCount: number;
  readonly consumers: Iterable<ConsumerView>;
  readonly consumerCount: number;
  readonly publishedCount: number;
  readonly confirmedCount: number;
  readonly returnedCount: number;
  readonly deliveredCount: number;
  readonly acknowledgedCount: number;
}

export interface ConsumerView {
  readonly tag: string;
  readonly queue: SharedQueue;
  readonly acknowledges: boolean;
  readonly exclusive: boolean;
  readonly prefetchCount: number;
  readonly priority: number;
  readonly arguments: Arguments;
  readonly activity: ConsumerActivity;
}

/** What a client left with the broker, or has with it: a session that may outlive its connection. */
export interface SessionView {
  readonly vhost: string;
  readonly clientId: string;
  readonly user: string;
  /** The name of its connection; null: it has none. */
  readonly connection: string | null;
  /** How long it stays without a connection; 0: not at all, Infinity: for ever. Seconds. */
  readonly expirySeconds: number;
  /** Since when it is without a connection, milliseconds since 1970; 0: it has one. */
  readonly disconnectedAtMs: number;
  readonly subscriptionCount: number;
  readonly subscriptions: Iterable<SubscriptionView>;
  /** Where its messages wait; null: it never needed one. */
  readonly queue: string | null;
  /** Its connection is told this reason, and the session ends with all that is in it. */
  end(reason: string): Promise<void>;
}

export interface SubscriptionView {
  readonly filter: string;
  readonly qos: number;
}
