import type { Connection } from './connection.js';

/** What went through connections: the sum of the plain numbers that each of them has. */
export class Traffic {
  messagesIn = 0;
  messagesOut = 0;
  /** Of QoS 0 to clients that read too slowly, and what was larger than a client takes. */
  dropped = 0;
  payloadBytesIn = 0;
  payloadBytesOut = 0;
  bytesIn = 0;
  bytesOut = 0;

  add({ inboundMade, senderMade, receivedBytes, sentBytes }: Connection): void {
    this.bytesIn += receivedBytes;
    this.bytesOut += sentBytes;
    if (inboundMade !== null) {
      this.messagesIn += inboundMade.publisher.statistics.published;
      this.payloadBytesIn += inboundMade.payloadBytes;
    }
    if (senderMade === null) return;
    this.messagesOut += senderMade.sentCount;
    this.payloadBytesOut += senderMade.payloadBytes;
    this.dropped += senderMade.droppedCount;
  }

  /** This and what went through these. */
  with(connections: Iterable<Connection>): Traffic {
    const sum = Object.assign(new Traffic(), this);
    for (const connection of connections) sum.add(connection);
    return sum;
  }
}
