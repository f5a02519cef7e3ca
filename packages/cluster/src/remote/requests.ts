import type { Outgoing } from '../peer/outgoing.js';
import type { RemoteConsumer } from './remote-consumer.js';

/** Something that a queue's home was asked, until it answers. */
export interface Request {
  readonly queue: { unreachable(): Error };
  /** Who holds what is got. */
  readonly holder: RemoteConsumer | null;
  /** By the monotonic clock: when the asker is told that the home is out of reach. Milliseconds. */
  readonly deadlineMs: number;
  /** Writes it, once more when the link was broken. */
  write(out: Outgoing, id: number): void;
  answered(value: unknown): void;
  failed(error: Error): void;
}

/** What was asked of one peer and not answered yet, in order. */
export class Requests {
  private readonly byId = new Map<number, Request>();
  private lastId = 0;

  get size(): number {
    return this.byId.size;
  }

  add(request: Request): number {
    this.byId.set(++this.lastId, request);
    return this.lastId;
  }

  take(id: number): Request | null {
    const request = this.byId.get(id) ?? null;
    this.byId.delete(id);
    return request;
  }

  /** Takes those that `which` names, in order. */
  takeAll(which: (request: Request) => boolean): Request[] {
    const taken = [...this.byId].filter(([, request]) => which(request));
    for (const [id] of taken) this.byId.delete(id);
    return taken.map(([, request]) => request);
  }

  resend(out: Outgoing): void {
    for (const [id, request] of this.byId) request.write(out, id);
  }

  /** Fails those that `which` names. */
  fail(which: (request: Request) => boolean): void {
    for (const [id, request] of [...this.byId]) {
      if (!which(request)) continue;
      this.byId.delete(id);
      request.failed(request.queue.unreachable());
    }
  }
}
