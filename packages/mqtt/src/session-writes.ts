import type { KeyedCondition, SharedKeyedLog } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { SessionTable } from './session-table.js';

/** After a refusal: nobody leads, or there are not enough copies. Milliseconds. */
const againMs = 200;

/** Of one key: what is to be written, or was and is not answered. */
interface Write {
  /** Null: the key ends. Undefined: nothing but what is under way. */
  next: Buffer | null | undefined;
  dones: (() => void)[];
}

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
    if (isOver) for (const each of overs ?? []) each();
  }

  /** As `write`; resolves also when the session is somebody else's. */
  written(key: string, value: Buffer | null): Promise<void> {
    return new Promise((resolve) => {
      this.whenOver(resolve);
      this.write(key, value, resolve);
    });
  }

  private whenOver(told: () => void): void {
    if (this.over) told();
    else (this.overs ??= []).push(told);
  }

  /** `done`: when it is on enough disks, and nobody else has the session; else never. */
  write(key: string, value: Buffer | null, done: (() => void) | null): void {
    if (this.over) return;
    this.writes ??= new Map();
    let write = this.writes.get(key);
    const isUnderWay = write !== undefined;
    if (write === undefined) this.writes.set(key, (write = { next: undefined, dones: [] }));
    write.next = value;
    if (done !== null) write.dones.push(done);
    if (!isUnderWay) void this.carryOut(key, write);
  }

  private async carryOut(key: string, write: Write): Promise<void> {
    while (write.next !== undefined && !this.over) {
      const value = write.next;
      const { dones } = write;
      write.next = undefined;
      write.dones = [];
      const isAnswered = await this.log.change(key, value, this.onlyIf);
      if (this.over) return;
      if (isAnswered && this.shows(key, value)) for (const done of dones) done();
      else await this.again(write, value, dones);
    }
    this.writes?.delete(key);
    if (this.writes?.size === 0) this.writes = this.overs = null;
  }

  private async again(write: Write, value: Buffer | null, dones: (() => void)[]): Promise<void> {
    await new Promise<void>((resolve) => this.clock.after(againMs, resolve));
    write.dones = [...dones, ...write.dones];
    if (write.next === undefined) write.next = value;
  }

  private shows(key: string, value: Buffer | null): boolean {
    const found = this.table.valueAt(key);
    return value === null ? found === null : found?.equals(value) === true;
  }
}
