import type { BlockedView } from '@chapar/core';
import type { Channel } from './channel.js';
import type { Connection } from './connection.js';
import { replyText } from './faults.js';

/** The channels of a connection whose publishes wait for an alarm to end; the peer is told when the first does and when it is over. */
export class Blocked implements BlockedView {
  private readonly connection: Connection;
  private readonly channels = new Set<Channel>();
  private isTold = false;
  lastBlockedAtMs: number | null = null;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get reason(): string | null {
    const { alarms } = this.connection.parts.broker;
    return this.isEmpty || !alarms.isTold ? null : alarms.reason;
  }

  get isEmpty(): boolean {
    return this.channels.size === 0;
  }

  add(channel: Channel): void {
    if (this.isEmpty) this.lastBlockedAtMs = this.connection.parts.broker.platform.clock.wallMs();
    this.channels.add(channel);
    this.tell();
  }

  delete(channel: Channel): void {
    this.channels.delete(channel);
  }

  clear(): void {
    this.channels.clear();
  }

  /** Alarms were raised or cleared: who waits is told, or goes on. */
  changed(): void {
    this.tell();
    if (this.isEmpty || this.connection.parts.broker.alarms.isRaised) return;
    const channels = [...this.channels];
    this.channels.clear();
    for (const channel of channels) channel.unblock();
  }

  private tell(): void {
    const { alarms } = this.connection.parts.broker;
    const isTold = alarms.isTold && !this.isEmpty;
    if (isTold === this.isTold) return;
    this.isTold = isTold;
    if (!this.connection.clientHas('connection.blocked')) return;
    if (isTold) this.connection.send({ name: 'connection.blocked', reason: replyText(alarms.reason) });
    else this.connection.send({ name: 'connection.unblocked' });
  }
}
