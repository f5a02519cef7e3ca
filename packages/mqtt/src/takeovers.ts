import type { Actor } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import { Claims } from './claims.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { MqttDoor } from './door.js';
import type { Session } from './session.js';
import { partsOfName, sessionName } from './session-keys.js';
import type { SessionWish } from './sessions.js';
import type { Hold, SharedDirectory, Taken } from './shared-directory.js';

/** Sessions of nodes that are gone are taken in portions of so many a second. */
const adoptedPerTick = 100;
/** A client waits so long for its session, whatever has to be done for it. Milliseconds. */
const openMsMax = 10_000;
/** Before another try to say whose a session is. Milliseconds. */
const againMs = 1000;

/** How sessions come to this node from others, and leave it. */
export class Takeovers {
  readonly directory: SharedDirectory;
  readonly claims = new Claims((session) => this.claim(session));
  private readonly door: MqttDoor;

  constructor(door: MqttDoor, directory: SharedDirectory) {
    this.door = door;
    this.directory = directory;
    directory.onLost = (name) => this.lost(name);
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
      const wasReleased = await directory.release(taken);
      // Meanwhile it may have gone on, and nobody here was there to be told.
      if (taken.hold.isOver) throw takenOver();
      const session = this.revive(taken, wasReleased);
      if (session === null) return null;
      const isOver = session.expirySeconds === 0;
      if (!cleanStart && !isOver) return session;
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
    const wasReleased = await directory.release(taken);
    if (taken.record !== null) await this.endBehind(taken, wasReleased);
    if (session.isEnded) await directory.forgetOwner(taken.hold);
    else if (session.will !== null) directory.put(session);
  }

  /** A session that nobody here takes up is over. */
  private async endBehind({ hold, record }: Taken, wasReleased: boolean): Promise<void> {
    const { directory, door } = this;
    const session = door.sessionOf(record!);
    if (session !== null) {
      this.leaveWill(session, record!.disconnectedAtMs === 0, wasReleased);
      session.will?.publish(door.retained);
    }
    if (!(await directory.forgetRecord(hold))) return;
    await this.removeQueue(hold);
    await directory.forgetRest(hold);
  }

  /** Puts the session into its place here; null: there is none. */
  private revive({ record, hold }: Taken, wasReleased: boolean): Session | null {
    const { door } = this;
    const session = record === null ? null : door.sessionOf(record);
    if (session === null) return null;
    session.rank = hold.count;
    door.sessions.place(session);
    door.join(session);
    const wasConnected = record!.disconnectedAtMs === 0;
    if (wasConnected) session.disconnectedAtMs = door.broker.turn.nowMs;
    this.leaveWill(session, wasConnected, wasReleased);
    return session;
  }

  /** Whoever let go of it has published what was due. */
  private leaveWill(session: Session, wasConnected: boolean, wasReleased: boolean): void {
    if (!wasConnected || session.will === null) return;
    if (!wasReleased) this.door.sessions.leaveWill(session);
    else if (!session.isWillDelayed) session.will = null;
  }

  // ---- of nodes that are gone --------------------------------------------------------------------------------------

  /** Once a second. */
  tick(): void {
    for (const name of this.directory.orphans(adoptedPerTick)) this.adopt(name);
  }

  /** Nobody sees to that session: this node does, until the client comes somewhere. */
  private adopt(name: string): void {
    const { sessions, log } = this.door;
    const adopted = sessions.inTurn(name, async () => {
      if (!sessions.has(name)) await this.adoptNow(name);
    });
    adopted.catch((error: unknown) => log.debug({ error, name }, 'a session of a node that is gone was not taken yet'));
  }

  private async adoptNow(name: string): Promise<void> {
    const { directory, door } = this;
    const { sessions } = door;
    const taken = await directory.take(name, null);
    if (taken.hold.isOver) return;
    const session = this.revive(taken, false);
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
  private async lost(name: string): Promise<void> {
    const session = this.door.sessions.letGo(name);
    if (session === null || session.isTransient) return;
    const { queue } = session;
    // What it gave back is before whoever comes next; a question could overtake it.
    const said = queue?.settledForGood?.() ?? queue?.counts();
    if (said instanceof Promise) await said.catch(() => undefined);
  }

  /** The session is over, here and everywhere. */
  async end(session: Session): Promise<void> {
    const { directory } = this;
    const hold = directory.holdOf(sessionName(session.vhost.name, session.clientId));
    if (hold === null) return;
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

/** The client, or whoever says so, has come to another node. */
export function takenOver(): MqttError {
  return new MqttError(REASON.sessionTakenOver, 'another connection came with this client identifier');
}
