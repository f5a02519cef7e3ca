import type { Revision } from '@chapar/core';
import type { Membership } from '../membership/membership.js';
import type { DataId, MirrorRecord } from './record.js';
import type { Surroundings } from './replica.js';

/** So long nobody is suspected again who has just shown to live. Milliseconds. */
const trustMs = 15_000;

interface Neighbour {
  readonly node: string;
  readonly session: Revision;
  readonly boot: string;
}

/** Who is registered, by data id; and who of them may be taken for dead because nobody answers at their address. */
export class Neighbours implements Surroundings {
  readonly sessions = new Map<DataId, Revision>();
  resting: ReadonlySet<DataId> = new Set();
  private readonly byId = new Map<DataId, Neighbour>();
  private readonly self: DataId;
  private readonly isRefused: (node: string) => boolean;
  private readonly monotonicMs: () => number;
  /** Until when those are trusted who wrote a record while they were suspected. */
  private readonly trusted = new Map<DataId, number>();

  /** `isRefused`: links to that node are broken, and its machine says that nobody listens. */
  constructor(self: DataId, isRefused: (node: string) => boolean, monotonicMs: () => number) {
    this.self = self;
    this.isRefused = isRefused;
    this.monotonicMs = monotonicMs;
  }

  read({ members, maintenance }: Pick<Membership, 'members' | 'maintenance'>): void {
    this.resting = maintenance.resting;
    this.sessions.clear();
    this.byId.clear();
    for (const { node, session, record } of members.registrations()) {
      this.sessions.set(record.dataId, session);
      this.byId.set(record.dataId, { node, session, boot: record.boot });
    }
  }

  nodeOf(id: DataId): string | null {
    return this.byId.get(id)?.node ?? null;
  }

  /** Who is registered, with the names of their nodes. */
  nodes(): ReadonlyMap<DataId, string> {
    return new Map([...this.byId].map(([id, { node }]) => [id, node]));
  }

  /** Those of them on which something new may be placed: if nobody else is there, also those that are being drained. */
  open(): ReadonlyMap<DataId, string> {
    const nodes = this.nodes();
    const open = new Map([...nodes].filter(([id]) => !this.resting.has(id)));
    return open.size > 0 ? open : nodes;
  }

  *boots(): Iterable<string> {
    for (const { boot } of this.byId.values()) yield boot;
  }

  isLive = (id: DataId): boolean => {
    const neighbour = this.byId.get(id);
    if (neighbour === undefined || id === this.self) return neighbour !== undefined;
    return !this.isRefused(neighbour.node) || (this.trusted.get(id) ?? 0) > this.monotonicMs();
  };

  /** Whoever wrote a record lives: two nodes that cannot reach each other do not take the lead from each other for ever. */
  wrote({ nonce }: MirrorRecord): void {
    const [id] = nonce.split('/');
    if (id === undefined || id === this.self || this.isLive(id) || !this.byId.has(id)) return;
    this.trusted.set(id, this.monotonicMs() + trustMs);
  }
}
