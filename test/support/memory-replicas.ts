import { Ranges } from '@chapar/cluster';
import {
  DIALECT_AMQP091,
  type EpochStart,
  type Incarnation,
  type KeptAside,
  type LoggedMessage,
  type LogRead,
  type LogStore,
  Message,
  type OriginRow,
  type Provenance,
  type QueueLog,
  type QueuePages,
  type Range,
  type RecoveredQueue,
  type ReplicaChange,
  type ReplicaEntry,
  type ReplicaMark,
  type StoredReplica,
} from '@chapar/core';
import type { Clock } from '@chapar/platform';
import { addressOf } from '../cluster/sim-broker.js';
import { SimReplicaLog } from '../replication/replica-log.js';
import { ControlledPages } from './controlled-pages.js';

const noProperties = Buffer.from([0, 0]);

/** A message as it travels here: where it was published to, and its body. */
function bytesOf(message: Message): Buffer {
  return Buffer.from(JSON.stringify([message.address.routingKey, message.body().toString()]));
}

export function messageOf(bytes: Uint8Array): Message {
  const [key, body] = JSON.parse(Buffer.from(bytes).toString()) as [string, string];
  const whole = Buffer.concat([noProperties, Buffer.from(body)]);
  const { length } = whole;
  return new Message(addressOf(key), DIALECT_AMQP091, true, -1, -1, whole, 0, 2, 2, length, null, length - 2);
}

/** The log of a copy in memory, over the one of the state machines' simulator: synced when its store says so. */
export class MemoryReplica extends ControlledPages implements StoredReplica {
  readonly incarnation: Incarnation;
  readonly log: SimReplicaLog;
  onSynced: ((operation: number) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;
  /** True: messages are not in memory, and reading them takes until `readNow`. */
  readsLate = false;
  private late: (() => void)[] = [];

  constructor(incarnation: Incarnation, log = new SimReplicaLog()) {
    super();
    this.incarnation = incarnation;
    this.log = log;
  }

  get end(): number {
    return this.log.end;
  }

  get starts(): readonly EpochStart[] {
    return this.log.history.starts;
  }

  get committed(): number {
    return this.log.committed;
  }

  get operations(): number {
    return this.log.operations;
  }

  get liveCount(): number {
    return this.log.state.entries.size;
  }

  get liveBytes(): number {
    let bytes = 0;
    for (const entry of this.log.state.entries.values()) bytes += entry.bytes.length;
    return bytes;
  }

  liveIn(first: number, last: number): readonly Range[] {
    return [...this.log.liveIn(first, last)];
  }

  marksIn(first: number, last: number): readonly ReplicaMark[] {
    return this.log.marksIn(first, last);
  }

  originRows(): readonly OriginRow[] {
    return this.log.originRows();
  }

  allOriginRows(): readonly OriginRow[] {
    return this.log.allOriginRows();
  }

  begin(epoch: number, first: number): void {
    this.log.begin(epoch, first);
  }

  publish(message: Message, provenance: Provenance | null): number {
    const position = this.end + 1;
    this.log.append({ position, provenance, bytes: bytesOf(message) });
    return position;
  }

  append({ position, provenance, bytes }: ReplicaEntry): void {
    this.log.append({ position, provenance, bytes: Buffer.from(bytes) });
  }

  pass(upTo: number): void {
    this.log.pass(upTo);
  }

  cut(after: number): void {
    this.log.cut(after);
  }

  change(change: ReplicaChange): void {
    this.log.change(change);
  }

  restate(upTo: number, live: readonly Range[], marks: readonly ReplicaMark[]): void {
    this.log.restate(upTo, Ranges.of(live), marks);
  }

  merge(origins: readonly OriginRow[]): void {
    this.log.merge(origins);
  }

  commit(position: number): void {
    this.log.commit(position);
  }

  aheadMs: number | null = null;

  keepTime(aheadMs: number): void {
    this.aheadMs = aheadMs;
    this.log.commit(this.log.committed);
  }

  entries(
    ranges: readonly Range[],
    bytesMax: number,
    done: (entries: readonly ReplicaEntry[], upTo: number) => void,
  ): void {
    const read = () => {
      const found: ReplicaEntry[] = [];
      let bytes = 0;
      for (const { first, last } of ranges) {
        for (let position = first; position <= last; position++) {
          const entry = this.log.entry(position);
          if (entry === undefined) continue;
          if (found.length > 0 && bytes + entry.bytes.length > bytesMax) return { found, upTo: position - 1 };
          found.push(entry);
          bytes += entry.bytes.length;
        }
      }
      return { found, upTo: ranges.at(-1)!.last };
    };
    const { found, upTo } = read();
    if (this.readsLate) this.late.push(() => done(found, upTo));
    else done(found, upTo);
  }

  readNow(): void {
    for (const run of this.late.splice(0)) run();
  }

  override read(from: number, to: number, _bytesMax: number, done: (read: LogRead) => void): void {
    const messages: LoggedMessage[] = [];
    for (const [position, { bytes }] of [...this.log.state.entries].sort(([a], [b]) => a - b))
      if (position >= from && position <= to) messages.push({ position, message: messageOf(bytes) });
    queueMicrotask(() => done({ messages, upTo: to, unreadable: [] }));
  }

  override readAt(positions: readonly number[], _bytesMax: number, done: (read: LogRead) => void): void {
    const messages = positions.flatMap((position) => {
      const entry = this.log.entry(position);
      return entry === undefined ? [] : [{ position, message: messageOf(entry.bytes) }];
    });
    queueMicrotask(() => done({ messages, upTo: positions.at(-1)!, unreadable: [] }));
  }

  messageOf({ bytes }: ReplicaEntry): Message {
    return messageOf(bytes);
  }

  /** What was kept aside. */
  readonly aside: ReplicaEntry[] = [];

  async keepAside(ranges: readonly Range[]): Promise<KeptAside> {
    this.entries(ranges, Number.POSITIVE_INFINITY, (entries) => this.aside.push(...entries));
    return { path: 'aside', count: this.aside.length };
  }

  state(): RecoveredQueue {
    const { log, incarnation } = this;
    const live = [...log.state.entries].filter(([position]) => position <= log.committed).sort(([a], [b]) => a - b);
    const bodies = live.map(([position, { bytes }]) => [position, messageOf(bytes).bodyBytes] as const);
    const marks = log.marksIn(1, log.committed);
    return {
      incarnation,
      count: live.length,
      bytes: bodies.reduce((sum, [, bytes]) => sum + bytes, 0),
      first: live[0]?.[0] ?? 0,
      last: live.at(-1)?.[0] ?? 0,
      deliveredUpTo: Number.POSITIVE_INFINITY,
      mayExpire: false,
      deliveredByLevel: [],
      pending: marks.flatMap((mark) => (mark.kind === 'pend' ? [mark] : [])),
      returns: marks.flatMap((mark) => (mark.kind === 'returned' ? [mark] : [])),
      visit: (visitor) => {
        for (const [position, bytes] of bodies) visitor(position, 0, bytes);
      },
    };
  }
}

/** A node's store whose copies of mirrored queues are in memory; all else is the store's that it stands before. */
export class MemoryReplicas implements LogStore {
  readonly held = new Map<Incarnation, MemoryReplica>();
  readonly removed: Incarnation[] = [];
  /** From a flush to the end of its sync. Milliseconds. */
  syncMs = 1;
  private readonly under: LogStore;
  private readonly clock: Clock;

  constructor(under: LogStore, clock: Clock) {
    this.under = under;
    this.clock = clock;
  }

  get replicas(): readonly Incarnation[] {
    return [...this.held.keys()];
  }

  replica(incarnation: Incarnation): MemoryReplica {
    let replica = this.held.get(incarnation);
    if (replica === undefined) this.held.set(incarnation, (replica = new MemoryReplica(incarnation)));
    return replica;
  }

  /** What the disk has of a copy. */
  keep(incarnation: Incarnation, log: SimReplicaLog): void {
    log.crash(log.unsyncedCount);
    this.held.set(incarnation, new MemoryReplica(incarnation, log));
  }

  remove(incarnation: Incarnation): void {
    if (this.held.delete(incarnation)) this.removed.push(incarnation);
    else this.under.remove(incarnation);
  }

  flush(): void {
    this.under.flush();
    for (const replica of this.held.values()) {
      const { log } = replica;
      const { operations } = log;
      if (log.unsyncedCount === 0) continue;
      this.clock.after(this.syncMs, () => {
        log.sync(operations);
        replica.onSynced?.(operations);
      });
    }
  }

  recover(): Promise<RecoveredQueue[]> {
    return this.under.recover();
  }

  get lastStampMs(): number {
    return this.under.lastStampMs;
  }

  log(incarnation: Incarnation): QueueLog {
    return this.under.log(incarnation);
  }

  pages(): QueuePages {
    return this.under.pages();
  }

  delivered(...given: Parameters<LogStore['delivered']>): void {
    this.under.delivered(...given);
  }

  get onBehind(): LogStore['onBehind'] {
    return this.under.onBehind;
  }

  set onBehind(listener: LogStore['onBehind']) {
    this.under.onBehind = listener;
  }

  get onFull(): LogStore['onFull'] {
    return this.under.onFull;
  }

  set onFull(listener: LogStore['onFull']) {
    this.under.onFull = listener;
  }

  sync(): Promise<void> {
    return this.under.sync();
  }

  close(): Promise<void> {
    return this.under.close();
  }
}
