import type { Channel } from './channel.js';
import type { Connection } from './connection.js';
import { replyText } from './faults.js';

/** The channels of a connection whose publishes wait for an alarm to end; the peer is told when the first does and when it is over. */
export class Blocked {
  private readonly connection: Connection;
  private readonly channels = new Set<Channel>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isEmpty(): boolean {
    return this.channels.size === 0;
  }

  add(channel: Channel): void {
    if (this.isEmpty && this.connection.clientHas('connection.blocked')) {
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
  }

  /** No alarm is on any more. */
  end(): void {
    if (this.isEmpty) return;
    const channels = [...this.channels];
    this.channels.clear();
    if (this.connection.clientHas('connection.blocked')) this.connection.send({ name: 'connection.unblocked' });
    for (const channel of channels) channel.unblock();
  }
}
