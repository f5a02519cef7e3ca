import { DirectQueue, type Message, type VirtualHost } from '@chapar/core';

/** The pseudo-queue that is consumed to get replies without a queue, and the reply-to that asks for them. */
export const replyToName = 'amq.rabbitmq.reply-to';

/**
 * A channel's way of getting replies: a routing key of the default exchange that leads straight to its consumer. Replies to a channel
 * that is gone are dropped, as the field does it.
 */
export class DirectReply {
  readonly consumerTag: string;
  readonly address: string;
  private readonly vhost: VirtualHost;

  /** `secret` makes the address unguessable. */
  constructor(vhost: VirtualHost, consumerTag: string, secret: string, send: (message: Message) => void) {
    this.vhost = vhost;
    this.consumerTag = consumerTag;
    this.address = `${replyToName}.${secret}`;
    vhost.directQueues.set(this.address, new DirectQueue(this.address, send));
  }

  close(): void {
    // Remembered routes to it are dropped with the next change; until then its queue sends to a closed channel, which drops.
    this.vhost.directQueues.delete(this.address);
  }
}
