import { DIALECT_MQTT, type Message } from '@chapar/core';
import { findProperty, OWN, textProperty } from './stored-publish.js';

/** Written into what a client publishes that has a subscription with No Local, so that it is known wherever the message waits. */
export function originProperty(clientId: string): Buffer {
  return textProperty(OWN.origin, clientId);
}

/** Whether this client published the message (and has a subscription with No Local). [MQTT-3.8.3-3] */
export function isOriginOf(message: Message, clientId: string): boolean {
  if (message.dialect !== DIALECT_MQTT) return false;
  const at = findProperty(message, OWN.origin);
  if (at === -1) return false;
  const { bytes } = message;
  return bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at)) === clientId;
}
