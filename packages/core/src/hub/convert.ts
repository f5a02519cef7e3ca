import { type DialectId, Message } from '../message.js';

/** A message up to this is written in one piece, which does not pin what its body came in. Bytes. */
const pieceBytesMax = 16 * 1024;

/** The same message with these properties, in another door's form. It keeps its address, its body, and when it came. */
export function inForm(message: Message, dialect: DialectId, properties: Buffer): Message {
  const { address, persistent, priority, expirationMs, bodyBytes } = message;
  const envelope = [address, dialect, persistent, priority, expirationMs] as const;
  const { length } = properties;
  const whole = length + bodyBytes;
  let formed: Message;
  if (whole > pieceBytesMax) {
    formed = new Message(...envelope, properties, 0, length, 0, 0, message.parts ?? [message.body()], bodyBytes);
  } else {
    const piece = Buffer.concat([properties, message.body()], whole);
    formed = new Message(...envelope, piece, 0, length, length, whole, null, bodyBytes);
  }
  formed.receivedAtMs = message.receivedAtMs;
  return formed;
}
