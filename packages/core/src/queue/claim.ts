import type { LoggedMessage, LogRead, Position } from '../ports.js';
import type { QueueConsumer } from './consumer.js';
import type { QueueDelivery } from './delivery.js';
import type { Handout } from './handout.js';
import type { Paging } from './paging.js';
import type { ReadyMessages } from './ready-messages.js';
import type { Roster } from './roster.js';
import type { Timing } from './timing.js';

/** Read at once. Bytes. */
const readBytes = 1024 * 1024;

export interface ClaimParts {
  readonly owner: { readonly deleted: boolean; readonly roster: Roster };
  readonly ready: ReadyMessages;
  readonly paging: Paging;
  readonly handout: Handout;
  readonly timing: Timing;
}

/**
 * What a consumer says that it holds from the leader before: those messages that are ready come into its hands without being sent again.
 * The rest was settled, was never committed, or is somebody else's. Where part of what waits is on disk they are read first; what is in
 * whose hands is decided when all of them are there.
 */
export class Claim {
  private readonly parts: ClaimParts;
  private readonly consumer: QueueConsumer;
  private readonly positions: readonly Position[];
  private readonly done: (deliveries: readonly QueueDelivery[]) => void;
  private readonly read = new Map<Position, LoggedMessage>();

  constructor(
    parts: ClaimParts,
    consumer: QueueConsumer,
    positions: readonly Position[],
    done: (deliveries: readonly QueueDelivery[]) => void,
  ) {
    this.parts = parts;
    this.consumer = consumer;
    this.positions = [...new Set(positions)].sort((a, b) => a - b);
    this.done = done;
  }

  begin(): void {
    if (this.parts.ready.pagedCount > 0) this.readFrom(0);
    else this.decide();
  }

  private readFrom(first: number): void {
    const left = this.positions.slice(first);
    if (left.length === 0) {
      this.decide();
      return;
    }
    this.parts.paging.readAt(left, readBytes, ({ messages, upTo }: LogRead) => {
      for (const logged of messages) this.read.set(logged.position, logged);
      const behind = left.findIndex((position) => position > upTo);
      if (behind === -1) this.decide();
      else this.readFrom(first + behind);
    });
  }

  private decide(): void {
    const { owner, ready, paging, handout, timing } = this.parts;
    if (owner.deleted) return;
    const taken: LoggedMessage[] = [];
    if (!this.consumer.isDetached && !owner.roster.owners.isFenced(this.consumer.spec)) {
      const onDisk: LoggedMessage[] = [];
      for (const position of this.positions) {
        const message = ready.takeAt(position);
        const logged = message === null ? this.read.get(position) : { position, message };
        if (logged !== undefined) (message === null ? onDisk : taken).push(logged);
      }
      taken.push(...ready.takePaged(onDisk));
      taken.sort((a, b) => a.position - b.position);
    }
    const deliveries = taken.map(({ position, message }) => handout.hold(this.consumer, position, message, false));
    paging.fill();
    // The oldest may be another one.
    timing.expiry?.headChanged();
    this.done(deliveries);
  }
}
