import { isValidUtf8 } from '@chapar/bytes';
import { andThen, brokerError, type Later, type Publisher, type Target } from '@chapar/core';

const slotsCount = 256;

/**
 * What a connection has published to, found by the raw bytes of exchange and routing key as they stand in basic.publish: a hit needs no
 * string, no look-up and no permission check. A direct-mapped table, made with the first publish.
 */
export class Targets {
  private last: Target | null = null;
  private slots: (Target | undefined)[] | null = null;

  /** The target for the two short strings at [start, end) of `chunk`, null when it is not known or no longer holds. */
  find(publisher: Publisher, chunk: Buffer, start: number, end: number): Target | null {
    const { last } = this;
    if (last !== null && matches(last, chunk, start, end) && publisher.isCurrent(last)) return last;
    const found = this.slots?.[slotOf(chunk, start, end)];
    if (found === undefined || !matches(found, chunk, start, end) || !publisher.isCurrent(found)) return null;
    this.last = found;
    return found;
  }

  /** Checks and remembers. Throws BrokerError: 404, 403, or 502 for names that are not UTF-8. */
  resolve(publisher: Publisher, chunk: Buffer, start: number, end: number): Later<Target> {
    const exchangeEnd = start + 1 + chunk[start]!;
    const exchange = text(chunk, start + 1, exchangeEnd);
    const routingKey = text(chunk, exchangeEnd + 1, end);
    const slot = slotOf(chunk, start, end);
    return andThen(publisher.target(exchange, routingKey), (target) => {
      if (this.slots === null) this.slots = new Array(slotsCount).fill(undefined);
      this.slots[slot] = target;
      this.last = target;
      return target;
    });
  }
}

function text(chunk: Buffer, start: number, end: number): string {
  if (!isValidUtf8(chunk, start, end)) {
    throw brokerError('malformed', { what: 'basic.publish', reason: 'exchange or routing key is not UTF-8' });
  }
  return chunk.toString('utf8', start, end);
}

function matches(target: Target, chunk: Buffer, start: number, end: number): boolean {
  const wire = target.address.wire;
  const length = end - start;
  if (wire.length !== length) return false;
  // Routing keys of one application tend to differ at their end.
  for (let i = length - 1; i >= 0; i--) if (wire[i] !== chunk[start + i]) return false;
  return true;
}

/** FNV-1a. */
function slotOf(chunk: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ chunk[i]!, 0x01000193);
  return (hash ^ (hash >>> 16)) & (slotsCount - 1);
}
