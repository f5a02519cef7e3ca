import type { DataId } from './record.js';

/** A member that has followed a leader asks for the lead so much later at the earliest, while that leader may live and serve. Milliseconds. */
export const promiseMs = 1000;
/** A leader counts on it for so long from when it spoke to the member, less than the member keeps it. Milliseconds. */
const countedMs = 700;

/**
 * Who follows a leader still. Each answer says when it was sent, and the next pull says which it has had: by then nobody else led with that
 * member's knowledge, nor will it want to lead itself for `promiseMs` from then on. As every member of the set may be the next leader, all of
 * them have to have said so. A set of one can be succeeded by nobody.
 */
export class Allegiance {
  /** When what they have had last was sent. Milliseconds, queue time. */
  private readonly heard = new Map<DataId, number>();

  says(member: DataId, sentMs: number): void {
    this.heard.set(member, sentMs);
  }

  /** Nobody else leads at this time. `others`: of the set. */
  holds(others: Iterable<DataId>, nowMs: number): boolean {
    for (const id of others) if (nowMs - (this.heard.get(id) ?? 0) >= countedMs) return false;
    return true;
  }
}
