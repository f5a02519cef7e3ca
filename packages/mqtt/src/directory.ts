import type { Broker, ConfirmSlot, JsonValue, KeyedLog, Position } from '@chapar/core';
import type { Session, SessionLog } from './session.js';
import { idKey, sessionKey, sessionKeyOf, sessionName } from './session-keys.js';
import type { Subscription } from './subscriptions.js';
import type { WriteSink } from './write-sink.js';

/** A session as it is kept. */
export interface SessionRecord {
  readonly vhost: string;
  readonly clientId: string;
  readonly user: string;
  /** -1: for ever. */
  readonly expirySeconds: number;
  /** 0: it had a connection. */
  readonly disconnectedAtMs: number;
  readonly subscriptions: readonly Subscription[];
  readonly will: JsonValue;
  /** Others that are due, and of which it is not known that the log has them as such. Not there in records of older versions. */
  readonly left?: readonly JsonValue[];
  /** Packet identifiers of QoS 2: those that came, and those that the client has received, with the position of each. */
  readonly received: readonly number[];
  /** Of those that came, the ones whose messages were published perhaps. */
  readonly unsure: readonly number[];
  readonly released: readonly (readonly [packetId: number, position: Position])[];
}

/** Which sessions there are, where they outlive their connections: those of a node that is alone, or of all nodes. */
export interface SessionDirectory {
  put(session: Session): void;
  /** Resolves when it would survive a crash. */
  keep(session: Session): Promise<void>;
  /** Of one session, for its packet identifiers. */
  logOf(vhost: string, clientId: string): SessionLog;
}

/**
 * The sessions of this node in a keyed log: a record each under `s`, and one for each identifier of QoS 2 under `i` (came) and `o`
 * (received by the client), so that a message of QoS 2 does not cost a record of all subscriptions.
 */
export class LocalDirectory implements SessionDirectory {
  private readonly log: KeyedLog;
  private readonly positions: Map<string, Position>;

  private constructor(log: KeyedLog, positions: Map<string, Position>) {
    this.log = log;
    this.positions = positions;
  }

  /** Also says which sessions are there. */
  static async open(broker: Broker): Promise<{ directory: LocalDirectory; records: readonly SessionRecord[] }> {
    const positions = new Map<string, Position>();
    const found = new Map<string, SessionRecord>();
    const received = new Map<string, number[]>();
    const released = new Map<string, [number, Position][]>();
    const log = await broker.keyedLog('mqtt-sessions', ({ key, value, position }) => {
      positions.set(key, position);
      const { kind, name, id } = sessionKeyOf(key);
      if (kind === 's') found.set(name, JSON.parse(value.toString()) as SessionRecord);
      else if (kind === 'i') listAt(received, name).push(id);
      else listAt(released, name).push([id, Number(value.toString())]);
    });
    const records = [...found].map(([owner, record]) => ({
      ...record,
      received: received.get(owner) ?? [],
      unsure: [],
      released: released.get(owner) ?? [],
    }));
    return { directory: new LocalDirectory(log, positions), records };
  }

  keep(session: Session): Promise<void> {
    return new Promise((resolve) => this.put(session, resolve));
  }

  put(session: Session, done: (() => void) | null = null): void {
    if (session.isTransient) {
      done?.();
      return;
    }
    const value = Buffer.from(JSON.stringify(recordOf(session)));
    this.write(sessionKey('s', sessionName(session.vhost.name, session.clientId)), value, slotOf(done));
  }

  delete(session: Session): void {
    const owner = sessionName(session.vhost.name, session.clientId);
    this.erase(sessionKey('s', owner), null);
    for (const id of session.received) this.erase(idKey('i', owner, id), null);
    for (const id of session.outboundMade?.released.keys() ?? []) this.erase(idKey('o', owner, id), null);
  }

  logOf(vhost: string, clientId: string): SessionLog {
    const owner = sessionName(vhost, clientId);
    return {
      isApart: false,
      received: (id, sink, at) => this.write(idKey('i', owner, id), one, slotFor(sink, id, at)),
      forgotten: (id, sink) => this.erase(idKey('i', owner, id), sink === null ? null : slotFor(sink, id, 0)),
      released: (id, position, sink) =>
        this.write(idKey('o', owner, id), Buffer.from(String(position)), slotFor(sink, id, position)),
      completed: (id) => this.erase(idKey('o', owner, id), null),
    };
  }

  private write(key: string, value: Buffer, slot: ConfirmSlot | null): void {
    this.positions.set(key, this.log.put(key, value, this.positions.get(key) ?? 0, slot));
  }

  private erase(key: string, slot: ConfirmSlot | null): void {
    const position = this.positions.get(key);
    if (position === undefined) {
      slot?.committed();
      return;
    }
    this.positions.delete(key);
    this.log.remove(key, position, slot);
  }
}

const one = Buffer.from('1');

/** A log that has failed promises nothing: whoever waits is not answered, and the client comes again. */
function slotOf(done: (() => void) | null): ConfirmSlot | null {
  return done === null ? null : { committed: done, refused: () => undefined };
}

/** So many slots that were told are kept for those that come. */
const spareMax = 1024;
const spare: SinkSlot[] = [];

/** As `slotOf`; used again, since there is one for each message. */
class SinkSlot implements ConfirmSlot {
  sink: WriteSink | null = null;
  id = 0;
  at = 0;

  committed(): void {
    const { sink, id, at } = this;
    this.sink = null;
    if (spare.length < spareMax) spare.push(this);
    sink!.written(id, at);
  }

  refused(): void {}
}

function slotFor(sink: WriteSink, id: number, at: number): SinkSlot {
  const slot = spare.pop() ?? new SinkSlot();
  slot.sink = sink;
  slot.id = id;
  slot.at = at;
  return slot;
}

function listAt<T>(lists: Map<string, T[]>, key: string): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}

/** Of the session's record, what is in one value. */
export function recordOf(session: Session) {
  const { expirySeconds, disconnectedAtMs } = session;
  return {
    vhost: session.vhost.name,
    clientId: session.clientId,
    user: session.user,
    expirySeconds: expirySeconds === Number.POSITIVE_INFINITY ? -1 : expirySeconds,
    disconnectedAtMs,
    subscriptions: [...session.subscriptions, ...session.shares.values()],
    will: session.will?.record ?? null,
    ...(session.leavingWills === null ? {} : { left: session.leavingWills.map(({ record }) => record) }),
  };
}
