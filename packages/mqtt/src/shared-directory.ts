import type { Broker, JsonValue, KeyedCondition, Position, Provenance, Residence, SharedKeyedLog } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import { BroughtSessions } from './brought-sessions.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import { recordOf, type SessionDirectory, type SessionRecord } from './directory.js';
import { Orphans } from './orphans.js';
import { Outstanding } from './outstanding.js';
import type { Session, SessionLog } from './session.js';
import { idKey, sessionKey, sessionKeyOf, sessionName, willKey } from './session-keys.js';
import { type Owner, SessionTable, type Standing } from './session-table.js';
import { SessionWrites } from './session-writes.js';
import { idOfWill, type Will } from './will.js';
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
  /**
   * Where the log says so; what is written for the session is on the condition that it still does. Higher than of all who had it before, also where the log has forgotten
   * them meanwhile.
   */
  readonly position: Position;
  readonly count: number;
  readonly writes: SessionWrites;
  /** Somebody else has it, or nobody. */
  isOver: boolean;
  /** When it is over: the wills that whoever has the session now knows of. */
  wills: ReadonlySet<string>;
}

/** A session that this process has from now on. */
export interface Taken {
  readonly hold: Hold;
  /** Another process had it; null: nobody did. */
  readonly before: Owner | null;
  /** Null: there was nothing but an owner. */
  readonly record: SessionRecord | null;
  /** Those of its wills that the log had. */
  readonly wills: readonly string[];
}

/**
 * The sessions of all nodes, in a keyed log: the records that a node alone has as well, and for each session who has it. That one is
 * decided by the log: of those who take it from the same owner one is first, and what the owner before writes from then on has no effect.
 */
export class SharedDirectory implements SessionDirectory {
  /** This process has the session no more, and somebody else does. Resolves when all that it has said of it is with the queues. */
  onLost: ((name: string, hold: Hold) => Promise<void>) | null = null;
  /** This process has the session, and whoever wanted it does not wait for it any more. */
  onStray: ((name: string) => void) | null = null;
  /** The client took that will back, which the log may not have yet. */
  isWillTakenBack: ((key: string) => boolean) | null = null;
  private readonly broker: Broker;
  private readonly residence: Residence;
  private readonly table = new SessionTable();
  private readonly holds = new Map<string, Hold>();
  /** Sessions that go, until what was said of them has come to their queues. */
  private readonly leaving = new Map<string, Promise<void>>();
  /** Being taken, so that nobody takes it for one that nobody sees to. */
  private readonly taking = new Map<string, number>();
  private readonly outstanding = new Outstanding();
  private readonly orphans: Orphans;
  private willCount = 0;
  private readonly brought: BroughtSessions;
  private log!: SharedKeyedLog;

  private constructor(broker: Broker, residence: Residence) {
    this.broker = broker;
    this.residence = residence;
    this.orphans = new Orphans(this.table, (process) => residence.isProcessThere(process));
    this.brought = new BroughtSessions(this.table, residence, broker);
    this.table.onOwner = (name, owner) => this.owned(name, owner);
  }

  static async open(broker: Broker, residence: Residence): Promise<SharedDirectory> {
    const directory = new SharedDirectory(broker, residence);
    const { table } = directory;
    table.arrival = directory.brought;
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
      if (user !== null) {
        this.assertUser(name, user);
        if (this.brought.mayBring(name)) {
          if (clock.monotonicMs() >= untilMs)
            throw new MqttError(REASON.serverUnavailable, 'sessions of a node that was alone are on their way');
          await new Promise<void>((done) => clock.after(againMs, done));
          continue;
        }
      }
      const found = this.table.ownerOf(name);
      // Its client, or another one that sees to it, was first.
      if (user === null && found !== null && this.isElsewhere(found.value)) throw takenMeanwhile();
      const known = user ?? found?.value.user ?? this.parsed(name)?.user ?? '';
      const owner: Owner = { node, process, count: (found?.value.count ?? 0) + 1, user: known };
      const onlyIf: KeyedCondition = { of: 'key', at: found?.position ?? 0 };
      const isAnswered = await this.log.change(key, Buffer.from(JSON.stringify(owner)), onlyIf);
      const now = this.table.ownerOf(name);
      if (now?.value.process === process && now.value.count === owner.count) {
        const hold = this.hold(name, now);
        return { hold, before: found?.value ?? null, record: this.parsed(name), wills: this.willsOf(name) };
      }
      if (clock.monotonicMs() >= untilMs)
        throw new MqttError(REASON.serverUnavailable, 'the log of sessions takes nothing');
      if (!isAnswered) await new Promise<void>((done) => clock.after(againMs, done));
    }
  }

  private hold(name: string, { position, value: { count } }: Standing<Owner>): Hold {
    const onlyIf: KeyedCondition = { of: 'guard', at: position };
    const writes = new SessionWrites(this.log, this.table, onlyIf, this.broker.platform.clock);
    const hold: Hold = { name, position, count, writes, isOver: false, wills: noWills };
    const before = this.holds.get(name);
    if (before !== undefined) this.letGo(before, this.willsOf(name));
    this.holds.set(name, hold);
    return hold;
  }

  /** `wills`: whoever has the session now knows of these. */
  private letGo(hold: Hold, wills: readonly string[]): void {
    hold.wills = new Set(wills);
    hold.isOver = true;
    hold.writes.isOver = true;
    if (this.holds.get(hold.name) === hold) this.holds.delete(hold.name);
  }

  /** The log says who has it. */
  private owned(name: string, owner: Standing<Owner> | null): void {
    const hold = this.holds.get(name);
    // What is not there may only be out of this node's sight.
    if (hold === undefined || owner === null || owner.position <= hold.position) return;
    this.letGo(hold, this.willsOf(name));
    if (owner.value.process === this.residence.process) return;
    this.lose(name, hold);
  }

  private lose(name: string, hold: Hold): void {
    // Not within the work of the log.
    const leaving = Promise.resolve()
      .then(() => this.onLost?.(name, hold))
      .finally(() => {
        if (this.leaving.get(name) === leaving) this.leaving.delete(name);
      });
    this.leaving.set(name, leaving);
  }

  /** Another process has taken the session, and wants it to be let go. Says which of its wills the client has taken back. */
  private async asked({ name, count, wills }: ReleaseQuestion): Promise<JsonValue> {
    const hold = this.holds.get(name);
    const takenBack = wills.filter((id) => this.isWillTakenBack?.(willKey(name, id)) === true);
    if (hold !== undefined && hold.count < count) {
      this.letGo(hold, wills);
      this.lose(name, hold);
    }
    // The log may have said so before.
    await this.leaving.get(name);
    return takenBack;
  }

  /** Another process has taken the session from the owner at this position. False: this one does not have it as that one, or not any more. */
  fenced(name: string, position: Position): boolean {
    const hold = this.holds.get(name);
    if (hold === undefined || hold.position !== position) return false;
    this.letGo(hold, this.willsOf(name));
    this.lose(name, hold);
    return true;
  }

  /**
   * Whoever had it lets go: a client hears of it, and what it has not acknowledged is in its queue again. Resolves with wills that the client has
   * taken back; with none, too, when nobody says so.
   */
  release({ hold, before, wills }: Taken): Promise<readonly string[]> {
    if (before === null || !this.isElsewhere(before)) return Promise.resolve([]);
    const { name, count } = hold;
    return new Promise((resolve) => {
      const timer = this.broker.platform.clock.after(releaseMsMax, () => resolve([]));
      this.residence
        .ask(before.node, releaseQuestion, { name, count, wills })
        .then(
          (takenBack) => resolve(takenBack as unknown as readonly string[]),
          () => resolve([]),
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

  /** Once a second. */
  tick(): void {
    this.brought.tick(this.log);
  }

  /** Of processes that are gone, as far as they are this node's to see to: the next ones, so many at most. */
  nextOrphans(max: number): string[] {
    return this.orphans.next(max, (name) => !this.taking.has(name) && this.seesTo(name));
  }

  /** Whether a session that nobody sees to now has this shared subscription. */
  hasOrphanWith(vhost: string, isIt: (filter: string) => boolean): boolean {
    for (const name of this.orphans.all()) {
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
    if (hold !== null) hold.writes.write(sessionKey('s', hold.name), this.encoded(hold, session), null);
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
      ? hold.writes.written(sessionKey('s', hold.name), this.encoded(hold, session))
      : Promise.resolve();
  }

  private encoded(hold: Hold, session: Session): Buffer {
    if (session.will !== null) this.willKeyOf(hold, session.will);
    return Buffer.from(JSON.stringify(recordOf(session)));
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
    this.letGo(hold, this.willsOf(name));
  }

  /** Resolves also when somebody else has the session. */
  private erase(hold: Hold, key: string): Promise<void> {
    if (hold.isOver || this.table.valueAt(key) === null) return Promise.resolve();
    return hold.writes.written(key, null);
  }

  // ---- wills that are due --------------------------------------------------------------------------------------------

  /** Gives it a name that is no other's of that session, whoever has it. */
  willKeyOf({ name, position }: Hold, will: Will): string {
    if (will.id === '') will.id = `${position}.${++this.willCount}`;
    return willKey(name, will.id);
  }

  /** Those that the log has of a session, due or not. */
  private willsOf(name: string): string[] {
    return [...willsIn(this.table.recordOf(name)), ...(this.table.dueOf.get(name) ?? [])];
  }

  isDue(key: string): boolean {
    return this.table.dueWills.has(key);
  }

  dueWills(): string[] {
    return [...this.table.dueWills.keys()];
  }

  /** Null: it is not due any more. */
  dueWill(key: string): JsonValue {
    const due = this.table.dueWills.get(key);
    return due === undefined ? null : (JSON.parse(due.value.toString()) as { readonly will: JsonValue }).will;
  }

  /** Resolves also when somebody else has the session. */
  putDue({ writes }: Hold, key: string, { record: will }: Will): Promise<void> {
    return writes.written(key, Buffer.from(JSON.stringify({ process: this.residence.process, will })));
  }

  /** It is this node's to publish. */
  seesToWill(key: string): boolean {
    const { process } = this.table.dueWills.get(key)!;
    return process === this.residence.process || (!this.residence.isProcessThere(process) && this.log.isOurs(key));
  }

  /** It was published. Not while a record has it: whoever has that session does not know yet that it was due. */
  endDue(key: string): void {
    const { name, will } = sessionKeyOf(key);
    const at = this.table.positionOf(key);
    if (at === 0 || willsIn(this.table.recordOf(name)).includes(will)) return;
    this.log.remove(key, null, { of: 'key', at });
  }

  /** As what the message is published that an entry is about, whoever does. */
  provenanceOf(key: string): Provenance {
    const origin = this.log.originOf(key)!;
    return { origin, sequence: this.table.positionOf(key), low: this.outstanding.lowOf(origin) };
  }

  // ---- identifiers ---------------------------------------------------------------------------------------------------

  logOf(vhost: string, clientId: string): SessionLog {
    const name = sessionName(vhost, clientId);
    const write = (kind: 'i' | 'o', id: number, value: Buffer | null, sink: WriteSink | null, at = 0): void =>
      this.holds.get(name)?.writes.write(idKey(kind, name, id), value, sink, id, at);
    const provenanceOf = (id: number): Provenance => this.provenanceOf(idKey('i', name, id));
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

/** `count`: of the new owner. `wills`: those that it knows of. */
type ReleaseQuestion = { readonly name: string; readonly count: number; readonly wills: readonly string[] };

function takenMeanwhile(): MqttError {
  return new MqttError(REASON.sessionTakenOver, 'another node sees to the session');
}

const noWills: ReadonlySet<string> = new Set();

function willsIn(value: Buffer | null): string[] {
  if (value === null) return [];
  const { will, left = [] } = JSON.parse(value.toString()) as SessionRecord;
  return [will, ...left].flatMap((each) => idOfWill(each) ?? []);
}

/** Of an identifier that is written before its message is published. On a node that was alone they were written together. */
const beforeMessage = Buffer.from('0');
const ignore = (): void => undefined;
