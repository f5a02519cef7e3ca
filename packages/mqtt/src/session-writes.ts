import type { ChangeSink, KeyedCondition, SharedKeyedLog } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import type { SessionTable } from './session-table.js';
import type { WriteSink } from './write-sink.js';

/** After a refusal: nobody leads, or there are not enough copies. Milliseconds. */
const againMs = 200;
/** So many that are done are kept for those that come, of whichever session. */
const spareMax = 4096;

/** Of one key: what is to be written, or was and is not answered. It is used again, since there may be one for each message. */
class Write implements ChangeSink {
  writes: SessionWrites | null = null;
  key = '';
  /** On its way; null: the key ends. */
  value: Buffer | null = null;
  /** To be written behind that; undefined: nothing. */
  next: Buffer | null | undefined = undefined;
  /** Who is told, with what. The first `count` of them of what is on its way. */
  readonly sinks: WriteSink[] = [];
  readonly ids: number[] = [];
  readonly ats: number[] = [];
  count = 0;

  changed(isAnswered: boolean): void {
    this.writes!.answered(this, isAnswered);
  }
}

const spare: Write[] = [];

/** What one owner writes of a session: again until it is there, or the session is somebody else's. Of one key one is under way at a time. */
export class SessionWrites {
  private over = false;
  private overs: (() => void)[] | null = null;
  private readonly log: SharedKeyedLog;
  private readonly table: SessionTable;
  private readonly onlyIf: KeyedCondition;
  private readonly clock: Clock;
  /** Null: most sessions have nothing under way. */
  private writes: Map<string, Write> | null = null;
  /** Those that were refused. */
  private refused: Write[] = [];
  private timer: Timer | null = null;

  constructor(log: SharedKeyedLog, table: SessionTable, onlyIf: KeyedCondition, clock: Clock) {
    this.log = log;
    this.table = table;
    this.onlyIf = onlyIf;
    this.clock = clock;
  }

  get isOver(): boolean {
    return this.over;
  }

  set isOver(isOver: boolean) {
    this.over = isOver;
    const { overs } = this;
    this.overs = null;
    if (!isOver) return;
    this.timer?.cancel();
    this.refused = [];
    this.writes = null;
    for (const each of overs ?? []) each();
  }

  /** As `write`; resolves also when the session is somebody else's. */
  written(key: string, value: Buffer | null): Promise<void> {
    return new Promise((resolve) => {
      this.whenOver(resolve);
      this.write(key, value, { written: () => resolve() });
    });
  }

  private whenOver(told: () => void): void {
    if (this.over) told();
    else (this.overs ??= []).push(told);
  }

  /** `sink`: told, with these numbers, when it is on enough disks, and nobody else has the session; else never. */
  write(key: string, value: Buffer | null, sink: WriteSink | null, id = 0, at = 0): void {
    if (this.over) return;
    this.writes ??= new Map();
    let write = this.writes.get(key);
    const isUnderWay = write !== undefined;
    if (write === undefined) this.writes.set(key, (write = this.begin(key)));
    write.next = value;
    if (sink !== null) {
      write.sinks.push(sink);
      write.ids.push(id);
      write.ats.push(at);
    }
    if (!isUnderWay) this.submit(write);
  }

  private begin(key: string): Write {
    const write = spare.pop() ?? new Write();
    write.writes = this;
    write.key = key;
    return write;
  }

  private submit(write: Write): void {
    if (write.next !== undefined) write.value = write.next;
    write.next = undefined;
    write.count = write.sinks.length;
    this.log.submit(write.key, write.value, this.onlyIf, write);
  }

  /** What came of one that was under way. */
  answered(write: Write, isAnswered: boolean): void {
    if (this.over) letGo(write);
    else if (!isAnswered || !this.shows(write)) this.again(write);
    else {
      tell(write);
      // Whoever was told may have lost the session by that, or have more to write.
      if (this.over) letGo(write);
      else if (write.next !== undefined) this.submit(write);
      else this.done(write);
    }
  }

  private done(write: Write): void {
    this.writes!.delete(write.key);
    if (this.writes!.size === 0) this.writes = this.overs = null;
    letGo(write);
  }

  private again(write: Write): void {
    this.refused.push(write);
    if (this.refused.length > 1) return;
    this.timer = this.clock.after(againMs, () => {
      const { refused } = this;
      this.refused = [];
      for (const each of refused) if (!this.over) this.submit(each);
    });
  }

  private shows({ key, value }: Write): boolean {
    const found = this.table.valueAt(key);
    return value === null ? found === null : found?.equals(value) === true;
  }
}

/** Those that wait for what was on its way. */
function tell({ sinks, ids, ats, count }: Write): void {
  for (let i = 0; i < count; i++) sinks[i]!.written(ids[i]!, ats[i]!);
  if (sinks.length === count) sinks.length = ids.length = ats.length = 0;
  else for (const list of [sinks, ids, ats]) list.splice(0, count);
}

function letGo(write: Write): void {
  write.writes = write.value = null;
  write.next = undefined;
  write.sinks.length = write.ids.length = write.ats.length = 0;
  if (spare.length < spareMax) spare.push(write);
}
