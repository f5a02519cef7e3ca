import type { Message, Provenance, Target } from '@chapar/core';
import type { Received, ReceivedLog } from './received.js';

/** A message of QoS 2 that came. */
export interface Arrival {
  readonly target: Target;
  readonly message: Message;
  readonly packetId: number;
  readonly retain: boolean;
}

/** One whose identifier is in the log. */
export interface Arrived extends Arrival {
  from: Provenance | undefined;
}

interface Waiting extends Arrived {
  isReady: boolean;
}

/** Messages of QoS 2 whose identifiers go into a log of their own first. They are published in the order in which they came. [MQTT-4.6.0-3] */
export class Arrivals {
  private readonly waiting: Waiting[] = [];
  private readonly owed = new Set<number>();
  private readonly publish: (arrived: Arrived) => void;

  constructor(publish: (arrived: Arrived) => void) {
    this.publish = publish;
  }

  /** It is owed an answer here. */
  has(packetId: number): boolean {
    return this.owed.has(packetId);
  }

  answered(packetId: number): void {
    this.owed.delete(packetId);
  }

  /** `isUnsure`: its identifier is there, and perhaps it was published. */
  add(arrival: Arrival, received: Received, log: ReceivedLog, isUnsure: boolean): void {
    const { packetId, message } = arrival;
    const waiting: Waiting = { ...arrival, from: undefined, isReady: false };
    // It waits beyond the turn in which it came.
    message.keep();
    this.waiting.push(waiting);
    this.owed.add(packetId);
    if (isUnsure) this.ready(waiting, log.provenanceOf?.(packetId));
    else {
      received.add(packetId);
      log.received(packetId, (from) => this.ready(waiting, from));
    }
  }

  private ready(waiting: Waiting, from: Provenance | undefined): void {
    waiting.from = from;
    waiting.isReady = true;
    while (this.waiting[0]?.isReady === true) this.publish(this.waiting.shift()!);
  }
}
