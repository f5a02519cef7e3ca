import { REASON } from './reason.js';

/** A wrong of the peer's: ends its connection with this reason code (5.0), or without a word (before). The text is the reason string. */
export class MqttError extends Error {
  readonly reason: number;

  constructor(reason: number, text: string) {
    super(text);
    this.reason = reason;
  }
}

/** Bytes that are no packet (§4.13.1). */
export function malformed(text: string): MqttError {
  return new MqttError(REASON.malformedPacket, text);
}

/** A packet that must not come, or not so. */
export function protocolError(text: string): MqttError {
  return new MqttError(REASON.protocolError, text);
}
