import {
  isVoid,
  type KeyedCondition,
  type KeyedReader,
  keyOf,
  lookedAt,
  type Message,
  type Origin,
  onlyAtOf,
  type Position,
  type Range,
  Ranges,
  type StoredReplica,
  sourceOfLetters,
} from '@chapar/core';
import { FoldReading } from './fold-reading.js';
import { Tombstones } from './tombstones.js';

/** An entry that has come and is not committed yet. */
interface Coming {
  readonly position: Position;
  readonly message: Message;
}

/** What an entry will come to when it is folded. */
export interface Foreseen {
  readonly key: string;
  /** Of the entry. */
  readonly position: Position;
  /** Where the key stands then; 0: nowhere. */
  readonly at: Position;
}

/** What a fold asks of its log. */
type FoldedLog = Pick<StoredReplica, 'end' | 'committed' | 'read' | 'originRows'>;

/** Told what need not stand in the log any more; whoever leads settles it. */
export interface DeadSink {
  /** A newer value took its place, or it had no effect. */
  replaced(position: Position): void;
  /** It says that a key ended, and is needed until what it ended is out of all logs. */
  ended(position: Position): void;
}

/**
 * One shard of a keyed log, folded as far as it is committed, on each node that has a copy: entries are taken from what is appended, so that
 * none has to be read again, and from the disk only at the beginning. What is committed is never cut, so the fold never goes back.
 *
 * A copy that lags is not told what was settled meanwhile, and so misses the ends of keys. It sees that a value no longer lives which nothing
 * has replaced that it knows of (an *orphan*); when it has come to where its leader was, that key is gone.
 */
export class ShardFold {
  /** Everything up to here that is committed was told to the reader. */
  folded: Position = 0;
  /** Set while this node leads. */
  sink: DeadSink | null = null;
  /** `folded` or `isExact` may have changed. */
  onProgress: (() => void) | null = null;
  /** Entries that are dead and still stand in the log: nobody has settled them yet. */
  readonly replaced = new Ranges();
  readonly tombstones = new Tombstones();
  private readonly orphans = new Ranges();
  private readonly log: FoldedLog;
  private readonly isOurs: (key: string) => boolean;
  private reader: KeyedReader | null = null;
  private reading: FoldReading | null = null;
  private coming: Coming[] = [];
  /** How far the log reached at the leader when it was last heard: what it had settled, something up to there has replaced. */
  private leaderAt: Position = 0;

  /** `isOurs`: the key is in this shard. */
  constructor(log: FoldedLog, isOurs: (key: string) => boolean) {
    this.log = log;
    this.isOurs = isOurs;
  }

  /** From now on the reader is told everything, first what the disk has. Resolves when that was read. */
  open(reader: KeyedReader): Promise<void> {
    this.reader = reader;
    return this.readAll();
  }

  private readAll(): Promise<void> {
    return new Promise((resolve) => {
      const read = (position: Position, message: Message): void => this.insert({ position, message });
      this.reading = new FoldReading(this.log, { read, upTo: () => this.committed() }, () => {
        this.reading = null;
        this.committed();
        resolve();
      });
      this.reading.goOn();
    });
  }

  get isOpen(): boolean {
    return this.reader !== null;
  }

  /** Nothing of it is on this node any more. */
  close(): void {
    this.reading?.stop();
    this.clear();
    this.reader = null;
  }

  private clear(): void {
    const { reader } = this;
    if (reader === null) return;
    const keys = [...reader.entries(() => true)].filter(({ key }) => this.isOurs(key));
    for (const { key, position } of keys) reader.changed(key, null, position);
  }

  /** The reader has what is committed, and nothing that is not. */
  get isExact(): boolean {
    return this.reader !== null && this.reading === null && this.orphans.isEmpty;
  }

  /** The reader has that publish, if the log does, and all before it of a process, whose publishes are taken in their order. */
  has(origin: Origin, sequence: number): boolean {
    if (sourceOfLetters(origin) === null) return this.upToOf(origin) >= sequence;
    if (this.folded < this.log.committed) return false;
    const row = this.log.originRows().find((each) => each.origin === origin);
    if (row === undefined || row.low >= sequence) return row !== undefined;
    return row.held.some(({ first, last }) => first <= sequence && sequence <= last);
  }

  /** Up to which publish of that origin it `has` all; 0: none, or it cannot be said now. */
  upToOf(origin: Origin): number {
    if (this.folded < this.log.committed) return 0;
    const row = this.log.originRows().find((each) => each.origin === origin);
    return row === undefined ? 0 : Math.max(row.low, row.held.at(-1)?.last ?? 0);
  }

  // ---- what happens to the log -------------------------------------------------------------------------------------

  appended(position: Position, message: Message): void {
    // Whoever reads comes to it.
    if (this.reader === null || this.reading?.appended(position) === true) return;
    if (position <= this.folded) this.back(position, message);
    else this.insert({ position, message });
  }

  /** Mostly at the end; what is read stands before what comes meanwhile. */
  private insert(entry: Coming): void {
    const { coming } = this;
    let [low, high] = [0, coming.length];
    if (high === 0 || coming[high - 1]!.position < entry.position) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (coming[middle]!.position < entry.position) low = middle + 1;
      else high = middle;
    }
    coming.splice(low, coming[low]?.position === entry.position ? 1 : 0, entry);
  }

  cut(after: Position): void {
    if (after < this.folded) {
      this.beginAnew();
      return;
    }
    this.coming = this.coming.filter(({ position }) => position <= after);
    this.reading?.cut(after);
  }

  /** Somebody had a copy lead that lacked what was committed: the others lose that, too. */
  private beginAnew(): void {
    const { reader } = this;
    this.reading?.stop();
    this.clear();
    this.folded = 0;
    this.coming = [];
    for (const set of [this.replaced, this.orphans]) set.remove(1, set.last);
    this.tombstones.take(1, Number.POSITIVE_INFINITY);
    if (reader !== null) void this.readAll();
  }

  /** More is committed, or was read. */
  committed(): void {
    if (this.reader === null) return;
    const { coming, reading } = this;
    const upTo = Math.min(this.log.committed, reading?.readUpTo ?? Number.POSITIVE_INFINITY);
    let count = 0;
    while (count < coming.length && coming[count]!.position <= upTo) {
      const { position, message } = coming[count++]!;
      this.apply(position, message);
    }
    if (count > 0) this.coming = coming.slice(count);
    this.folded = Math.max(this.folded, upTo);
    // A follower has yet to hear what became of the rest.
    if (this.sink !== null || reading !== null) this.clearOrphans();
    this.onProgress?.();
  }

  /** These lived, and do not any more. */
  settled(ranges: Iterable<Range>): void {
    for (const range of ranges) {
      const { first, last } = range;
      this.reading?.settled(range);
      if (this.coming.length > 0 && this.coming[0]!.position <= last)
        this.coming = this.coming.filter(({ position }) => position < first || position > last);
      const told = new Ranges();
      told.add(first, Math.min(last, this.folded));
      for (const gone of this.tombstones.take(first, last)) told.remove(gone, gone);
      for (const each of told.minus(this.replaced.within(first, last))) this.orphans.add(each.first, each.last);
      this.replaced.remove(first, last);
    }
  }

  /** What the leader said was taken, all of it. */
  caughtUp(): void {
    this.clearOrphans();
    this.onProgress?.();
  }

  /** This node leads from here on: whatever another leader settled, something before this has replaced. */
  leads(first: Position, sink: DeadSink): void {
    this.sink = sink;
    this.leaderAt = first;
  }

  /** What whoever leads is about to say: how far it is committed there; `end`: how far its log goes, where a conversation begins. */
  heard(committed: Position, end: Position | null): void {
    this.leaderAt = end === null ? Math.max(this.leaderAt, committed) : Math.max(end, committed);
  }

  // ---- conditions --------------------------------------------------------------------------------------------------

  /** Whether it can be said what stands where. */
  get isReadable(): boolean {
    return this.reader !== null && this.reading === null;
  }

  /** What came and is not folded yet. */
  *unfolded(): Iterable<Foreseen> {
    for (const { position, message } of this.coming)
      if (!isVoid(message)) yield { key: keyOf(message), position, at: message.bodyBytes === 0 ? 0 : position };
  }

  /** The key that a condition looks at. */
  lookedAt(key: string, condition: KeyedCondition): string {
    return lookedAt(this.reader!, key, condition);
  }

  // ---- what it comes to --------------------------------------------------------------------------------------------

  private apply(position: Position, message: Message): void {
    const reader = this.reader!;
    const key = keyOf(message);
    const onlyAt = onlyAtOf(message);
    if (isVoid(message) || (onlyAt !== null && onlyAt !== this.standsAt(key))) {
      this.isDead(position);
      return;
    }
    // A message may be a view of a whole batch, and the reader keeps what it is given.
    const value = message.bodyBytes === 0 ? null : Buffer.from(message.body());
    const before = reader.changed(key, value, position);
    if (before > 0) this.isReplaced(before);
    if (value !== null) return;
    this.tombstones.add(key, position);
    this.sink?.ended(position);
  }

  /** A value that lives no more counts as gone. */
  standsAt(key: string): Position {
    const position = this.reader!.positionOf(key);
    return this.orphans.has(position) ? 0 : position;
  }

  private isReplaced(position: Position): void {
    if (this.orphans.has(position)) this.orphans.remove(position, position);
    else this.isDead(position);
  }

  private isDead(position: Position): void {
    this.replaced.add(position, position);
    this.sink?.replaced(position);
  }

  /** An entry that was let go of too early is there again: a leader that was not told settles it once more. */
  private back(position: Position, message: Message): void {
    const key = keyOf(message);
    this.orphans.remove(position, position);
    const at = this.reader!.positionOf(key);
    if (at === position) return;
    if (isVoid(message) || at > position || this.tombstones.of(key) > position) this.isDead(position);
    else this.apply(position, message);
  }

  /** Keys whose values live no more although nothing replaced them: their ends were settled before this copy heard of them. */
  private clearOrphans(): void {
    const { orphans, reader } = this;
    if (orphans.isEmpty || reader === null || this.reading !== null || this.folded < this.leaderAt) return;
    const found = reader.entries((position) => orphans.has(position));
    const gone = [...found].filter(({ key }) => this.isOurs(key));
    for (const { key, position } of gone) reader.changed(key, null, position);
    orphans.remove(1, orphans.last);
  }
}
