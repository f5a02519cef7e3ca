import { BufferlessQueue, type Message } from '@chapar/core';
import type { Sender } from './sender.js';
import { storedRetain } from './stored-publish.js';
import type { Subscriptions } from './subscriptions.js';

/** What an end asks of its connection. */
export interface DirectPeer {
  readonly sender: Sender;
  /** False when more waits for the client than a message without a promise is worth. */
  readonly mayAnswer: boolean;
}

/**
 * A session's subscriptions of QoS 0, as the router sees them: a queue without a buffer. A message is written to the client in the turn
 * in which it came, or not at all. Bound while the client is connected.
 */
export class DirectEnd extends BufferlessQueue {
  private readonly clientId: string;
  private readonly subscriptions: Subscriptions;
  peer: DirectPeer | null = null;

  constructor(clientId: string, vhost: string, subscriptions: Subscriptions) {
    super(`mqtt-subscription-${clientId}qos0`, vhost);
    this.clientId = clientId;
    this.subscriptions = subscriptions;
  }

  protected send(message: Message): void {
    const { peer } = this;
    if (peer === null) return;
    // Another subscription of higher QoS matches, too: the message comes by its queue, once. Below 0: a $-topic and a wildcard.
    if (this.subscriptions.match(message.address).qos !== 0) return;
    const match = this.subscriptions.matchOf(message, this.clientId);
    if (match.isUnwanted) return;
    const { sender } = peer;
    if (!peer.mayAnswer) {
      sender.droppedCount++;
      return;
    }
    const formed = sender.formed(message);
    sender.sendPlain(formed, match.retainAsPublished && storedRetain(formed), match.subscriptionIds);
  }
}
