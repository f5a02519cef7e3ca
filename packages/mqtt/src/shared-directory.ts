import type { Broker, JsonValue, KeyedCondition, Position, Provenance, Residence, SharedKeyedLog } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import { recordOf, type SessionDirectory, type SessionRecord } from './directory.js';
import { Outstanding } from './outstanding.js';
import type { Session, SessionLog } from './session.js';
import { idKey, sessionKey, sessionName } from './session-keys.js';
import { type Owner, SessionTable, type Standing } from './session-table.js';
import { SessionWrites } from './session-writes.js';
import type { WriteSink } from './write-sink.js';

const logName = 'mqtt-sessions';
/** A client waits so long for its session. Milliseconds. */
const takeMsMax = 5000;
/** Whoever had the session has so long to let go of it. Milliseconds. */
const releaseMsMax = 1000;
/** Between two tries. Milliseconds. */
const againMs = 50;
/** What the node asks of whoever had a session. */
const releaseQuestion = 'mqtt.release';

/** A session that this process has. */
export interface Hold {
  readonly name: string;
  /** Where the log says so; what is written for the session is on the condition that it still does. */
  readonly position: Position;
  readonly count: number;
  readonly writes: SessionWrites;
  /** Somebody else has it, or nobody. */
  isOver: boolean;
}

/** A session that this process has from now on. */
export interface Taken {
  readonly hold: Hold;
  /** Another process had it; null: nobody did. */
  readonly before: Owner | null;
  /** Null: there was nothing but an owner. */
  readonly record: SessionRecord | null;
}

/**
 * The sessions of all nodes, in a keyed log: the records that a node alone has as well, and for each session who has it. That one is
 * decided by the log: of those who take it from the same owner one is first, and what the owner before writes from then on has no effect.
 */
export class SharedDirectory implements SessionDirectory {
  /** This process has the session no more, and somebody else does. Resolves when all that it has said of it is with the queues. */
  onLost: ((name: string) => Promise<void>) | null = null;
  /** This process has the session, and whoever wanted it does not wait for it any more. */
  onStray: ((name: string) => void) | null = null;
  private readonly broker: Broker;
  private readonly residence: Residence;
  private readonly table = new SessionTable();
  private readonly holds = new Map<string, Hold>();
  /** Sessions that go, until what was said of them has come to their queues. */
  private readonly leaving = new Map<string, Promise<void>>();
  /** Being taken, so that nobody takes it for one that nobody sees to. */
  private readonly taking = new Map<string, number>();
  private readonly outstanding = new Outstanding();
  private log!: SharedKeyedLog;

  private constructor(broker: Broker, residence: Residence) {
    this.broker = broker;
    this.residence = residence;
    this.table.onOwner = (name, owner) => this.owned(name, owner);
  }

  static async open(broker: Broker, residence: Residence): Promise<SharedDirectory> {
    const directory = new SharedDirectory(broker, residence);
    const { table } = directory;
    directory.log = await broker.sharedKeyedLog(logName, table);
    directory.outstanding.begin(table, (key) => directory.log.originOf(key)!);
    table.onId = (key, before, position) => directory.outstanding.changed(key, before, position);
    residence.answer(releaseQuestion, (body) => directory.asked(body as ReleaseQuestion));
    return directory;
  }

  /** Of all nodes, connected or kept. */
  get count(): number {
    return this.table.count;
  }

  // ---- who has a session -------------------------------------------------------------------------------------------

  /** Whether there is more of it than an owner, as far as this node knows. */
  isKept(name: string): boolean {
    return this.table.recordOf(name) !== null;
  }

  /** Throws MqttError when it is somebody else's. */
  assertUser(name: string, user: string): void {
    const known = this.table.ownerOf(name)?.value.user ?? this.parsed(name)?.user ?? user;
    if (known !== user) throw new MqttError(REASON.notAuthorized, 'the client identifier belongs to another user');
  }

  /** This process has the session from now on, and it is whole. `user`: null where nobody asks for it. Throws MqttError. */
  async take(name: string, user: string | null): Promise<Taken> {
    const { clock } = this.broker.platform;
    this.taking.set(name, (this.taking.get(name) ?? 0) + 1);
    const taken = this.tryToTake(name, user, clock.monotonicMs() + takeMsMax);
    void taken.catch(ignore).finally(() => this.noMoreTaking(name));
    let timer: Timer | null = null;
    const late = new Promise<null>((resolve) => {
      timer = clock.after(takeMsMax, () => resolve(null));
    });
    const found = await Promise.race([taken, late]).finally(() => timer?.cancel());
    if (found !== null) return found;
    taken.then(() => this.onStray?.(name), ignore);
    throw new MqttError(REASON.serverUnavailable, 'the log of sessions does not answer');
  }

  private noMoreTaking(name: string): void {
    const count = this.taking.get(name)! - 1;
    if (count === 0) this.taking.delete(name);
    else this.taking.set(name, count);
  }

  private async tryToTake(name: string, user: string | null, untilMs: number): Promise<Taken> {
    const { clock } = this.broker.platform;
    const { here: node, process } = this.residence;
    const key = sessionKey('w', name);
    for (;;) {
      if (user !== null) this.assertUser(name, user);
      const found = this.table.ownerOf(name);
      const known = user ?? found?.value.user ?? this.parsed(name)?.user ?? '';
      const owner: Owner = { node, process, count: (found?.value.count ?? 0) + 1, user: known };
      const onlyIf: KeyedCondition = { of: 'key', at: found?.position ?? 0 };
      const isAnswered = await this.log.change(key, Buffer.from(JSON.stringify(owner)), onlyIf);
      const now = this.table.ownerOf(name);
      if (now?.value.process === process && now.value.count === owner.count) {
        const hold = this.hold(name, now);
        return { hold, before: found?.value ?? null, record: this.parsed(name) };
      }
      if (clock.monotonicMs() >= untilMs)
        throw new MqttError(REASON.serverUnavailable, 'the log of sessions takes nothing');
      if (!isAnswered) await new Promise<void>((done) => clock.after(againMs, done));
    }
  }

  private hold(name: string, { position, value: { count } }: Standing<Owner>): Hold {
    const onlyIf: KeyedCondition = { of: 'guard', at: position };
    const writes = new SessionWrites(this.log, this.table, onlyIf, this.broker.platform.clock);
    const hold: Hold = { name, position, count, writes, isOver: false };
    const before = this.holds.get(name);
    if (before !== undefined) this.letGo(before);
    this.holds.set(name, hold);
    return hold;
  }

  private letGo(hold: Hold): void {
    hold.isOver = true;
    hold.writes.isOver = true;
    if (this.holds.get(hold.name) === hold) this.holds.delete(hold.name);
  }

  /** The log says who has it. */
  private owned(name: string, owner: Standing<Owner> | null): void {
    const hold = this.holds.get(name);
    // What is not there may only be out of this node's sight.
    if (hold === undefined || owner === null || owner.position <= hold.position) return;
    this.letGo(hold);
    if (owner.value.process === this.residence.process) return;
    this.lose(name);
  }

  private lose(name: string): void {
    // Not within the work of the log.
    const leaving = Promise.resolve()
      .then(() => this.onLost?.(name))
      .finally(() => {
        if (this.leaving.get(name) === leaving) this.leaving.delete(name);
      });
    this.leaving.set(name, leaving);
  }

  /** Another process has taken the session, and wants it to be let go. */
  private async asked({ name, count }: ReleaseQuestion): Promise<JsonValue> {
    const hold = this.holds.get(name);
    if (hold !== undefined && hold.count < count) {
      this.letGo(hold);
      this.lose(name);
    }
    // The log may have said so before.
    await this.leaving.get(name);
    return null;
  }

  /** Whoever had it lets go: a client hears of it, and what it has not acknowledged is in its queue again. False: nobody says so. */
  release({ hold, before }: Taken): Promise<boolean> {
    if (before === null || !this.isElsewhere(before)) return Promise.resolve(false);
    const { name, count } = hold;
    return new Promise((resolve) => {
      const timer = this.broker.platform.clock.after(releaseMsMax, () => resolve(false));
      this.residence
        .ask(before.node, releaseQuestion, { name, count })
        .then(
          () => resolve(true),
          () => resolve(false),
        )
        .finally(() => timer.cancel());
    });
  }

  /** It is the session of another process which is there. */
  isElsewhere({ process }: Owner): boolean {
    return process !== this.residence.process && this.residence.isProcessThere(process);
  }

  // ---- sessions that nobody sees to ----------------------------------------------------------------------------------

  /** This node does for all what has to be done once with that session. */
  seesTo(name: string): boolean {
    return this.log.isOurs(sessionKey('w', name));
  }

  /** Of processes that are gone, as far as they are this node's to see to: at most so many. */
  orphans(max: number): string[] {
    const { residence, table } = this;
    const found: string[] = [];
    const gone = new Set([...table.owners].filter((process) => !residence.isProcessThere(process)));
    if (gone.size === 0 && table.unownedCount === 0) return found;
    for (const name of table.names) {
      const owner = table.ownerOf(name);
      if ((owner !== null && !gone.has(owner.value.process)) || this.taking.has(name)) continue;
      if (this.seesTo(name)) found.push(name);
      if (found.length === max) break;
    }
    return found;
  }

  /** Whether a session that nobody sees to now has this shared subscription. */
  hasOrphanWith(vhost: string, isIt: (filter: string) => boolean): boolean {
    const there = new Set([...this.table.owners].filter((process) => this.residence.isProcessThere(process)));
    for (const name of this.table.names) {
      const owner = this.table.ownerOf(name);
      if (owner !== null && there.has(owner.value.process)) continue;
      const record = this.parsed(name);
      if (record?.vhost !== vhost) continue;
      if (record.subscriptions.some(({ group, filter }) => group !== null && isIt(filter))) return true;
    }
    return false;
  }

  private parsed(name: string): SessionRecord | null {
    const { table } = this;
    const record = table.recordOf(name);
    if (record === null) return null;
    const received: number[] = [];
    const unsure: number[] = [];
    for (const [id, value] of table.idsOf(name, 'i')) (value.equals(beforeMessage) ? unsure : received).push(id);
    const released = [...table.idsOf(name, 'o')].map(([id, value]) => [id, Number(value.toString())] as const);
    return { ...(JSON.parse(record.toString()) as SessionRecord), received, unsure, released };
  }

  // ---- what is kept --------------------------------------------------------------------------------------------------

  put(session: Session): void {
    if (!this.mustWrite(session)) return;
    const hold = this.holdOf(sessionName(session.vhost.name, session.clientId));
    hold?.writes.write(sessionKey('s', hold.name), encoded(session), null);
  }

  /** A session that goes with its connection has a record for its will alone. */
  private mustWrite(session: Session): boolean {
    return !session.isTransient || session.will !== null;
  }

  /** As `put`; also when somebody else has the session. */
  keep(session: Session): Promise<void> {
    const hold = this.holdOf(sessionName(session.vhost.name, session.clientId));
    if (hold === null) return Promise.resolve();
    return this.mustWrite(session)
      ? hold.writes.written(sessionKey('s', hold.name), encoded(session))
      : Promise.resolve();
  }

  /** Null: this process does not have it. */
  holdOf(name: string): Hold | null {
    return this.holds.get(name) ?? null;
  }

  /** There is no session any more, unless somebody else has it: false. */
  async forgetRecord(hold: Hold): Promise<boolean> {
    if (!hold.isOver) await this.erase(hold, sessionKey('s', hold.name));
    return !hold.isOver;
  }

  /** What else there was of it. */
  async forgetRest(hold: Hold): Promise<void> {
    await Promise.all(this.table.keysOf(hold.name).map((key) => this.erase(hold, key)));
  }

  /** Nobody has it any more, and nothing is left of it. */
  async forgetOwner(hold: Hold): Promise<void> {
    const { name, position } = hold;
    await this.forgetRest(hold);
    while (!hold.isOver && this.table.ownerOf(name)?.position === position) {
      if (await this.log.change(sessionKey('w', name), null, { of: 'key', at: position })) break;
      await new Promise<void>((done) => this.broker.platform.clock.after(againMs, done));
    }
    this.letGo(hold);
  }

  /** Resolves also when somebody else has the session. */
  private erase(hold: Hold, key: string): Promise<void> {
    if (hold.isOver || this.table.valueAt(key) === null) return Promise.resolve();
    return hold.writes.written(key, null);
  }

  logOf(vhost: string, clientId: string): SessionLog {
    const name = sessionName(vhost, clientId);
    const write = (kind: 'i' | 'o', id: number, value: Buffer | null, sink: WriteSink | null, at = 0): void =>
      this.holds.get(name)?.writes.write(idKey(kind, name, id), value, sink, id, at);
    const provenanceOf = (id: number): Provenance => {
      const key = idKey('i', name, id);
      const origin = this.log.originOf(key)!;
      return { origin, sequence: this.table.positionOf(key), low: this.outstanding.lowOf(origin) };
    };
    return {
      isApart: true,
      received: (id, sink, at) => write('i', id, beforeMessage, sink, at),
      provenanceOf,
      forgotten: (id, sink) => write('i', id, null, sink),
      released: (id, position, sink) => write('o', id, Buffer.from(String(position)), sink, position),
      completed: (id) => write('o', id, null, null),
    };
  }
}

/** `count`: of the new owner. */
type ReleaseQuestion = { readonly name: string; readonly count: number };

function encoded(session: Session): Buffer {
  return Buffer.from(JSON.stringify(recordOf(session)));
}

/** Of an identifier that is written before its message is published. On a node that was alone they were written together. */
const beforeMessage = Buffer.from('0');
const ignore = (): void => undefined;
