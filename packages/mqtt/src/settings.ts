import type { CertificateLogin } from '@chapar/core';

/** What an administrator may set for all listeners, and for each. Counts, bytes. */
export interface ListenerLimits {
  /** Clients that are connected at a time; Infinity: no limit. */
  readonly connectionsMax: number;
  /** New connections a second that are let in, beside a burst of as many; 0: no limit. */
  readonly connectionsPerSecond: number;
  /** The largest packet; Infinity: what the largest message needs. */
  readonly packetBytesMax: number;
  /** Messages of QoS 1 and 2 that a client may have under way to us; told to it in 5.0, and held against it for QoS 2. */
  readonly receiveMaximum: number;
  /** Those that we have under way to a client that says nothing of it. */
  readonly inFlightMax: number;
  /** Subscriptions that a session may have. */
  readonly subscriptionsMax: number;
}

/** What an administrator may set for the door. Counts, seconds, bytes. */
export interface DoorSettings extends ListenerLimits {
  /** Where a listener, by its name, has limits of its own. */
  readonly perListener: { readonly [name: string]: Partial<ListenerLimits> };
  /** The exchange that topics are routing keys of. */
  readonly exchange: string;
  /** Where clients go whose user name has no virtual host in it. */
  readonly vhost: string;
  /** Which name of its certificate is the user of a client that gives none. */
  readonly certificateLogin: CertificateLogin;
  /** Who clients without a user name and without a certificate are; null: they are refused. */
  readonly anonymousUser: string | null;
  /** For 5.0: what a client may ask for at most, and what clients of 3.x get whose session is not clean. Infinity: no limit. Seconds. */
  readonly sessionExpirySecondsMax: number;
  /** In a cluster: how many nodes have the messages of a session that is kept, and of a shared group, where no policy says it. */
  readonly sessionCopies: number;
  /** In a cluster: whether other nodes know of sessions that go with their connection. */
  readonly cleanSessions: 'cluster' | 'node';
  /** Told to clients of 5.0; 0: none. */
  readonly topicAliasMaximum: number;
  /** A client that asks for none, or for more, gets this keep-alive (5.0 is told so); 0: no limit. Seconds. */
  readonly keepAliveSecondsMax: number;
}

export const defaultSettings: DoorSettings = {
  exchange: 'amq.topic',
  vhost: '/',
  certificateLogin: 'distinguished_name',
  anonymousUser: 'guest',
  sessionExpirySecondsMax: 86_400,
  sessionCopies: 3,
  cleanSessions: 'cluster',
  receiveMaximum: 4096,
  inFlightMax: 100,
  topicAliasMaximum: 32,
  subscriptionsMax: 100_000,
  keepAliveSecondsMax: 0,
  connectionsMax: Number.POSITIVE_INFINITY,
  connectionsPerSecond: 0,
  packetBytesMax: Number.POSITIVE_INFINITY,
  perListener: {},
};
