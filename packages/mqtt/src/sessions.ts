import { type Actor, Deadline, removeQueue, type SharedQueue, type VirtualHost } from '@chapar/core';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { Connection } from './connection.js';
import { LocalDirectory } from './directory.js';
import type { MqttDoor } from './door.js';
import { queueNameOf, Session } from './session.js';
import { bindDirect, unbindDirect } from './subscription-bindings.js';
import { takenOver } from './takeovers.js';
import type { Will } from './will.js';

/** What a client asks of its session. */
export interface SessionWish {
  readonly clientId: string;
  readonly cleanStart: boolean;
  /** Infinity: for ever. */
  readonly expirySeconds: number;
  readonly will: Will | null;
}

/** The sessions of this node by virtual host and client identifier: who has one, who takes it over, when it ends (§4.1). */
export class Sessions {
  private readonly door: MqttDoor;
  private readonly byKey = new Map<string, Session>();
  /** Sessions that ended because their time was over. */
  expiredCount = 0;
  /** Sessions that ended and whose queues are being deleted. */
  private readonly ending = new Map<string, Promise<void>>();
  /** Openings of one client come one after the other, however fast it reconnects. */
  private readonly opening = new Map<string, Promise<unknown>>();

  constructor(door: MqttDoor) {
    this.door = door;
  }

  get count(): number {
    return this.byKey.size;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.byKey.values();
  }

  find(vhost: VirtualHost, clientId: string): Session | undefined {
    return this.byKey.get(keyOf(vhost, clientId));
  }

  /** The client's session, taken up again or new. Throws MqttError when it is somebody else's. */
  async open(
    connection: Connection,
    actor: Actor,
    wish: SessionWish,
  ): Promise<{ session: Session; isPresent: boolean }> {
    const opened = this.inTurn(keyOf(actor.vhost, wish.clientId), () => this.openNow(connection, actor, wish));
    const { takeovers } = this.door;
    if (takeovers === null) return opened;
    return takeovers.inTime(opened, ({ session }) => this.abandoned(session, connection));
  }

  /** What is done with a client's session, one after the other. */
  async inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.opening.get(key);
    const done = before === undefined ? work() : before.then(work);
    const over = done.then(ignore, ignore);
    this.opening.set(key, over);
    try {
      return await done;
    } finally {
      if (this.opening.get(key) === over) this.opening.delete(key);
    }
  }

  private async openNow(
    connection: Connection,
    actor: Actor,
    wish: SessionWish,
  ): Promise<{ session: Session; isPresent: boolean }> {
    const { vhost, principal } = actor;
    const { clientId, cleanStart } = wish;
    if (connection.isOver) throw new MqttError(REASON.unspecified, 'the client has gone');
    const found = this.find(vhost, clientId);
    if (found !== undefined && found.user !== principal.user)
      throw new MqttError(REASON.notAuthorized, 'the client identifier belongs to another user');
    found?.connection?.takenOver();
    // A session that goes with its connection went just now.
    const kept = this.find(vhost, clientId);
    if (kept !== undefined && !cleanStart) return this.goOn(kept, connection, wish);
    if (kept !== undefined) await this.end(kept);
    await this.ending.get(keyOf(vhost, clientId));
    const { takeovers } = this.door;
    const taken = takeovers === null ? null : await takeovers.takeUp(actor, wish);
    if (taken !== null) return this.goOn(taken, connection, wish);
    const session = await this.make(connection, actor, wish);
    return { session, isPresent: false };
  }

  private async goOn(session: Session, connection: Connection, { expirySeconds, will }: SessionWish) {
    // In this moment it went on to yet another node.
    if (session.isEnded) throw takenOver();
    session.connection = connection;
    session.expirySeconds = expirySeconds;
    session.expiry?.set(Number.POSITIVE_INFINITY);
    // [MQTT-3.1.3-9]
    this.takeBackWill(session);
    session.will = will;
    session.disconnectedAtMs = 0;
    bindDirect(this.door, session);
    // What other nodes know of is sent whatever becomes of this one.
    if (will !== null && this.door.takeovers !== null) await this.door.directory.keep(session);
    return { session, isPresent: true };
  }

  private async make(connection: Connection, actor: Actor, wish: SessionWish): Promise<Session> {
    const { clientId, expirySeconds, will } = wish;
    const { vhost, principal } = actor;
    const isTransient = expirySeconds === 0;
    const session = this.create({ vhost, clientId, user: principal.user, isTransient });
    this.place(session);
    session.connection = connection;
    session.expirySeconds = expirySeconds;
    const { takeovers, directory } = this.door;
    if (takeovers !== null && !isTransient) {
      const hold = takeovers.directory.holdOf(keyOf(vhost, clientId));
      if (hold === null) {
        this.letGo(keyOf(vhost, clientId));
        throw takenOver();
      }
      session.ownerOrdinal = hold.position;
    }
    session.will = will;
    // In a cluster it is not known yet that no other node has a session of that name.
    if (isTransient && takeovers !== null) {
      if (this.door.settings.cleanSessions === 'cluster') void takeovers.claim(session);
    } else await this.removeLeftQueue(vhost, clientId);
    if (!isTransient) await directory.keep(session);
    return session;
  }

  /** A queue of that name that no session has: of a session that ended while its node was down. */
  async removeLeftQueue(vhost: VirtualHost | undefined, clientId: string): Promise<void> {
    const left = vhost?.queues.get(queueNameOf(clientId));
    if (left !== undefined && left.properties.owner === null) await this.removeQueue(left);
  }

  place(session: Session): void {
    this.byKey.set(keyOf(session.vhost, session.clientId), session);
  }

  has(name: string): boolean {
    return this.byKey.has(name);
  }

  /** As it is found on disk, or made anew. */
  create(terms: { vhost: VirtualHost; clientId: string; user: string; isTransient: boolean }): Session {
    const { door } = this;
    const log = terms.isTransient ? null : door.directory.logOf(terms.vhost.name, terms.clientId);
    const { residence } = door.broker.topology;
    const tag = residence === null ? '' : `.${residence.tag}`;
    return new Session({ ...terms, tag, queueArguments: door.queueArguments }, door.broker.turn, log);
  }

  /** CONNACK is on its way. */
  connected(session: Session): void {
    session.disconnectedAtMs = 0;
    this.door.directory.put(session);
    this.door.shared.resume(session);
  }

  /** The connection went between the decision and CONNACK. */
  abandoned(session: Session, connection: Connection): void {
    // Who was not let in has left no will.
    if (session.connection === connection) this.takeBackWill(session);
    this.disconnected(session, connection);
  }

  /** The session's connection went, with its will unless that was taken back. */
  disconnected(session: Session, connection: Connection): void {
    if (session.connection !== connection) return;
    session.connection = null;
    unbindDirect(this.door, session);
    session.detach();
    if (session.isEnded) return;
    session.disconnectedAtMs = this.door.broker.turn.nowMs;
    this.leaveWill(session);
    if (session.expirySeconds === 0) {
      void this.end(session);
      return;
    }
    this.door.directory.put(session);
    this.expectEnd(session);
  }

  /** The client wants it to be sent no more. */
  takeBackWill(session: Session): void {
    const { will } = session;
    session.will = null;
    if (will !== null) this.door.takeovers?.wills.takenBack(session, will);
  }

  /** [MQTT-3.1.3-9]: at once, or when its delay or the session is over, whichever is earlier. */
  leaveWill(session: Session): void {
    if (!session.isWillDelayed) this.sendWill(session);
  }

  /** It is due. */
  sendWill(session: Session): void {
    const { will } = session;
    if (will === null) return;
    session.will = null;
    const { takeovers } = this.door;
    if (takeovers === null) will.publish(this.door.retained);
    else takeovers.wills.leave(session, will);
  }

  /** When the will is due, then when the session ends. */
  expectEnd(session: Session): void {
    const { turn } = this.door.broker;
    const endsAtMs = session.disconnectedAtMs + session.expirySeconds * 1000;
    session.expiry ??= new Deadline(turn.deadlines, () => this.due(session));
    session.expiry.set(Math.min(endsAtMs, session.willDueAtMs));
  }

  private due(session: Session): void {
    if (session.connection !== null || session.isEnded) return;
    const endsAtMs = session.disconnectedAtMs + session.expirySeconds * 1000;
    if (this.door.broker.turn.nowMs >= endsAtMs) {
      this.expiredCount++;
      void this.end(session);
      return;
    }
    this.sendWill(session);
    this.door.directory.put(session);
    this.expectEnd(session);
  }

  /** The session is over: its queue, its state, its will. */
  async end(session: Session): Promise<void> {
    if (session.isEnded) return;
    session.isEnded = true;
    this.byKey.delete(keyOf(session.vhost, session.clientId));
    session.expiry?.set(Number.POSITIVE_INFINITY);
    this.sendWill(session);
    this.door.shared.leaveAll(session);
    const ending = this.forget(session);
    if (ending === null) return;
    const key = keyOf(session.vhost, session.clientId);
    // Whoever comes with this name meanwhile must not be given a queue that is about to go.
    this.ending.set(key, ending);
    await ending;
    if (this.ending.get(key) === ending) this.ending.delete(key);
  }

  /** Null: nobody need wait for it. */
  private forget(session: Session): Promise<void> | null {
    const { takeovers, directory } = this.door;
    if (takeovers !== null) {
      const ended = takeovers.end(session);
      return session.isTransient ? null : ended;
    }
    if (session.isTransient) return null;
    if (directory instanceof LocalDirectory) directory.delete(session);
    const { queue } = session;
    return queue === null ? null : this.removeQueue(queue);
  }

  /** The session goes on at another node, which knows of these wills; null: there was none. */
  letGo(name: string, wills: ReadonlySet<string> = noWills): Session | null {
    const session = this.byKey.get(name);
    if (session === undefined) return null;
    session.isEnded = true;
    this.byKey.delete(name);
    session.expiry?.set(Number.POSITIVE_INFINITY);
    const { connection, will, isWillDelayed } = session;
    session.will = null;
    if (will !== null && session.isOpen && !isWillDelayed && !wills.has(will.id)) will.publish(this.door.retained);
    if (session.isTransient) this.door.shared.leaveAll(session);
    else this.door.shared.handOver(session);
    connection?.takenOver();
    return session;
  }

  private async removeQueue(queue: SharedQueue): Promise<void> {
    const { broker, log } = this.door;
    const vhost = broker.topology.vhosts.get(queue.properties.vhost);
    if (vhost === undefined) return;
    try {
      await removeQueue(broker.topology, vhost, queue, { ifUnused: false, ifEmpty: false });
    } catch (error) {
      log.error({ err: error, queue: queue.name }, "a session's queue could not be deleted");
    }
  }

  /** The virtual host is gone, and all in it. */
  forgetVirtualHost(vhost: VirtualHost): void {
    for (const session of [...this.byKey.values()]) if (session.vhost === vhost) void this.end(session);
  }
}

function keyOf(vhost: VirtualHost, clientId: string): string {
  return `${vhost.name}\0${clientId}`;
}

const noWills: ReadonlySet<string> = new Set();
const ignore = (): void => undefined;
