import type { Membership } from './cluster/membership.js';
import type { MessageForm } from './form.js';

/** Where a protocol is listened for: `amqp`, `127.0.0.1`, 5672. */
export interface ListeningAddress {
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
}

export interface ManagementOptions {
  /** Lets the local command line in (`Authorization: Bearer`); null: nobody but users. */
  readonly token: string | null;
  /** How messages that are published here are written down. */
  readonly form: MessageForm;
  /** When a confirmed message is kept, in words. */
  readonly durability: string;
  /** Whether this node serves clients. */
  readonly isReady: () => boolean;
  /** What this node listens on at the moment, this API included. */
  readonly listeners: () => readonly ListeningAddress[];
  /** The cluster that this node belongs to; null: it is alone. */
  readonly membership: Membership | null;
}
