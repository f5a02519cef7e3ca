import {
  type OriginRow,
  Origins,
  type Position,
  type Provenance,
  type Range,
  type ReplicaChange,
  type ReplicaMark,
} from '@chapar/core';

interface Held {
  readonly provenance: Provenance | null;
  readonly body: string;
}

/** What one operation on a replica does to a model of it. */
export type ReplicaOperation = (model: ReplicaModel) => void;

/** A replica as plain maps, without a disk. */
export class ReplicaModel {
  end = 0;
  committed = 0;
  starts: { epoch: number; first: number }[] = [];
  readonly live = new Map<Position, Held>();
  private readonly pending = new Map<Position, ReplicaMark>();
  private readonly returns = new Map<Position, number>();
  private readonly origins = new Origins();
  private readonly tail = new Map<Position, Provenance>();

  begin(epoch: number, first: Position): void {
    this.starts.push({ epoch, first });
    this.end = first;
  }

  append(position: Position, held: Held): void {
    this.live.set(position, held);
    this.end = Math.max(this.end, position);
    if (held.provenance === null) return;
    if (position > this.committed) this.tail.set(position, held.provenance);
    else this.origins.add(held.provenance);
  }

  pass(upTo: Position): void {
    this.end = Math.max(this.end, upTo);
  }

  cut(after: Position): void {
    for (const position of [...this.live.keys()]) if (position > after) this.drop(position);
    for (const position of [...this.tail.keys()]) if (position > after) this.tail.delete(position);
    this.starts = this.starts.filter(({ first }) => first <= after);
    this.end = after;
  }

  change(change: ReplicaChange): void {
    if (change.kind === 'forget') this.origins.forget(change.origin);
    else if (change.kind === 'settle') {
      for (const position of [...this.live.keys()])
        if (position >= change.first && position <= change.last) this.drop(position);
    } else if (!this.live.has(change.position)) return;
    else if (change.kind === 'pend') this.pending.set(change.position, change);
    else this.returns.set(change.position, Math.max(change.count, this.returns.get(change.position) ?? 0));
  }

  restate(upTo: Position, live: readonly Range[], marks: readonly ReplicaMark[]): void {
    for (const position of [...this.live.keys()]) {
      if (position > upTo) continue;
      this.pending.delete(position);
      this.returns.delete(position);
      if (!live.some(({ first, last }) => position >= first && position <= last)) this.live.delete(position);
    }
    for (const mark of marks) this.change(mark);
  }

  merge(rows: readonly OriginRow[]): void {
    this.origins.merge(rows);
  }

  commit(position: Position): void {
    this.committed = Math.max(position, this.committed);
    for (const [at, provenance] of [...this.tail]) {
      if (at > position) continue;
      this.origins.add(provenance);
      this.tail.delete(at);
    }
  }

  /** Everything that can be asked, in a form that can be compared. */
  told(): unknown {
    const all = new Origins();
    all.merge(this.origins.table());
    for (const provenance of this.tail.values()) all.add(provenance);
    return {
      end: this.end,
      committed: this.committed,
      starts: [...this.starts],
      live: [...this.live].sort(([a], [b]) => a - b).map(([at, { provenance, body }]) => ({ at, provenance, body })),
      pending: [...this.pending.values()].sort((a, b) => a.position - b.position),
      returns: [...this.returns].sort(([a], [b]) => a - b),
      origins: sorted(this.origins.table()),
      allOrigins: sorted(all.table()),
    };
  }

  private drop(position: Position): void {
    this.live.delete(position);
    this.pending.delete(position);
    this.returns.delete(position);
  }
}

export function sorted(rows: readonly OriginRow[]): OriginRow[] {
  return [...rows].sort((a, b) => (a.origin < b.origin ? -1 : 1));
}
