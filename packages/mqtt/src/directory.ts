import type { Broker, JsonValue, KeyedLog, Position } from '@chapar/core';
import type { Session, SessionLog } from './session.js';
import type { Subscription } from './subscriptions.js';

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
  /** Packet identifiers of QoS 2: those that came, and those that the client has received, with the position of each. */
  readonly received: readonly number[];
  readonly released: readonly (readonly [packetId: number, position: Position])[];
}

/** Which sessions there are, where they outlive their connections. On one node its keyed log; in a cluster the sessions' home nodes. */
export interface SessionDirectory {
  /** `done` when it would survive a crash. */
  put(session: Session, done?: () => void): void;
  delete(session: Session): void;
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
      const owner = ownerOf(key);
      if (key.startsWith('s')) found.set(owner, JSON.parse(value.toString()) as SessionRecord);
      else if (key.startsWith('i')) listAt(received, owner).push(idOf(key));
      else listAt(released, owner).push([idOf(key), Number(value.toString())]);
    });
    const records = [...found].map(([owner, record]) => ({
      ...record,
      received: received.get(owner) ?? [],
      released: released.get(owner) ?? [],
    }));
    return { directory: new LocalDirectory(log, positions), records };
  }

  put(session: Session, done: (() => void) | null = null): void {
    if (session.isTransient) {
      done?.();
      return;
    }
    const value = Buffer.from(JSON.stringify(recordOf(session)));
    this.write(`s\0${session.vhost.name}\0${session.clientId}`, value, done);
  }

  delete(session: Session): void {
    const owner = `${session.vhost.name}\0${session.clientId}`;
    this.erase(`s\0${owner}`, null);
    for (const id of session.received) this.erase(`i\0${owner}\0${id}`, null);
    for (const id of session.outboundMade?.released.keys() ?? []) this.erase(`o\0${owner}\0${id}`, null);
  }

  logOf(vhost: string, clientId: string): SessionLog {
    const owner = `${vhost}\0${clientId}`;
    return {
      received: (id, done) => this.write(`i\0${owner}\0${id}`, one, done),
      forgotten: (id, done) => this.erase(`i\0${owner}\0${id}`, done),
      released: (id, position, done) => this.write(`o\0${owner}\0${id}`, Buffer.from(String(position)), done),
      completed: (id) => this.erase(`o\0${owner}\0${id}`, null),
    };
  }

  private write(key: string, value: Buffer, done: (() => void) | null): void {
    this.positions.set(key, this.log.put(key, value, this.positions.get(key) ?? 0, slotOf(done)));
  }

  private erase(key: string, done: (() => void) | null): void {
    const position = this.positions.get(key);
    if (position === undefined) {
      done?.();
      return;
    }
    this.positions.delete(key);
    this.log.remove(key, position, slotOf(done));
  }
}

const one = Buffer.from('1');

/** A log that has failed promises nothing: whoever waits is not answered, and the client comes again. */
function slotOf(done: (() => void) | null) {
  return done === null ? null : { committed: done, refused: () => undefined };
}

/** `s\0vhost\0client` and `i\0vhost\0client\0id` -> `vhost\0client`; neither vhost nor client has a NUL. */
function ownerOf(key: string): string {
  return key.split('\0').slice(1, 3).join('\0');
}

function idOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('\0') + 1));
}

function listAt<T>(lists: Map<string, T[]>, key: string): T[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}

function recordOf(session: Session) {
  const { expirySeconds, disconnectedAtMs } = session;
  return {
    vhost: session.vhost.name,
    clientId: session.clientId,
    user: session.user,
    expirySeconds: expirySeconds === Number.POSITIVE_INFINITY ? -1 : expirySeconds,
    disconnectedAtMs,
    subscriptions: [...session.subscriptions, ...session.shares.values()],
    will: session.will?.record ?? null,
  };
}
