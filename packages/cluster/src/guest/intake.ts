import { type Message, Queue, type SharedQueue, type Turn } from '@chapar/core';
import { type VerdictSink, Verdicts } from './verdicts.js';

/** Takes one peer's publishes to one queue of this node. Null as queue: it is gone, and with it all there was to lose. */
export class Intake {
  readonly verdicts: Verdicts;
  queue: SharedQueue | null;

  constructor(turn: Turn, number: number, queue: SharedQueue | null, sink: VerdictSink) {
    this.queue = queue;
    this.verdicts = new Verdicts(turn, number, sink);
  }

  /** `wants`: somebody waits for its commit. */
  take(message: Message, wants: boolean): void {
    const { verdicts } = this;
    const sequence = verdicts.next();
    if (sequence === 0) return;
    // Where it is mirrored by now, its face.
    if (this.queue instanceof Queue && this.queue.succession.heir !== null) this.queue = this.queue.succession.heir;
    const queue = this.queue?.deleted === false ? this.queue : null;
    const isAwaited = queue !== null && wants;
    const tag = verdicts.begin(sequence, isAwaited);
    if (isAwaited) {
      queue.enqueue(message, verdicts.slot(tag));
      return;
    }
    queue?.enqueue(message, null);
    verdicts.confirms.confirm(tag);
  }

  /** Its queue is gone, and nothing waits. */
  get isIdle(): boolean {
    return this.queue?.deleted !== false && this.verdicts.confirms.waitingCount === 0;
  }
}
