import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { Incarnation, Position } from '../ports.js';
import type { QueueHandle } from '../queue/queue-handle.js';

/** Who keeps a message until it is safe elsewhere. */
export interface DepartureOwner {
  /** Every queue has decided. */
  departed(departure: Departure): void;
}

/** A message that was due, on its way to queues: over when each of them has committed or refused it. */
export class Departure {
  readonly position: Position;
  /** As it waited. */
  readonly message: Message;
  /** Queues that will never have it. */
  readonly refusedBy = new Set<Incarnation>();
  /** Some queues have it, those of an earlier try among them. */
  isPartly: boolean;
  private readonly owner: DepartureOwner;
  private waiting = 0;

  constructor(owner: DepartureOwner, position: Position, message: Message, isPartly: boolean) {
    this.owner = owner;
    this.position = position;
    this.message = message;
    this.isPartly = isPartly;
  }

  /** `onward`: the message as the queues get it. */
  start(onward: Message, queues: readonly QueueHandle[]): void {
    this.waiting = queues.length;
    for (const queue of queues) queue.enqueue(onward, new DepartureSlot(this, queue.incarnation));
  }

  committed(): void {
    this.isPartly = true;
    this.decided();
  }

  refused(queue: Incarnation): void {
    this.refusedBy.add(queue);
    this.decided();
  }

  private decided(): void {
    if (--this.waiting === 0) this.owner.departed(this);
  }
}

class DepartureSlot implements ConfirmSlot {
  private readonly departure: Departure;
  private readonly queue: Incarnation;

  constructor(departure: Departure, queue: Incarnation) {
    this.departure = departure;
    this.queue = queue;
  }

  committed(): void {
    this.departure.committed();
  }

  refused(): void {
    this.departure.refused(this.queue);
  }
}
