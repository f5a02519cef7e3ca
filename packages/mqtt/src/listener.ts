import type { Broker } from '@chapar/core';
import { Admission } from './admission.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { ListenerLimits } from './settings.js';

/** Beside the payload, what a packet may have: topic and properties. Bytes. */
const headBytesMax = 128 * 1024;
/** A CONNECT is no larger: of who is not known yet little is kept. It has five fields of at most 64 KiB, and properties. Bytes. */
const connectBytesMax = 512 * 1024;

/** Where clients come in, and how many of them and how much of each is taken there. */
export class MqttListener {
  readonly limits: ListenerLimits;
  /** The largest packet that is taken. Bytes. */
  readonly packetBytesMax: number;
  /** The same, of a CONNECT. */
  readonly connectBytesMax: number;
  /** Clients that came in here, were let in, and have not gone. */
  connectionCount = 0;
  private readonly admission: Admission;

  constructor({ platform, limits: { node } }: Broker, limits: ListenerLimits) {
    this.limits = limits;
    this.packetBytesMax = Math.min(limits.packetBytesMax, node.messageBytesMax + headBytesMax);
    this.connectBytesMax = Math.min(this.packetBytesMax, connectBytesMax);
    this.admission = new Admission(platform.clock, limits.connectionsPerSecond);
  }

  /** Counts a client that sent CONNECT. Throws MqttError: it is not let in now. */
  admit(): void {
    if (this.connectionCount >= this.limits.connectionsMax)
      throw new MqttError(REASON.quotaExceeded, 'this listener has as many connections as it takes');
    if (!this.admission.admits()) throw new MqttError(REASON.connectionRateExceeded, 'too many connections at once');
    this.connectionCount++;
  }

  left(): void {
    this.connectionCount--;
  }
}
