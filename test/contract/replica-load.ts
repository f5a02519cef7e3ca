import type {
  LogRead,
  OriginRow,
  Position,
  Provenance,
  Range,
  ReplicaEntry,
  ReplicaMark,
  StoredReplica,
} from '@chapar/core';
import type { SimRandom } from '@chapar/platform';
import { makeMessage } from './messages.js';
import { ReplicaModel, type ReplicaOperation, sorted } from './replica-model.js';

const reasons = ['rejected', 'expired', 'maxlen', 'delivery_limit'] as const;
const origins = ['5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b01', '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b02', 'ö'];

/** Makes the form of a message: that of another log's entry. */
export type FormOf = (body: string) => Uint8Array;

/** Random operations on one replica, and what they come to, one by one. */
export class ReplicaLoad {
  model = new ReplicaModel();
  /** The replica after each of its operations; the first: before them all. */
  private snapshots: string[] = [JSON.stringify(this.model.told())];
  private done: ReplicaOperation[] = [];
  /** Those of earlier lives. */
  private before: ReplicaOperation[] = [];
  /** Operations that are known to be on the disk. */
  synced = 0;
  private epoch = 0;
  private sequence = 0;
  private bodies = 0;
  private readonly random: SimRandom;
  private readonly name: string;
  private readonly formOf: FormOf;

  constructor(name: string, random: SimRandom, formOf: FormOf) {
    this.name = name;
    this.random = random;
    this.formOf = formOf;
  }

  attach(replica: StoredReplica): void {
    replica.onSynced = (operation) => {
      if (operation < this.synced || operation > this.done.length) throw new Error(`synced up to ${operation}`);
      this.synced = operation;
    };
  }

  /** Does something to the replica and to the model. */
  step(replica: StoredReplica): void {
    const { random, model } = this;
    const choice = random.integer(100);
    if (choice < 30) this.publish(replica);
    else if (choice < 36) this.appendBehind(replica);
    else if (choice < 42) this.fill(replica);
    else if (choice < 46) this.do(replica, 'begin', ++this.epoch, model.end + 1);
    else if (choice < 49) this.do(replica, 'pass', model.end + 1 + random.integer(3));
    else if (choice < 53) this.cut(replica);
    else if (choice < 66) this.do(replica, 'commit', this.between(model.committed, model.end));
    else if (choice < 82) this.settle(replica);
    else if (choice < 88) this.do(replica, 'change', this.mark(random.chance(0.5)));
    else if (choice < 90) this.do(replica, 'change', { kind: 'forget', origin: pick(random, origins) });
    else if (choice < 93) this.do(replica, 'merge', this.rows());
    else if (choice < 95) this.restate(replica);
    else this.publish(replica);
    if (replica.operations !== this.done.length) throw new Error(`${replica.operations} operations`);
  }

  /** Nothing lives any more. */
  drain(replica: StoredReplica): void {
    this.do(replica, 'commit', this.model.end);
    this.do(replica, 'change', { kind: 'settle', first: 1, last: this.model.end });
  }

  /** What was found is what some of the operations came to, at least those that were synced; goes on from there. */
  async restart(replica: StoredReplica, read: <T>(promise: Promise<T>) => Promise<T>): Promise<void> {
    const found = JSON.stringify(await read(told(replica)));
    let length = this.snapshots.length - 1;
    while (length >= this.synced && this.snapshots[length] !== found) length--;
    if (length < this.synced) {
      throw new Error(
        `of ${this.name}, synced up to ${this.synced} of ${this.done.length}, came back\n${found}\nafter\n${this.snapshots.slice(this.synced).join('\n')}`,
      );
    }
    this.model = new ReplicaModel();
    this.before = [...this.before, ...this.done.slice(0, length)];
    for (const operation of this.before) operation(this.model);
    this.snapshots = [JSON.stringify(this.model.told())];
    // The operations of the new life are counted anew.
    this.done = [];
    this.synced = 0;
    this.attach(replica);
  }

  /** Compares everything, now. */
  async check(replica: StoredReplica): Promise<void> {
    const found = JSON.stringify(await told(replica));
    if (found !== this.snapshots.at(-1))
      throw new Error(`${this.name} is\n${found}\ninstead of\n${this.snapshots.at(-1)}`);
  }

  private do<K extends 'begin' | 'pass' | 'cut' | 'commit' | 'change' | 'merge' | 'restate'>(
    replica: StoredReplica,
    what: K,
    ...args: Parameters<StoredReplica[K]>
  ): void {
    (replica[what] as (...args: unknown[]) => void)(...args);
    this.note((model) => (model[what] as (...args: unknown[]) => void)(...args));
  }

  private note(operation: ReplicaOperation): void {
    operation(this.model);
    this.done.push(operation);
    this.snapshots.push(JSON.stringify(this.model.told()));
  }

  private body(): string {
    return `${this.name} ${this.bodies++} `.padEnd(this.random.integer(this.random.chance(0.05) ? 3000 : 200), 'x');
  }

  private provenance(): Provenance | null {
    if (this.random.chance(0.05)) return null;
    const sequence = ++this.sequence;
    return { origin: pick(this.random, origins), sequence, low: Math.max(0, sequence - 1 - this.random.integer(12)) };
  }

  private publish(replica: StoredReplica): void {
    const [body, provenance] = [this.body(), this.provenance()];
    const position = replica.publish(makeMessage({ body, properties: 'p' }), provenance);
    if (position !== this.model.end + 1) throw new Error(`published at ${position}`);
    this.note((model) => model.append(position, { provenance, body }));
  }

  private appendBehind(replica: StoredReplica): void {
    this.append(replica, this.model.end + 1 + this.random.integer(3));
  }

  private append(replica: StoredReplica, position: Position): void {
    const [body, provenance] = [this.body(), this.provenance()];
    replica.append({ position, provenance, bytes: this.formOf(body) });
    this.note((model) => model.append(position, { provenance, body }));
  }

  /** In place of one that is not there, and often of one that was settled a moment ago. */
  private fill(replica: StoredReplica): void {
    const position = this.between(Math.max(1, this.model.end - 8), this.model.end);
    if (position === 0) return;
    if (this.random.chance(0.5)) this.do(replica, 'change', { kind: 'settle', first: position, last: position });
    if (!this.model.live.has(position)) this.append(replica, position);
  }

  /** And often appends others where those stood that went. */
  private cut(replica: StoredReplica): void {
    this.do(replica, 'cut', this.between(Math.max(this.model.committed, this.model.end - 6), this.model.end));
    this.epoch = Math.max(this.epoch, this.model.starts.at(-1)?.epoch ?? 0);
    for (let i = this.random.integer(4); i > 0; i--) this.publish(replica);
  }

  private settle(replica: StoredReplica): void {
    const { random, model } = this;
    // Now and then of what is not there yet.
    const first = this.between(1, Math.max(1, random.chance(0.1) ? model.end + 3 : model.committed));
    const last = first + (random.chance(0.2) ? random.integer(30) : random.integer(3));
    this.do(replica, 'change', { kind: 'settle', first, last });
  }

  private mark(isPend: boolean): ReplicaMark {
    const live = [...this.model.live.keys()];
    const position = live.length === 0 ? 1 : pick(this.random, live);
    if (!isPend) return { kind: 'returned', position, count: 1 + this.random.integer(5) };
    return { kind: 'pend', position, reason: pick(this.random, reasons), atMs: 1000 + this.random.integer(1000) };
  }

  private rows(): OriginRow[] {
    const low = this.random.integer(this.sequence + 2);
    const first = low + 2 + this.random.integer(3);
    return [{ origin: pick(this.random, origins), low, held: [{ first, last: first + this.random.integer(4) }] }];
  }

  private restate(replica: StoredReplica): void {
    const { random, model } = this;
    const upTo = this.between(model.committed, model.end);
    const live: Range[] = [];
    for (let at = 1; at <= upTo; at += 2 + random.integer(20)) {
      const last = Math.min(upTo, at + random.integer(30));
      live.push({ first: at, last });
      at = last;
    }
    this.do(replica, 'restate', upTo, live, random.chance(0.5) ? [this.mark(true), this.mark(false)] : []);
  }

  private between(first: number, last: number): number {
    return first + this.random.integer(Math.max(last - first, 0) + 1);
  }
}

function pick<T>(random: SimRandom, all: readonly T[]): T {
  return all[random.integer(all.length)]!;
}

/** Everything that a replica says, in the form in which the model says it. */
export async function told(replica: StoredReplica): Promise<unknown> {
  const entries = await allEntries(replica);
  const { messages, unreadable } = await allMessages(replica);
  if (unreadable.length > 0) throw new Error(`unreadable: ${unreadable}`);
  const live = entries.map(({ position: at, provenance, bytes }, i) => {
    const body = messages.get(at)!;
    if (!Buffer.from(bytes).toString('latin1').endsWith(`p${body}`)) throw new Error(`${at} travels as ${bytes}`);
    return i < 0 ? null : { at, provenance, body };
  });
  const ranges = replica.liveIn(1, replica.end + 10);
  const positions = ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  if (positions.join() !== entries.map(({ position }) => position).join()) throw new Error(`lives: ${positions}`);
  if (replica.liveCount !== positions.length) throw new Error(`${replica.liveCount} live`);
  const marks = replica.marksIn(1, replica.end);
  checkState(replica, positions, messages);
  return {
    end: replica.end,
    committed: replica.committed,
    starts: replica.starts,
    live,
    pending: marks.filter(({ kind }) => kind === 'pend').map(inOrder),
    returns: marks.flatMap((mark) => (mark.kind === 'returned' ? [[mark.position, mark.count]] : [])),
    origins: sorted(replica.originRows()),
    allOrigins: sorted(replica.allOriginRows()),
  };
}

function inOrder(mark: ReplicaMark): ReplicaMark {
  if (mark.kind !== 'pend') return mark;
  const { kind, position, reason, atMs } = mark;
  return { kind, position, reason, atMs };
}

/** What a queue would begin with is what lives up to what is committed. */
function checkState(replica: StoredReplica, live: readonly Position[], bodies: ReadonlyMap<Position, string>): void {
  const state = replica.state();
  const { committed } = replica;
  const positions = live.filter((position) => position <= committed);
  const visited: Position[] = [];
  state.visit((position, _, bytes) => {
    if (bytes !== bodies.get(position)!.length) throw new Error(`${position} visited with ${bytes} bytes`);
    visited.push(position);
  });
  const bytes = positions.reduce((sum, position) => sum + bodies.get(position)!.length, 0);
  const expected = [positions.length, bytes, positions[0] ?? 0, positions.at(-1) ?? 0, committed, positions];
  const said = [state.count, state.bytes, state.first, state.last, state.deliveredUpTo, visited];
  if (said.join() !== expected.join()) throw new Error(`the state says ${said} instead of ${expected}`);
  for (const { position } of [...state.pending, ...state.returns])
    if (!positions.includes(position)) throw new Error(`marked and not there: ${position}`);
}

async function allEntries(replica: StoredReplica): Promise<ReplicaEntry[]> {
  const all: ReplicaEntry[] = [];
  const { end } = replica;
  for (let from = 1; from <= end; ) {
    const { entries, upTo } = await new Promise<{ entries: readonly ReplicaEntry[]; upTo: Position }>((done) => {
      replica.entries([{ first: from, last: end }], 2000, (entries, upTo) => done({ entries, upTo }));
    });
    if (upTo < from) throw new Error(`entries from ${from} up to ${upTo}`);
    all.push(...entries);
    from = upTo + 1;
  }
  return all;
}

async function allMessages(
  replica: StoredReplica,
): Promise<{ messages: Map<Position, string>; unreadable: Position[] }> {
  const messages = new Map<Position, string>();
  const unreadable: Position[] = [];
  const { end } = replica;
  for (let from = 1; from <= end; ) {
    const read = await new Promise<LogRead>((done) => replica.read(from, end, 5000, done));
    for (const { position, message } of read.messages) messages.set(position, message.body().toString('latin1'));
    unreadable.push(...read.unreadable);
    from = read.upTo + 1;
  }
  return { messages, unreadable };
}
