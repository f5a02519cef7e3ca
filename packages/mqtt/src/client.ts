import type { BlockedView, ChannelView } from '@chapar/core';
import { type Endpoint, endpointText, type TlsSession, type Wire } from '@chapar/platform';
import type { Version } from './codec/packet.js';

const names = { 3: 'MQTT 3-1-0', 4: 'MQTT 3-1-1', 5: 'MQTT 5-0' } as const;

/** What is known of a client by its wire alone, for administrators and for the login. */
export abstract class Client {
  readonly connectedAtMs: number;
  /** Publishes wait without a word: MQTT has none for it. */
  readonly blocked: BlockedView = { reason: null, lastBlockedAtMs: null };
  readonly channels: Iterable<ChannelView> = [];
  readonly channelCount = 0;
  readonly channelsMax = 0;
  readonly authMechanism = 'PLAIN';
  version: Version = 4;
  protected readonly wire: Wire;

  constructor(wire: Wire, nowMs: number) {
    this.wire = wire;
    this.connectedAtMs = nowMs;
  }

  get loopback(): boolean {
    const { address } = this.wire.remote;
    return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  }

  get name(): string {
    return `${endpointText(this.wire.remote)} -> ${endpointText(this.wire.local)}`;
  }

  get protocol(): string {
    return names[this.version];
  }

  get local(): Endpoint {
    return this.wire.local;
  }

  get remote(): Endpoint {
    return this.wire.remote;
  }

  get tls(): TlsSession | null {
    return this.wire.tls;
  }

  get receivedBytes(): number {
    return this.wire.receivedBytes;
  }

  get sentBytes(): number {
    return this.wire.sentBytes;
  }

  get unsentBytes(): number {
    return this.wire.unsentBytes;
  }

  /** It had its time to go. */
  destroy(): void {
    this.wire.destroy();
  }
}
