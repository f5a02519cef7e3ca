import { type Address, DIALECT_MQTT, Message } from '@chapar/core';
import {
  findProperties,
  propertiesFrom,
  propertiesTo,
  storedForm,
  storedQos,
  storedRetain,
} from '../stored-publish.js';

/**
 * A retained message as the log has it: expiration and arrival (8 bytes each, milliseconds), bytes of properties (4), properties, payload.
 * Held as a text of one byte a character where it is short: such a text has sixteen bytes beside its own, goes alone, and pins nothing,
 * while a buffer has some 250 bytes, or lies with others in a piece of memory that stays until the last of them goes.
 */
export type RetainedValue = string | Buffer;

const headBytes = 20;
/** Bytes. */
const textBytesMax = 1024;
const head = Buffer.alloc(headBytes);

/** The topic in what came as a packet is left out: it is the key. */
export function encodeValue(message: Message): Buffer {
  const properties = withoutTopic(message);
  const first = Buffer.alloc(headBytes);
  first.writeDoubleBE(message.expirationMs, 0);
  first.writeDoubleBE(message.receivedAtMs, 8);
  first.writeUInt32BE(properties.length, 16);
  return Buffer.concat([first, properties, message.body()]);
}

function withoutTopic(message: Message): Buffer {
  if (message.propertiesStart === message.propertiesEnd) return message.properties();
  findProperties(message);
  return storedForm(storedQos(message), storedRetain(message), message.bytes.subarray(propertiesFrom, propertiesTo));
}

/** To be kept: `own` is not needed any more. */
export function keptValue(own: Buffer): RetainedValue {
  if (own.length <= textBytesMax) return own.toString('latin1');
  if (own.byteLength === own.buffer.byteLength) return own;
  const alone = Buffer.allocUnsafeSlow(own.length);
  own.copy(alone);
  return alone;
}

export function messageOf(address: Address, value: RetainedValue): Message {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const propertiesEnd = headBytes + bytes.readUInt32BE(16);
  const end = bytes.length;
  const message = new Message(
    address,
    DIALECT_MQTT,
    true,
    -1,
    bytes.readDoubleBE(0),
    bytes,
    headBytes,
    propertiesEnd,
    propertiesEnd,
    end,
    null,
    end - propertiesEnd,
  );
  message.receivedAtMs = bytes.readDoubleBE(8);
  return message;
}

/** When its time is over, by the node's time; Infinity: never. */
export function endsAtMs(value: RetainedValue): number {
  // -1, which begins with the bits of its sign: the usual, and nothing has to be made of the text.
  if ((typeof value === 'string' ? value.charCodeAt(0) : value[0]!) >= 0x80) return Number.POSITIVE_INFINITY;
  if (typeof value === 'string') head.write(value.slice(0, 16), 'latin1');
  else value.copy(head, 0, 0, 16);
  return head.readDoubleBE(0) + head.readDoubleBE(8);
}
