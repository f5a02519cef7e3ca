import {
  type Guard,
  GuardFailedError,
  type JsonValue,
  type MetadataEvent,
  type Revision,
  type Write,
} from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import {
  type Etcd,
  type EtcdCompare,
  type EtcdEntry,
  EtcdError,
  type EtcdOp,
  type EtcdTxnResult,
  isOutOfSpace,
  type LeaseId,
  readKeys,
  txnOpsMax,
} from './etcd/etcd.js';
import type { Mirror } from './mirror.js';

/** The session in whose name a node writes. */
export interface WriterSession {
  readonly lease: LeaseId;
  /** A key of the session, without the prefix: it goes when the lease does, and every batch writes its number into it. */
  readonly markKey: string;
  /** Its revision when the session began. */
  readonly markRevision: Revision;
}

/** A key that is put may go when a lease does. */
export interface LeasedWrite extends Write {
  readonly lease?: LeaseId;
}

/** Somebody waits so long for a change; what is under way then may still take effect. Milliseconds. */
const patienceMs = 5000;
/** And so long when etcd has been silent for as long as this: who declares a thousand things meanwhile hears of it soon. Milliseconds. */
const patienceAwayMs = 500;
const silenceMs = 8000;
const retryMs = 100;
/** Of one transaction; etcd takes 1.5 MiB. */
const batchBytesMax = 1024 * 1024;

interface Change {
  readonly guards: readonly Guard[];
  readonly writes: readonly LeasedWrite[];
  readonly bytes: number;
  readonly deadline: Timer;
  /** etcd refused a transaction in which it stood with others: it may have been the reason, and goes by itself. */
  isAlone: boolean;
  resolve(revision: Revision): void;
  reject(error: Error): void;
}

interface Traces {
  readonly revision: Revision;
  readonly written: ReadonlySet<string>;
}

interface Batch {
  readonly number: number;
  readonly changes: readonly Change[];
  readonly session: WriterSession;
  /** Its answer was lost, or told only that an earlier try was applied: what became of it is read from the mirror. */
  isInDoubt: boolean;
  /** What its revision wrote, once the mirror has come to it. */
  traces: Traces | null;
}

/**
 * Writes this node's changes to etcd: many guarded changes in one transaction, each with its own verdict, one transaction at a time.
 * Every batch writes its number into a key of the session. So a batch that is sent again because its answer was lost is never applied
 * twice, what became of it is read from the revision in which the number appears, and a node whose session has ended writes nothing.
 */
export class Writer {
  private readonly etcd: Etcd;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly mirror: Mirror;
  private readonly prefix: string;
  private session: WriterSession | null = null;
  /** The session that this node writes in is none, by what etcd says of its mark: nothing is written until another one begins. */
  onSessionLost: ((session: WriterSession, why: string) => void) | null = null;
  private markRevision: Revision = 0;
  private numberMax = 0;
  private pending: Change[] = [];
  private batch: Batch | null = null;
  private retry: Timer | null = null;
  private readonly stopWatch: () => void;
  private closed = false;

  constructor(etcd: Etcd, world: { readonly clock: Clock; readonly log: Log }, prefix: string, mirror: Mirror) {
    this.etcd = etcd;
    this.clock = world.clock;
    this.log = world.log;
    this.prefix = prefix;
    this.mirror = mirror;
    this.stopWatch = mirror.watch('', mirror.revision, (events) => this.observe(events));
  }

  /** From now on this node writes in this session's name; null: it has none, and changes wait. */
  use(session: WriterSession | null): void {
    const { batch } = this;
    this.session = session;
    this.markRevision = session?.markRevision ?? 0;
    if (batch !== null) this.abandon(batch, 'the session of this node with etcd ended meanwhile');
    this.pump();
  }

  /** As MetadataStore.change; rejects with EtcdError when etcd is away or refuses, which then names what is known of the outcome. */
  change(when: readonly Guard[], then: readonly LeasedWrite[]): Promise<Revision> {
    return new Promise((resolve, reject) => {
      this.assertFits(when, then);
      const waitMs = this.clock.monotonicMs() - this.mirror.heardAtMs > silenceMs ? patienceAwayMs : patienceMs;
      const copies = then.map((write) => ({
        ...write,
        value: write.value === undefined ? undefined : clone(write.value),
      }));
      const bytes = copies.reduce(
        (sum, { key, value }) => sum + key.length + JSON.stringify(value ?? null).length + 64,
        0,
      );
      const change: Change = {
        guards: when,
        writes: copies,
        bytes,
        isAlone: false,
        resolve,
        reject,
        deadline: this.clock.after(waitMs, () => this.giveUp(change, waitMs)),
      };
      this.pending.push(change);
      this.pump();
    });
  }

  close(): void {
    this.closed = true;
    this.stopWatch();
    this.retry?.cancel();
    const error = new EtcdError('unknown', 'the node stops');
    for (const change of [...this.pending, ...(this.batch?.changes ?? [])]) this.fail(change, error);
    this.pending = [];
    this.batch = null;
  }

  private assertFits(when: readonly Guard[], then: readonly LeasedWrite[]): void {
    if (this.closed) throw new EtcdError('refused', 'the node stops');
    if (this.mirror.stranger !== null) throw new EtcdError('refused', `${this.mirror.stranger}; it is not written to`);
    if (new Set(then.map(({ key }) => key)).size < then.length) throw new RangeError('one change writes each key once');
    if (Math.max(when.length, then.length) <= txnOpsMax) return;
    throw new RangeError(
      `one change has at most ${txnOpsMax} guards and writes, this one ${when.length} and ${then.length}`,
    );
  }

  /** The caller has waited long enough. A change that is under way may still take effect. */
  private giveUp(change: Change, waitMs: number): void {
    const waits = this.pending.includes(change);
    if (waits) this.pending = this.pending.filter((each) => each !== change);
    const why = this.session === null ? 'this node has no session with etcd' : 'etcd did not answer';
    change.reject(new EtcdError(waits ? 'refused' : 'unknown', `${why} within ${waitMs / 1000} s`));
  }

  // -- one batch at a time -----------------------------------------------------------------------------------------

  private pump(): void {
    if (this.batch !== null || this.session === null || this.pending.length === 0 || this.closed) return;
    const changes = this.takeBatch();
    this.batch = { number: ++this.numberMax, changes, session: this.session, isInDoubt: false, traces: null };
    void this.send(this.batch);
  }

  /**
   * The oldest changes of which none writes what another one writes or is guarded by: within one transaction none would see it. Many may
   * be guarded by the same key, as all declares of a virtual host are.
   */
  private takeBatch(): Change[] {
    const written = new Set<string>();
    const guarded = new Set<string>();
    let bytes = 0;
    let count = 0;
    let opsMax = 0;
    for (const change of this.pending) {
      const isMet =
        change.writes.some(({ key }) => written.has(key) || guarded.has(key)) ||
        change.guards.some(({ key }) => written.has(key));
      bytes += change.bytes;
      opsMax = Math.max(opsMax, change.guards.length, change.writes.length);
      // The mark's operation, those of the batch, and the most of any change in it: etcd adds them up.
      const isFull = 1 + count + 1 + opsMax > txnOpsMax || bytes > batchBytesMax;
      if (count > 0 && (isFull || change.isAlone || isMet)) break;
      for (const { key } of change.writes) written.add(key);
      for (const { key } of change.guards) guarded.add(key);
      count++;
      if (change.isAlone) break;
    }
    return this.pending.splice(0, count);
  }

  private async send(batch: Batch): Promise<void> {
    const { session, number, changes } = batch;
    const mark = this.prefix + session.markKey;
    try {
      const result = await this.etcd.txn({
        compare: [{ key: mark, of: 'mod', is: 'equal', revision: this.markRevision }],
        success: [
          { kind: 'put', key: mark, value: JSON.stringify(number), lease: session.lease },
          ...changes.map((change) => this.operation(change)),
        ],
        failure: [{ kind: 'get', key: mark }],
      });
      if (this.batch === batch) this.answered(batch, result);
    } catch (error) {
      if (this.batch === batch) this.failed(batch, error as Error);
    }
  }

  private operation({ guards, writes }: Change): EtcdOp {
    return {
      kind: 'txn',
      txn: {
        compare: guards.map((guard) => this.compare(guard)),
        success: writes.map(({ key, value, lease = null }) =>
          value === undefined
            ? { kind: 'delete', key: this.prefix + key }
            : { kind: 'put', key: this.prefix + key, value: JSON.stringify(value), lease },
        ),
        failure: guards.map(({ key }) => ({ kind: 'get', key: this.prefix + key })),
      },
    };
  }

  private compare({ key, revision }: Guard): EtcdCompare {
    const is = revision === 'present' ? 'unequal' : 'equal';
    return { key: this.prefix + key, of: 'mod', is, revision: typeof revision === 'number' ? revision : 0 };
  }

  private answered(batch: Batch, { succeeded, revision, results }: EtcdTxnResult): void {
    if (succeeded) {
      this.markRevision = revision;
      const verdicts = results.slice(1) as EtcdTxnResult[];
      const failedKeys = verdicts.map((verdict, i) =>
        verdict.succeeded ? null : failedGuard(batch.changes[i]!, verdict),
      );
      this.done(batch, revision, failedKeys);
      return;
    }
    const mark = results[0] as EtcdEntry | null;
    if (mark === null) this.abandon(batch, 'the session of this node with etcd has ended');
    else if (mark.value === JSON.stringify(batch.number)) this.doubt(batch);
    else this.abandon(batch, 'somebody else writes to etcd in the name of this node');
  }

  private failed(batch: Batch, error: Error): void {
    if (!(error instanceof EtcdError) || error.outcome === 'refused') {
      this.refused(batch, error);
      return;
    }
    const isFirst = !batch.isInDoubt;
    this.doubt(batch);
    if (this.batch !== batch) return;
    if (isFirst && isOutOfSpace(error)) void this.lookWhetherApplied(batch, error);
    else this.sendAgain(batch);
  }

  private sendAgain(batch: Batch): void {
    this.retry = this.clock.after(retryMs, () => {
      this.retry = null;
      if (this.batch === batch) void this.send(batch);
    });
  }

  /** This error comes before a transaction was looked at or after it was applied, and nothing of it is under way any more. */
  private async lookWhetherApplied(batch: Batch, error: EtcdError): Promise<void> {
    try {
      const { entries } = await readKeys(this.etcd, [this.prefix + batch.session.markKey]);
      if (this.batch !== batch) return;
      // Its traces are on their way.
      if (entries[0]?.value === JSON.stringify(batch.number)) return;
      this.refused(batch, error);
    } catch {
      if (this.batch === batch) this.sendAgain(batch);
    }
  }

  private refused(batch: Batch, error: Error): void {
    this.batch = null;
    // One that etcd refuses (too large, its lease gone) must not take the others with it, and etcd does not say which it is.
    if (batch.changes.length > 1) {
      for (const change of batch.changes) change.isAlone = true;
      this.pending.unshift(...batch.changes);
    } else {
      this.fail(batch.changes[0]!, error);
    }
    this.pump();
  }

  /** The mirror came to a revision: is it the one in which the batch under way was applied? */
  private observe(events: readonly MetadataEvent[]): void {
    const { batch } = this;
    const mark = events.find(({ key }) => key === batch?.session.markKey);
    if (batch === null || mark === undefined) return;
    if (mark.value === batch.number && this.mirror.isGap) {
      // It was applied, and of what it wrote others may have overwritten some since.
      this.markRevision = mark.revision;
      this.giveBack(batch, 'what it did cannot be told, since etcd has forgotten it');
    } else if (mark.value === batch.number) {
      batch.traces = { revision: mark.revision, written: new Set(events.map(({ key }) => key)) };
      if (batch.isInDoubt) this.doubt(batch);
    } else if (mark.value === undefined) {
      this.abandon(batch, 'the session of this node with etcd has ended');
    }
  }

  /** The batch may have been applied: when its traces are there, they tell how it went, else it is asked again. */
  private doubt(batch: Batch): void {
    batch.isInDoubt = true;
    const { traces, changes } = batch;
    if (traces === null) return;
    this.markRevision = traces.revision;
    // One that only asks has left no trace, and may be asked again.
    const asking = changes.filter(({ writes }) => writes.length === 0);
    const writing = changes.filter(({ writes }) => writes.length > 0);
    this.pending.unshift(...asking);
    const failedKeys = writing.map((change) => failedKeyBy(traces.written, change));
    this.done({ ...batch, changes: writing }, traces.revision, failedKeys);
  }

  /** `failedKeys`: for each change the key whose guard did not hold, null when it was applied. */
  private done(batch: Batch, revision: Revision, failedKeys: readonly (string | null)[]): void {
    this.batch = null;
    this.retry?.cancel();
    for (const [i, change] of batch.changes.entries()) {
      const key = failedKeys[i]!;
      change.deadline.cancel();
      // Whoever was refused has to see what stood against it, too, or it would be refused for it again.
      void this.mirror.at(revision).then(() => {
        if (key !== null) change.reject(new GuardFailedError(key));
        else change.resolve(revision);
      });
    }
    this.pump();
  }

  private abandon(batch: Batch, why: string): void {
    const isLost = this.session === batch.session;
    if (isLost) this.session = null;
    this.giveBack(batch, why);
    if (isLost) this.onSessionLost?.(batch.session, why);
  }

  private giveBack(batch: Batch, why: string): void {
    this.batch = null;
    this.retry?.cancel();
    this.log.warn({ changes: batch.changes.length }, `changes of metadata were given up: ${why}`);
    for (const change of batch.changes) this.fail(change, new EtcdError('unknown', why));
    this.pump();
  }

  private fail(change: Change, error: Error): void {
    change.deadline.cancel();
    change.reject(error);
  }
}

/** From what a revision wrote: the key of a guard that did not hold, null when the change was applied or had nothing to do. */
function failedKeyBy(written: ReadonlySet<string>, { guards, writes }: Change): string | null {
  if (writes.some(({ key }) => written.has(key))) return null;
  const puts = writes.some(({ value }) => value !== undefined);
  // A deletion leaves a trace where there was something, and this one asked for that.
  const missed = guards.find(({ key, revision }) => {
    return revision !== 'absent' && revision !== 0 && writes.some((write) => write.key === key);
  });
  if (missed !== undefined) return missed.key;
  return puts ? (guards[0]?.key ?? '') : null;
}

function failedGuard({ guards }: Change, { results }: EtcdTxnResult): string {
  const failed = guards.find(({ revision }, i) => {
    const found = (results[i] as EtcdEntry | null)?.modRevision ?? 0;
    return revision === 'present' ? found === 0 : found !== (revision === 'absent' ? 0 : revision);
  });
  return (failed ?? guards[0]!).key;
}

const clone = (value: JsonValue): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue;
