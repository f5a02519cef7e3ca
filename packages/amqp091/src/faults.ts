import { truncateUtf8 } from '@chapar/bytes';
import { BrokerError, brokerError } from '@chapar/core';
import { CodecError } from './codec/index.js';
import type { DoorParts } from './door.js';

/** Whatever was thrown while working for a peer, as the error that the peer is told. A fault of ours is logged under a reference. */
export function faultOf(error: unknown, parts: DoorParts, peer: string): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof CodecError) return codecFault(error);
  const reference = parts.broker.platform.random.uuid().slice(0, 8);
  parts.log.error({ peer, reference, err: error }, 'an internal error closed a connection');
  return brokerError('internal', { reference });
}

function codecFault({ kind, message, id }: CodecError): BrokerError {
  if (kind === 'unknown-method') {
    return brokerError('unknownMethod', { classId: id >>> 16, methodId: id & 0xffff });
  }
  return brokerError(kind === 'frame' ? 'malformedFrame' : 'malformed', { what: 'what was sent', reason: message });
}

/** An error's text as a reply text: a short string, at most 255 bytes. */
export function replyText(text: string): string {
  return truncateUtf8(text, 255);
}
