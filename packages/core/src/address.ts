import type { Route } from './routing/route.js';

/**
 * An exchange and a routing key as messages carry them, with the route they lead to. One object per pair of names, shared by all
 * messages published to it, so that a publish needs no string and no look-up of its own.
 */
export class Address {
  readonly exchange: string;
  readonly routingKey: string;
  /** Both names as length byte + UTF-8: the form that the log and AMQP 0-9-1 (two short strings in a row) use. */
  readonly wire: Buffer;
  /** Valid while `routeVersion` equals the virtual host's routing version. */
  route: Route | null;
  routeVersion: number;
  /** The routing key as MQTT's topic in UTF-8; null: nobody has asked yet. Here, since a table beside it costs more than all else of a topic that is new. */
  topic: Buffer | null;

  constructor(exchange: string, routingKey: string) {
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.wire = encodePair(exchange, routingKey);
    this.route = null;
    this.routeVersion = -1;
    this.topic = null;
  }
}

function encodePair(exchange: string, routingKey: string): Buffer {
  const a = Buffer.from(exchange, 'utf8');
  const b = Buffer.from(routingKey, 'utf8');
  if (a.length > 255 || b.length > 255) throw new RangeError('exchange names and routing keys have at most 255 bytes');
  const wire = Buffer.allocUnsafeSlow(2 + a.length + b.length);
  wire[0] = a.length;
  a.copy(wire, 1);
  wire[1 + a.length] = b.length;
  b.copy(wire, 2 + a.length);
  return wire;
}
