import {
  type CopiesStatus,
  type CopiesView,
  type LeadMove,
  type MaintenanceView,
  type MirroredQueues,
  type Prospects,
  RefusedError,
} from '@chapar/management';
import type { FakeCluster } from './fake-membership.js';

/** Queues with copies as one node's API sees them: what is known is the whole cluster's, what is asked for is noted. */
export class FakeMirrored implements MirroredQueues {
  readonly cluster: FakeCluster;
  readonly name: string;
  state: MaintenanceView = { state: 'serving', moved: 0, left: [] };
  /** Why the next operation is refused. */
  refusal: string | null = null;

  constructor(cluster: FakeCluster, name: string) {
    this.cluster = cluster;
    this.name = name;
  }

  view(incarnation: string): CopiesView | null {
    const view = this.cluster.copies.get(incarnation);
    if (view === undefined) return null;
    const { gone, mutedFor } = this.cluster;
    const isOnline = (member: string) => !gone.has(member) && !mutedFor.get(this.name)?.has(member);
    return { ...view, online: view.members.filter(isOnline) };
  }

  *all(): Iterable<CopiesView> {
    for (const incarnation of this.cluster.copies.keys()) yield this.view(incarnation)!;
  }

  async status(incarnation: string): Promise<CopiesStatus | null> {
    const { leader, epoch, members, inSync } = this.view(incarnation)!;
    if (leader === null || this.cluster.gone.has(leader)) return null;
    const statusOf = (node: string, i: number) => {
      const isInSync = inSync.includes(node);
      return { node, isInSync, synced: 10 - i, lag: i, lagMs: i * 100.4, silentMs: i === 2 ? null : i };
    };
    return { leader, epoch, end: 10, committed: 9, isShort: false, members: members.map(statusOf) };
  }

  private async note(what: string): Promise<void> {
    if (this.refusal !== null) throw new RefusedError(this.refusal);
    this.cluster.done.push(`${this.name}: ${what}`);
  }

  add(incarnation: string, node: string): Promise<void> {
    return this.note(`add ${incarnation} ${node}`);
  }

  remove(incarnation: string, node: string): Promise<void> {
    return this.note(`remove ${incarnation} ${node}`);
  }

  async handOver(incarnation: string, node: string | null): Promise<string> {
    await this.note(`hand over ${incarnation} ${node}`);
    return node ?? 'chapar@c';
  }

  async prospects(incarnation: string): Promise<Prospects> {
    const view = this.view(incarnation)!;
    const { inSync, online, members } = view;
    const there = members.filter((node) => online.includes(node));
    const copies = there.map((node, i) => {
      return { node, epoch: 3, end: 10 - i, committed: 9 - i, messages: 2, silentMs: i === 0 ? 1500.4 : null };
    });
    return { view, present: inSync.filter((node) => online.includes(node)), copies };
  }

  promote(incarnation: string, node: string): Promise<void> {
    return this.note(`promote ${incarnation} ${node}`);
  }

  moves(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[] {
    const queues = [...this.all()].filter(isMeant);
    return queues.map(({ vhost, name, leader }) => ({ vhost, name, from: leader!, to: 'chapar@c' }));
  }

  rebalance(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[] {
    const moves = this.moves(isMeant);
    void this.note(`rebalance ${moves.map(({ name }) => name)}`);
    return moves;
  }

  maintenance(): MaintenanceView {
    return this.state;
  }

  async drain(): Promise<void> {
    await this.note('drain');
    this.state = { state: 'draining', moved: 2, left: [{ vhost: '/', name: 'q', why: 'nobody else is in sync' }] };
    this.cluster.resting.add(this.name);
  }

  async revive(): Promise<void> {
    await this.note('revive');
    this.state = { state: 'serving', moved: 0, left: [] };
    this.cluster.resting.delete(this.name);
  }
}
