import { Address, type DialectId, Message, type VirtualHost } from '@chapar/core';
import type { FrameCursor } from './frame-cursor.js';
import type { Outgoing } from './outgoing.js';

const FLAG_PERSISTENT = 1;
const FLAG_PRIORITY = 2;
const FLAG_EXPIRATION = 4;

/** Addresses that were written or read in this frame, by number: each stands once in a frame. */
export class AddressBook {
  private readonly numbers = new Map<Address, number>();
  private last: Address | null = null;
  private lastNumber = 0;

  clear(): void {
    if (this.numbers.size > 0) this.numbers.clear();
    this.last = null;
  }

  /** 0: it was not there, and has the next number from now on. */
  number(address: Address): number {
    if (address === this.last) return this.lastNumber;
    this.last = address;
    const known = this.numbers.get(address);
    this.lastNumber = known ?? this.numbers.size + 1;
    if (known !== undefined) return known;
    this.numbers.set(address, this.lastNumber);
    return 0;
  }
}

/** Writes a message: flags, dialect, what the flags name, the address, properties and body; to this node itself, its number among those that go along. */
export function writeMessage(out: Outgoing, book: AddressBook, message: Message): void {
  if (out.carries) {
    out.carry(message);
    return;
  }
  const { priority, expirationMs, address, bytes, parts } = message;
  out.byte(
    (message.persistent ? FLAG_PERSISTENT : 0) |
      (priority >= 0 ? FLAG_PRIORITY : 0) |
      (expirationMs >= 0 ? FLAG_EXPIRATION : 0),
  );
  out.byte(message.dialect);
  if (priority >= 0) out.byte(priority);
  if (expirationMs >= 0) out.varint(expirationMs);
  const number = book.number(address);
  out.varint(number);
  if (number === 0) out.bytes(address.wire, 0, address.wire.length);
  out.varint(message.propertiesEnd - message.propertiesStart);
  out.varint(message.bodyBytes);
  out.bytes(bytes, message.propertiesStart, message.propertiesEnd);
  if (parts === null) out.bytes(bytes, message.bodyStart, message.bodyEnd);
  else for (const part of parts) out.bytes(part, 0, part.length);
}

/** Reads what `writeMessage` wrote; the messages are views of the batch, as those of a socket's chunk are, or came along with it. */
export class MessageReader {
  private addresses: Address[] = [];

  /** A new frame begins. */
  clear(): void {
    this.addresses = [];
  }

  /** `isLogged`: whatever it says of itself. */
  read(cursor: FrameCursor, vhost: VirtualHost | null, isLogged = false): Message {
    if (cursor.carried !== null) return this.carried(cursor, cursor.carried, isLogged);
    const flags = cursor.byte();
    const dialect = cursor.byte() as DialectId;
    const priority = (flags & FLAG_PRIORITY) === 0 ? -1 : cursor.byte();
    const expirationMs = (flags & FLAG_EXPIRATION) === 0 ? -1 : cursor.varint();
    const address = this.address(cursor, vhost);
    const propertiesBytes = cursor.varint();
    const bodyBytes = cursor.varint();
    const at = cursor.skip(propertiesBytes + bodyBytes);
    const bodyAt = at + propertiesBytes;
    return new Message(
      address,
      dialect,
      isLogged || (flags & FLAG_PERSISTENT) !== 0,
      priority,
      expirationMs,
      cursor.buffer,
      at,
      bodyAt,
      bodyAt,
      bodyAt + bodyBytes,
      null,
      bodyBytes,
    );
  }

  private carried(cursor: FrameCursor, messages: readonly Message[], isLogged: boolean): Message {
    const message = messages[cursor.varint()];
    if (message === undefined) throw new RangeError('a message that did not come along with its batch');
    return isLogged ? message.logged() : message;
  }

  private address(cursor: FrameCursor, vhost: VirtualHost | null): Address {
    const number = cursor.varint();
    if (number > 0) return this.addresses[number - 1]!;
    const exchange = shortText(cursor);
    const routingKey = shortText(cursor);
    const address = vhost === null ? new Address(exchange, routingKey) : vhost.address(exchange, routingKey);
    this.addresses.push(address);
    return address;
  }
}

function shortText(cursor: FrameCursor): string {
  const length = cursor.byte();
  const at = cursor.skip(length);
  return cursor.buffer.toString('utf8', at, at + length);
}
