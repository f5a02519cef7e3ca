import type { ConfirmSlot, Provenance, QueueHandle, Refusal, SharedQueue } from '@chapar/core';
import type { MqttDoor } from './door.js';
import type { Session } from './session.js';
import { partsOfName, sessionKeyOf, sessionName, willKey } from './session-keys.js';
import type { Hold, SharedDirectory } from './shared-directory.js';
import { restoredWill, type Will } from './will.js';

/** How long it is known at least that a client took its will back. Ticks. */
const takenBackTicks = 10;

/**
 * Wills that are due, in a cluster. A will that is due is an entry of its own in the log of sessions, put by whoever has the session, before
 * the session's record is without it; then it is published under the entry's position, and then the entry ends. So it is not lost with a node,
 * and whoever publishes it again does so as the same message. Whoever has lost the session cannot put it: who has it now sees to it.
 */
export class DueWills {
  private readonly door: MqttDoor;
  private readonly directory: SharedDirectory;
  /** On their way into the log. */
  private readonly leaving = new Map<Session, Promise<void>>();
  private readonly publishings = new Map<string, Publishing>();
  private ticks = 0;
  private takenBackNow = new Set<string>();
  private takenBackBefore = new Set<string>();

  constructor(door: MqttDoor, directory: SharedDirectory) {
    this.door = door;
    this.directory = directory;
    directory.isWillTakenBack = (key) => this.takenBackNow.has(key) || this.takenBackBefore.has(key);
  }

  // ---- of sessions -------------------------------------------------------------------------------------------------

  /** It is due. Nobody but this node knows of a session that the log does not have. */
  leave(session: Session, will: Will): void {
    const hold = this.directory.holdOf(sessionName(session.vhost.name, session.clientId));
    if (hold === null) {
      will.publish(this.door.retained);
      return;
    }
    (session.leavingWills ??= []).push(will);
    const before = this.leaving.get(session);
    const now = this.leaveNow(hold, session, will);
    const left = before === undefined ? now : Promise.all([before, now]).then(() => undefined);
    this.leaving.set(session, left);
    void left.finally(() => {
      if (this.leaving.get(session) === left) this.leaving.delete(session);
    });
  }

  private async leaveNow(hold: Hold, session: Session, will: Will): Promise<void> {
    const { directory } = this;
    const key = directory.willKeyOf(hold, will);
    if (!directory.isDue(key)) await directory.putDue(hold, key, will);
    const others = session.leavingWills?.filter((each) => each !== will) ?? [];
    session.leavingWills = others.length === 0 ? null : others;
    if (directory.isDue(key)) {
      if (!hold.isOver && !session.isEnded) directory.put(session);
      this.see(key);
    } else if (hold.isOver && !hold.wills.has(will.id)) will.publish(this.door.retained);
  }

  /** The log has it as due: it is published, or about to be. */
  isDue(session: Session, { id }: Will): boolean {
    return this.directory.isDue(willKey(sessionName(session.vhost.name, session.clientId), id));
  }

  /** Its wills that were due are in the log, or another process has the session. */
  left(session: Session): Promise<void> {
    return this.leaving.get(session) ?? Promise.resolve();
  }

  /** The client has taken it back, and the log does not have that yet. */
  takenBack(session: Session, { id }: Will): void {
    if (id !== '') this.takenBackNow.add(willKey(sessionName(session.vhost.name, session.clientId), id));
  }

  // ---- publishing --------------------------------------------------------------------------------------------------

  /** Once a second: what could not be done, and what processes that are gone have left. */
  tick(): void {
    if (++this.ticks % takenBackTicks === 0) {
      this.takenBackBefore = this.takenBackNow;
      this.takenBackNow = new Set();
    }
    for (const key of this.directory.dueWills()) this.see(key);
    for (const key of this.publishings.keys()) if (!this.directory.isDue(key)) this.publishings.delete(key);
  }

  private see(key: string): void {
    const { directory } = this;
    let publishing = this.publishings.get(key);
    if (publishing === undefined) {
      if (!directory.seesToWill(key)) return;
      this.publishings.set(key, (publishing = new Publishing(() => this.published(key))));
    }
    if (publishing.isDone) this.published(key);
    else if (!publishing.isUnderWay) this.publish(key, publishing);
  }

  private publish(key: string, publishing: Publishing): void {
    const { directory, door } = this;
    const { name } = sessionKeyOf(key);
    const vhost = door.broker.topology.vhosts.get(partsOfName(name)[0]);
    const will = vhost === undefined ? null : restoredWill(door, vhost, directory.dueWill(key));
    if (will === null) {
      this.published(key);
      return;
    }
    publishing.begin(door, will, directory.provenanceOf(key));
  }

  /** The entry ends when no record has the will any more, or whoever has the session would take it for one that is not due yet. */
  private published(key: string): void {
    this.directory.endDue(key);
  }
}

/** One will on its way to all who shall have it. */
class Publishing {
  isDone = false;
  /** Without an answer. */
  private waiting = 0;
  /** They have it, or will never. */
  private readonly answered = new Set<QueueHandle | null>();
  private readonly done: () => void;

  constructor(done: () => void) {
    this.done = done;
  }

  get isUnderWay(): boolean {
    return this.waiting > 0;
  }

  /** To those that have not answered; what was refused is tried again with the next tick. */
  begin(door: MqttDoor, will: Will, from: Provenance): void {
    const message = will.message();
    const { vhost: name, address } = will;
    const route = door.broker.topology.vhosts.get(name)!.route(address, message);
    const waits = route.mayRefuse || (route.logs && message.persistent);
    // Until all were asked.
    this.waiting++;
    if (will.wish.retain && !this.answered.has(null)) door.retained.set(name, address, message, this.slot(null), from);
    for (const queue of route.queues) {
      if (this.answered.has(queue)) continue;
      if (!waits) this.answered.add(queue);
      queue.enqueue(message, waits ? this.slot(queue) : null, from);
    }
    this.answer(true);
  }

  private slot(queue: QueueHandle | null): ConfirmSlot {
    this.waiting++;
    const committed = (): void => {
      this.answered.add(queue);
      this.answer(true);
    };
    const refused = (why: Refusal): void => {
      if (mayTakeItLater(queue, why)) this.answer(false);
      else committed();
    };
    return { committed, refused };
  }

  private hasRefused = false;

  private answer(isTaken: boolean): void {
    if (!isTaken) this.hasRefused = true;
    if (--this.waiting > 0) return;
    this.isDone = !this.hasRefused;
    this.hasRefused = false;
    if (this.isDone) this.done();
  }
}

/** Only of what is mirrored is it known again; elsewhere a refusal is as final as for any publisher. Null: the log of retained messages. */
function mayTakeItLater(queue: QueueHandle | null, why: Refusal): boolean {
  return queue === null || (why !== 'queue-full' && (queue as SharedQueue).settledForGood !== undefined);
}
