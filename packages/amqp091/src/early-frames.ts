import { brokerError } from '@chapar/core';
import { decodeMethod, FRAME_HEADER_BYTES, FRAME_METHOD } from './codec/index.js';
import type { Connection } from './connection.js';
import { contentName, notChannelZero } from './faults.js';
import { methodIdAt } from './frame-reader.js';
import type { Handshake } from './handshake.js';

/**
 * Frames that come before the connection is open. A login or a virtual host may take its time, and clients send tune-ok, open and what
 * follows without waiting in between: each frame has its turn, and nothing more is read before they all had theirs.
 */
export class EarlyFrames {
  private readonly connection: Connection;
  private readonly handshake: Handshake;
  private last: Promise<void> = Promise.resolve();

  constructor(connection: Connection, handshake: Handshake) {
    this.connection = connection;
    this.handshake = handshake;
  }

  add(channel: number, chunk: Buffer, at: number, next: number): void {
    const frame = Buffer.from(chunk.subarray(at, next));
    this.connection.reading.hold();
    this.last = this.last.then(() => this.take(channel, frame)).finally(() => this.connection.reading.release());
  }

  private async take(channel: number, frame: Buffer): Promise<void> {
    const { connection } = this;
    if (!connection.isShakingHands) {
      connection.frame(frame, 0, frame.length, frame.length);
      return;
    }
    try {
      if (frame[0] !== FRAME_METHOD) throw brokerError('unexpectedContent', { channel, got: contentName(frame[0]!) });
      const method = decodeMethod(frame, FRAME_HEADER_BYTES, frame.length - 1);
      if (channel !== 0 && method.name.startsWith('connection.')) throw notChannelZero(method.name, channel);
      if (method.name === 'connection.close') connection.closedByPeer();
      else await this.handshake.receive(method);
    } catch (error) {
      connection.fail(error, { id: methodIdAt(frame, 0, frame.length) });
    }
  }
}
