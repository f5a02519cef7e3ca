import type { Address, ConfirmSlot, Message, Provenance } from '@chapar/core';

/** A retained message and the topic it stands at; the message's address may be `passing`. */
export interface RetainedMessage {
  readonly topic: string;
  readonly message: Message;
}

/** The last message of each topic that was published with the retain flag (§3.3.1.3). One per virtual host. */
export interface RetainedMessages {
  readonly count: number;
  /** The messages whose topics match, one after the other; null: many were looked at and none was found, ask again. */
  matching(filter: string): Iterator<RetainedMessage | null>;
}

/** Of all virtual hosts. */
export interface Retained {
  /**
   * Keeps the message in the place of the last one; one without payload deletes it [MQTT-3.3.1-6]. `slot`: told when it is durable. `from`: in
   * a cluster whoever publishes it again does so under that; when it was kept before, it does not take the place of what came behind it.
   */
  set(vhost: string, address: Address, message: Message, slot: ConfirmSlot | null, from?: Provenance): void;
}
