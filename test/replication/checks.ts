import type { Leader, Mark } from '@chapar/cluster';
import type { SimReplicaLog } from './replica-log.js';

/** A promise was broken. */
export class Violation extends Error {}

/** Names a publish, and so a message. */
export const nameOf = (origin: string, sequence: number): string => `${origin}#${sequence}`;

/** What was promised so far, and whether it holds. */
export class Checks {
  /** Message of each committed position, as the first leader said that committed it; and the other way round. */
  readonly committed = new Map<number, string>();
  private readonly positions = new Map<string, number>();
  /** Confirmed to whoever published it. */
  readonly confirmed = new Set<string>();
  /** Some leader took a settlement of it; and those that all members have. */
  readonly settled = new Set<string>();
  private readonly settledForGood = new Set<string>();
  private readonly returns = new Map<string, number>();
  /** What stood where in which epoch. */
  private readonly written = new Map<string, string>();
  counts = { confirmed: 0, reigns: 0, resignations: 0, named: 0, settled: 0, cuts: 0, images: 0, fills: 0, joins: 0 };

  appended(epoch: number, position: number, name: string): void {
    const key = `${epoch}:${position}`;
    const before = this.written.get(key);
    if (before !== undefined && before !== name)
      throw new Violation(`epoch ${epoch} has two histories: ${before} and ${name} at ${position}`);
    this.written.set(key, name);
  }

  /** The leader says that everything up to its `committed` is; `from`: what it said before. */
  advanced(leader: Leader, log: SimReplicaLog, from: number, copies: (position: number) => number, min: number): void {
    for (const { first, last } of log.liveIn(from + 1, leader.committed)) {
      for (let position = first; position <= last; position++) this.commits(position, log);
    }
    const found = copies(leader.committed);
    if (found < min)
      throw new Violation(`${leader.committed} is committed with ${found} copies, and ${min} are promised`);
  }

  private commits(position: number, log: SimReplicaLog): void {
    const { origin, sequence } = log.entry(position)!.provenance!;
    const name = nameOf(origin, sequence);
    const before = this.committed.get(position);
    if (before !== undefined && before !== name)
      throw new Violation(`${position} was committed as ${before} and as ${name}`);
    const elsewhere = this.positions.get(name);
    if (elsewhere !== undefined && elsewhere !== position)
      throw new Violation(`${name} is committed twice: at ${elsewhere} and at ${position}`);
    this.committed.set(position, name);
    this.positions.set(name, position);
  }

  /** Everything that was promised, by the log of a leader whose reign counts. */
  holds(log: SimReplicaLog): void {
    for (const [position, name] of this.committed) {
      const entry = log.entry(position);
      const found = entry === undefined ? null : nameOf(entry.provenance!.origin, entry.provenance!.sequence);
      if (found !== null && found !== name) throw new Violation(`${position} was ${name} and is ${found}`);
      if (found === null && !this.settled.has(name)) throw new Violation(`${name}, committed at ${position}, is lost`);
      if (found !== null && this.settledForGood.has(name))
        throw new Violation(`${name}, settled at ${position}, rises again`);
      const count = this.returns.get(name);
      if (found !== null && count !== undefined && (log.state.returns.get(position)?.count ?? 0) < count)
        throw new Violation(`${name} was given back ${count} times, and that is forgotten`);
    }
  }

  confirms(origin: string, sequence: number): void {
    const name = nameOf(origin, sequence);
    this.confirmed.add(name);
    this.counts.confirmed++;
    if (!this.positions.has(name)) throw new Violation(`${name} was confirmed and is not committed`);
  }

  settles(position: number): void {
    this.counts.settled++;
    const name = this.committed.get(position);
    if (name !== undefined) this.settled.add(name);
  }

  settlesForGood(position: number): void {
    const name = this.committed.get(position);
    if (name !== undefined) this.settledForGood.add(name);
  }

  returnedForGood({ position, count }: Mark & { kind: 'returned' }): void {
    const name = this.committed.get(position);
    if (name !== undefined) this.returns.set(name, Math.max(count, this.returns.get(name) ?? 0));
  }

  /** The publishes of each origin stand in their order. */
  inOrder(): void {
    const last = new Map<string, number>();
    for (const [, name] of [...this.committed].sort(([a], [b]) => a - b)) {
      const [origin, sequence] = name.split('#');
      if (Number(sequence) < (last.get(origin!) ?? 0))
        throw new Violation(`${name} stands behind one published after it`);
      last.set(origin!, Number(sequence));
    }
  }
}

/** A replica's fold up to what is committed, to be compared. */
export function foldOf(log: SimReplicaLog, upTo: number): string {
  const { state } = log;
  const live = [...state.entries]
    .filter(([position]) => position <= upTo)
    .map(([position, { provenance }]) => `${position}=${nameOf(provenance!.origin, provenance!.sequence)}`);
  const marks = log.marksIn(1, upTo).map((mark) => JSON.stringify(mark));
  const origins = state.origins.table().map((row) => JSON.stringify(row));
  return JSON.stringify({
    live: live.sort(),
    marks: marks.sort(),
    origins: origins.sort(),
    history: state.history.upTo(upTo).starts,
  });
}
