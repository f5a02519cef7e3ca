import { truncateUtf8 } from '@chapar/bytes';
import { type Actor, BrokerError, brokerError, type UserDirectory } from '@chapar/core';
import { CodecError, FRAME_BODY, FRAME_HEADER } from './codec/index.js';
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

/** Why a connection is ended from this side: what it stood on was deleted, or else the reason of whoever ends it. */
export function forcedEnd({ vhost, principal }: Actor, users: UserDirectory, reason: string): BrokerError {
  if (vhost.deleted) return brokerError('vhostDeleted', { vhost: vhost.name });
  const { user, backend } = principal;
  const isGone = backend === 'internal' && users.get(user) === undefined;
  return isGone ? brokerError('userDeleted', { user }) : brokerError('shutdown', { reason });
}

/** An error's text as a reply text: a short string, at most 255 bytes. */
export function replyText(text: string): string {
  return truncateUtf8(text, 255);
}

export function notChannelZero(method: string, channel: number): BrokerError {
  return brokerError('notChannelZero', { method, channel });
}

/** A frame that is no method, as error texts name it. */
export function contentName(type: number): string {
  if (type === FRAME_HEADER) return 'a content header';
  return type === FRAME_BODY ? 'a content body' : `a frame of type ${type}`;
}
