import type { Broker, KeyedArrival, KeyedCondition, Residence, SharedKeyedLog } from '@chapar/core';
import { markKey } from './session-keys.js';
import type { SessionTable } from './session-table.js';

/** Before another try to say that they come. Milliseconds. */
const againMs = 1000;

/**
 * The sessions that a node kept while it was alone, on their way into the log of its cluster. While they come a mark says so, and whoever has
 * a client whose session is not there waits. Of one session the record comes last: it is there with all its identifiers, or not at all.
 */
export class BroughtSessions implements KeyedArrival {
  /** Whoever has taken the name meanwhile has another session, and nothing of the old one may come into that. */
  readonly onlyIf: KeyedCondition = { of: 'guard', at: 0 };
  private readonly table: SessionTable;
  private readonly residence: Residence;
  private readonly broker: Broker;
  /** This node brings some. */
  private isUnderWay = false;

  constructor(table: SessionTable, residence: Residence, broker: Broker) {
    this.table = table;
    this.residence = residence;
    this.broker = broker;
  }

  comesLast(key: string): boolean {
    return key[0] === 's';
  }

  async begin(to: SharedKeyedLog): Promise<void> {
    this.isUnderWay = true;
    const { turn, platform } = this.broker;
    while (!turn.isStopped && !(await to.change(markKey(this.residence.process), mark, null)))
      await new Promise<void>((done) => platform.clock.after(againMs, done));
  }

  end(to: SharedKeyedLog): void {
    this.isUnderWay = false;
    to.remove(markKey(this.residence.process), null, null);
  }

  /** The session is not there, and may be one of those that come. */
  mayBring(name: string): boolean {
    const { table, residence } = this;
    if (table.recordOf(name) !== null || table.ownerOf(name) !== null) return false;
    if (this.isUnderWay) return true;
    for (const process of table.bringing.keys()) if (residence.isProcessThere(process)) return true;
    return false;
  }

  /** Marks of processes that are gone, and one whose end was refused. */
  tick(log: SharedKeyedLog): void {
    for (const [process, at] of this.table.bringing) {
      const key = markKey(process);
      const isOwn = process === this.residence.process;
      const isOver = isOwn ? !this.isUnderWay : !this.residence.isProcessThere(process) && log.isOurs(key);
      if (isOver) log.remove(key, null, { of: 'key', at });
    }
  }
}

const mark = Buffer.from('1');
