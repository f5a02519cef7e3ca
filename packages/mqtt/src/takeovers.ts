import type { Actor } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import { Claims } from './claims.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { SessionRecord } from './directory.js';
import type { MqttDoor } from './door.js';
import { DueWills } from './due-wills.js';
import type { Session } from './session.js';
import { partsOfName, sessionName } from './session-keys.js';
import type { SessionWish } from './sessions.js';
import type { Hold, SharedDirectory, Taken } from './shared-directory.js';
import { restoredWill } from './will.js';

/** Of sessions of nodes that are gone so many are being taken at a time. */
const adoptedAtOnce = 256;
/** A client waits so long for its session, whatever has to be done for it. Milliseconds. */
const openMsMax = 10_000;
/** Before another try to say whose a session is. Milliseconds. */
const againMs = 1000;

/** How sessions come to this node from others, and leave it. */
export class Takeovers {
  readonly directory: SharedDirectory;
  readonly wills: DueWills;
  readonly claims = new Claims((session) => this.claim(session));
  private readonly door: MqttDoor;
  private adoptingCount = 0;

  constructor(door: MqttDoor, directory: SharedDirectory) {
    this.door = door;
    this.directory = directory;
    this.wills = new DueWills(door, directory);
    directory.onLost = (name, hold) => this.lost(name, hold);
    directory.onStray = (name) => this.adopt(name);
  }

  /** What a client waits for, but not for ever; `late`: what to do with it when nobody waits any more. Throws MqttError. */
  async inTime<T>(work: Promise<T>, late: (found: T) => void): Promise<T> {
    const { clock } = this.door.broker.platform;
    let timer: Timer | null = null;
    const over = new Promise<null>((resolve) => {
      timer = clock.after(openMsMax, () => resolve(null));
    });
    const found = await Promise.race([work.then((value) => ({ value })), over]).finally(() => timer?.cancel());
    if (found !== null) return found.value;
    work.then(late, () => undefined);
    throw new MqttError(REASON.serverUnavailable, 'the log of sessions takes too long');
  }

  // ---- to this node ------------------------------------------------------------------------------------------------

  /** The client's session from wherever it is, over there; null: it has none, or wants none of it. Throws MqttError. */
  async takeUp(
    { vhost, principal }: Actor,
    { clientId, cleanStart, expirySeconds }: SessionWish,
  ): Promise<Session | null> {
    const { directory, door } = this;
    const name = sessionName(vhost.name, clientId);
    // Who leaves nothing behind does not wait for the log, or for other nodes; see `claim`.
    if (expirySeconds === 0 && !directory.isKept(name)) {
      directory.assertUser(name, principal.user);
      return null;
    }
    for (;;) {
      const taken = await directory.take(name, principal.user);
      const takenBack = await directory.release(taken);
      // Meanwhile it may have gone on, and nobody here was there to be told.
      if (taken.hold.isOver) throw takenOver();
      const session = this.revive(taken, takenBack);
      if (session === null) {
        // Of one that was about to end, or came in part: identifiers that would be taken for the new one's.
        await directory.forgetRest(taken.hold);
        return null;
      }
      if (!cleanStart && !isOver(session, door.broker.turn.nowMs)) return session;
      await door.sessions.end(session);
      if (expirySeconds === 0) return null;
    }
  }

  /** A session that goes with its connection was made: it is told to the others, and takes the place of one that they have. */
  private async claim(session: Session): Promise<void> {
    const { directory, door } = this;
    const name = sessionName(session.vhost.name, session.clientId);
    try {
      const taken = await directory.take(name, session.user);
      await this.replace(session, taken);
    } catch (error) {
      if (error instanceof MqttError && error.reason === REASON.notAuthorized) {
        session.connection?.fail(error);
        return;
      }
      door.log.debug({ error, client: session.clientId }, 'whose a session is could not be said yet');
      // Behind others, whose shards may take something.
      door.broker.platform.clock.after(againMs, () => this.claims.add(session));
    }
  }

  private async replace(session: Session, taken: Taken): Promise<void> {
    const { directory } = this;
    const takenBack = await directory.release(taken);
    if (taken.record !== null) await this.endBehind(taken, takenBack);
    if (session.isEnded) await directory.forgetOwner(taken.hold);
    else if (session.will !== null) directory.put(session);
  }

  /** A session that nobody here takes up is over. */
  private async endBehind({ hold, record }: Taken, takenBack: readonly string[]): Promise<void> {
    const { directory, door } = this;
    const session = door.sessionOf(record!);
    if (session !== null) {
      session.isEnded = true;
      this.leaveWills(session, record!, takenBack);
      door.sessions.sendWill(session);
      await this.wills.left(session);
    }
    if (!(await directory.forgetRecord(hold))) return;
    await this.removeQueue(hold);
    await directory.forgetRest(hold);
  }

  /** Puts the session into its place here; null: there is none. */
  private revive({ record, hold }: Taken, takenBack: readonly string[]): Session | null {
    const { door } = this;
    const session = record === null ? null : door.sessionOf(record);
    if (session === null) return null;
    session.ownerOrdinal = hold.position;
    door.sessions.place(session);
    door.join(session);
    if (record!.disconnectedAtMs === 0) session.disconnectedAtMs = door.broker.turn.nowMs;
    this.leaveWills(session, record!, takenBack);
    return session;
  }

  /** Those that are due, unless they were due before or were taken back. Whoever had the session before publishes none that the log has. */
  private leaveWills(session: Session, { left }: SessionRecord, takenBack: readonly string[]): void {
    const { door, wills } = this;
    const { vhost } = session;
    for (const each of left ?? []) wills.leave(session, restoredWill(door, vhost, each)!);
    if (session.will === null) return;
    const isGone = takenBack.includes(session.will.id) || wills.isDue(session, session.will);
    if (isGone) session.will = null;
    else if (session.willDueAtMs <= door.broker.turn.nowMs) door.sessions.sendWill(session);
  }

  // ---- of nodes that are gone --------------------------------------------------------------------------------------

  /** Once a second. */
  tick(): void {
    this.wills.tick();
    this.directory.tick();
    this.adoptMore();
  }

  /** As many as there is room for. */
  private adoptMore(): void {
    for (const name of this.directory.nextOrphans(adoptedAtOnce - this.adoptingCount)) this.adopt(name);
  }

  /** Nobody sees to that session: this node does, until the client comes somewhere. */
  private adopt(name: string): void {
    const { sessions, log } = this.door;
    this.adoptingCount++;
    const adopted = sessions.inTurn(name, async () => {
      if (!sessions.has(name)) await this.adoptNow(name);
    });
    adopted.then(
      () => {
        this.adoptingCount--;
        if (this.adoptingCount === adoptedAtOnce / 2) this.adoptMore();
      },
      (error: unknown) => {
        // Not at once again: the log may have no leader.
        this.adoptingCount--;
        log.debug({ error, name }, 'a session of a node that is gone was not taken yet');
      },
    );
  }

  private async adoptNow(name: string): Promise<void> {
    const { directory, door } = this;
    const { sessions } = door;
    const taken = await directory.take(name, null);
    if (taken.hold.isOver) return;
    const session = this.revive(taken, []);
    if (session === null) {
      if (taken.record === null || (await directory.forgetRecord(taken.hold))) await this.removeQueue(taken.hold);
      await directory.forgetOwner(taken.hold);
      return;
    }
    if (session.expirySeconds === 0) await sessions.end(session);
    else {
      directory.put(session);
      sessions.expectEnd(session);
    }
  }

  // ---- from this node ----------------------------------------------------------------------------------------------

  /** Another node has the session. Resolves when all that was said of it here has come to its queue. */
  private async lost(name: string, { wills }: Hold): Promise<void> {
    const session = this.door.sessions.letGo(name, wills);
    if (session === null || session.isTransient) return;
    const { queue } = session;
    // What it gave back is before whoever comes next; a question could overtake it.
    const said = queue?.settledForGood?.() ?? queue?.counts();
    if (said instanceof Promise) await said.catch(() => undefined);
  }

  /** The session's queue has a consumer of a later owner: this node will read of it in the log as well. */
  fenced(session: Session): void {
    const name = sessionName(session.vhost.name, session.clientId);
    if (!this.directory.fenced(name, session.ownerOrdinal)) session.connection?.takenOver();
  }

  /** The session is over, here and everywhere. */
  async end(session: Session): Promise<void> {
    const { directory } = this;
    const hold = directory.holdOf(sessionName(session.vhost.name, session.clientId));
    if (hold === null) return;
    // Nobody would know of them any more.
    await this.wills.left(session);
    // From then on whoever comes finds no session, whatever becomes of the rest; before, it may be somebody else's.
    if (!(await directory.forgetRecord(hold))) return;
    if (!session.isTransient) await this.removeQueue(hold);
    await directory.forgetOwner(hold);
  }

  private async removeQueue({ name }: Hold): Promise<void> {
    const { broker, sessions } = this.door;
    const [vhost, clientId] = partsOfName(name);
    await sessions.removeLeftQueue(broker.topology.vhosts.get(vhost), clientId);
  }
}

/** It ended with its connection, or its time is over and nobody has seen to that yet. [MQTT-3.1.2-23] */
function isOver({ expirySeconds, disconnectedAtMs }: Session, nowMs: number): boolean {
  return nowMs >= disconnectedAtMs + expirySeconds * 1000;
}

/** The client, or whoever says so, has come to another node. */
export function takenOver(): MqttError {
  return new MqttError(REASON.sessionTakenOver, 'another connection came with this client identifier');
}
