import type { MirrorRecord, Proposal } from '@chapar/cluster';

/** What etcd is to one queue: its record, who is registered, and guarded writes. */
export class SimRecord {
  revision = 1;
  record: MirrorRecord;
  recordRevision = 1;
  readonly sessions = new Map<string, number>();
  /** Called with each record, in order. */
  onChange: (record: MirrorRecord, revision: number) => void = () => {};

  constructor(record: MirrorRecord) {
    this.record = record;
  }

  register(id: string): number {
    this.sessions.set(id, ++this.revision);
    return this.revision;
  }

  /** False when it is another session's by now. */
  expire(id: string, session: number): void {
    if (this.sessions.get(id) === session) this.sessions.delete(id);
  }

  /** Applies the write if all its guards hold. */
  write(proposal: Proposal, guard: number, writer: { readonly id: string; readonly session: number }): boolean {
    const { next, joiner } = proposal;
    if (this.recordRevision !== guard || this.sessions.get(writer.id) !== writer.session) return false;
    if (joiner !== null && this.sessions.get(joiner.id) !== joiner.session) return false;
    this.put(next);
    return true;
  }

  put(record: MirrorRecord): void {
    this.record = record;
    this.recordRevision = ++this.revision;
    this.onChange(record, this.revision);
  }
}
