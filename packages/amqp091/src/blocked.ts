import type { Channel } from './channel.js';
import type { Connection } from './connection.js';
import { replyText } from './faults.js';

/** The channels of a connection whose publishes wait for an alarm to end; the peer is told when the first does and when it is over. */
export class Blocked {
  private readonly connection: Connection;
  private readonly channels = new Set<Channel>();
  private isTold = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isEmpty(): boolean {
    return this.channels.size === 0;
  }

  add(channel: Channel): void {
    if (!this.isTold && this.connection.clientHas('connection.blocked')) {
      this.isTold = true;
      const { reason } = this.connection.parts.broker.alarms;
      this.connection.send({ name: 'connection.blocked', reason: replyText(reason) });
    }
    this.channels.add(channel);
  }

  delete(channel: Channel): void {
    this.channels.delete(channel);
  }

  clear(): void {
    this.channels.clear();
    this.isTold = false;
  }

  /** No alarm is on any more. */
  end(): void {
    const channels = [...this.channels];
    this.channels.clear();
    if (this.isTold) this.connection.send({ name: 'connection.unblocked' });
    this.isTold = false;
    for (const channel of channels) channel.unblock();
  }
}
