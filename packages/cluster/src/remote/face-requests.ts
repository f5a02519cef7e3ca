import type { MirroredQueue } from './mirrored-queue.js';
import type { RemoteHome } from './remote-home.js';
import type { Request } from './requests.js';

/** `deadlineMs` is the face's; at the home's there is none, for what it fails to answer goes to the next one. */
interface FaceRequest extends Request {
  readonly ownDeadlineMs: number;
}

/** What the face of a mirrored queue has asked and has no answer to, in order: asked again of each leader that comes. */
export class FaceRequests {
  private readonly face: MirroredQueue;
  /** With the number under which the leader was asked; 0: nobody was. */
  private readonly open = new Map<FaceRequest, number>();

  constructor(face: MirroredQueue) {
    this.face = face;
  }

  get isEmpty(): boolean {
    return this.open.size === 0;
  }

  add(request: Request): void {
    const own: FaceRequest = {
      ...request,
      ownDeadlineMs: request.deadlineMs,
      deadlineMs: Number.POSITIVE_INFINITY,
      answered: (value) => {
        this.open.delete(own);
        request.answered(value);
      },
      failed: (error) => {
        this.open.delete(own);
        request.failed(error);
      },
    };
    this.open.set(own, 0);
    const { line } = this.face;
    if (line !== null) this.ask(own, line.home);
  }

  private ask(request: FaceRequest, home: RemoteHome): void {
    const id = home.requests.add(request);
    this.open.set(request, id);
    if (!home.isLinked) return;
    // What was said before takes effect before.
    this.face.line!.flushSettlements();
    request.write(home.out, id);
  }

  moveTo(home: RemoteHome): void {
    for (const request of this.open.keys()) this.ask(request, home);
  }

  /** The leader that was asked is none any more. */
  takeBack(home: RemoteHome): void {
    for (const [request, id] of this.open) {
      if (id > 0) home.requests.take(id);
      this.open.set(request, 0);
    }
  }

  /** Fails those that were asked, or lost their leader, so long ago: both by the monotonic clock, in milliseconds. */
  fail(isDue: (deadlineMs: number) => boolean): void {
    const home = this.face.line?.home;
    for (const [request, id] of [...this.open]) {
      if (!isDue(request.ownDeadlineMs)) continue;
      if (id > 0) home?.requests.take(id);
      request.failed(this.face.unreachable());
    }
  }
}
