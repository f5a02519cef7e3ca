import {
  CannotError,
  type ClusterNode,
  type DataId,
  EtcdError,
  type LeaderReport,
  type QueueMirrorRecord,
  type QueueMove,
  wantedOf,
} from '@chapar/cluster';
import type { Incarnation } from '@chapar/core';
import {
  type CopiesStatus,
  type CopiesView,
  type LeadMove,
  type MaintenanceView,
  type MirroredQueues,
  type Prospects,
  RefusedError,
} from '@chapar/management';

/** Copies say that they are there once a second: one that was not heard for so long answers nobody. Milliseconds. */
const muteMsMax = 2500;

/** The copies of mirrored queues as administrators see them and act on them: nodes go by their names there, and by their disks here. */
export class CopiesFace implements MirroredQueues {
  private readonly node: ClusterNode;
  /** By data id, as of a revision of metadata. */
  private names = new Map<DataId, string>();
  private namesAt = -1;

  constructor(node: ClusterNode) {
    this.node = node;
  }

  view(incarnation: Incarnation): CopiesView | null {
    const record = this.node.mirrors.recordOf(incarnation);
    return record === undefined ? null : this.viewOf(record);
  }

  *all(): Iterable<CopiesView> {
    for (const record of this.node.mirrors.allRecords()) yield this.viewOf(record);
  }

  async status(incarnation: Incarnation): Promise<CopiesStatus | null> {
    if (this.node.mirrors.recordOf(incarnation) === undefined) return null;
    const report = await this.node.steward.operations.status(incarnation);
    return report === null ? null : this.statusOf(report);
  }

  add(incarnation: Incarnation, node: string): Promise<void> {
    return refusing(() => this.node.steward.operations.add(incarnation, this.memberOf(node)));
  }

  remove(incarnation: Incarnation, node: string): Promise<void> {
    return refusing(() => this.node.steward.operations.remove(incarnation, this.memberOf(node, incarnation)));
  }

  handOver(incarnation: Incarnation, node: string | null): Promise<string> {
    const to = () => (node === null ? null : this.memberOf(node));
    return refusing(async () => this.nameOf(await this.node.steward.operations.handOver(incarnation, to())));
  }

  prospects(incarnation: Incarnation): Promise<Prospects> {
    return refusing(async () => {
      const { record, present, copies } = await this.node.steward.forced.prospects(incarnation);
      return {
        view: this.viewOf(record),
        present: present.map((id) => this.nameOf(id)),
        copies: copies.map(({ id, ...copy }) => ({ node: this.nameOf(id), ...copy })),
      };
    });
  }

  promote(incarnation: Incarnation, node: string): Promise<void> {
    return refusing(() => this.node.steward.forced.promote(incarnation, this.memberOf(node, incarnation)));
  }

  moves(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[] {
    const moves = this.node.steward.rebalancing.moves((record) => isMeant(this.viewOf(record)));
    return moves.map((move) => this.moveOf(move));
  }

  rebalance(isMeant: (queue: CopiesView) => boolean): readonly LeadMove[] {
    const moves = this.node.steward.rebalancing.begin((record) => isMeant(this.viewOf(record)));
    return moves.map((move) => this.moveOf(move));
  }

  maintenance(): MaintenanceView {
    return this.node.steward.drain.view();
  }

  drain(): Promise<void> {
    return refusing(() => this.node.steward.drain.begin());
  }

  revive(): Promise<void> {
    return refusing(() => this.node.steward.drain.revive());
  }

  // ---------------------------------------------------------------------------------------------------------------

  private viewOf(record: QueueMirrorRecord): CopiesView {
    const { vhost, name, incarnation, leader, epoch, min, replicas, inSync, wish } = record;
    const wanted = wantedOf(wish);
    return {
      vhost,
      name,
      incarnation,
      leader: leader === null ? null : this.nameOf(leader),
      epoch,
      min,
      members: replicas.map((id) => this.nameOf(id)),
      inSync: inSync.map((id) => this.nameOf(id)),
      online: replicas.filter((id) => this.isOnline(id, incarnation)).map((id) => this.nameOf(id)),
      wanted: Number.isFinite(wanted) ? wanted : null,
    };
  }

  /**
   * Its registration lasts for some seconds when a node has died. Whoever leads hears each copy once a second; others know at least when
   * nobody listens there any more.
   */
  private isOnline(id: DataId, incarnation: Incarnation): boolean {
    const { mirrors, dataId } = this.node;
    const { sessions, isLive } = mirrors.neighbours;
    if (!sessions.has(id) || !isLive(id)) return false;
    const leader = mirrors.of(incarnation)?.reign?.leader;
    if (leader === undefined || id === dataId) return true;
    const member = leader.members.get(id);
    if (member === undefined || member.session === 0) return this.node.isLinked(id);
    return mirrors.monotonicMs() - member.heardAtMs <= muteMsMax;
  }

  private statusOf({ leader, members, ...rest }: LeaderReport): CopiesStatus {
    return {
      ...rest,
      leader: this.nameOf(leader),
      members: members.map(({ id, ...member }) => ({ ...member, node: this.nameOf(id) })),
    };
  }

  private moveOf({ queue: { vhost, name }, from, to }: QueueMove): LeadMove {
    return { vhost, name, from: this.nameOf(from), to: this.nameOf(to) };
  }

  private nameOf(id: DataId): string {
    const { mirror, members } = this.node.membership;
    if (this.namesAt !== mirror.revision) {
      this.namesAt = mirror.revision;
      this.names = new Map(members.list().map(({ dataId, node }) => [dataId, node]));
    }
    return this.names.get(id) ?? id;
  }

  /** The disk that runs under this name now; for a queue, whichever of its members has the name, be it gone. Names may be data ids. */
  private memberOf(node: string, incarnation: Incarnation | null = null): DataId {
    const record = incarnation === null ? undefined : this.node.mirrors.recordOf(incarnation);
    const own = record?.replicas.find((id) => id === node || this.nameOf(id) === node);
    if (own !== undefined) return own;
    const live = this.node.membership.members.registrations().find((each) => each.node === node);
    if (live !== undefined) return live.record.dataId;
    throw new CannotError(
      incarnation === null
        ? `no node ${node} is running`
        : `${node} has no copy of the queue, and is no node that runs`,
    );
  }
}

async function refusing<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CannotError) throw new RefusedError(error.message);
    if (error instanceof EtcdError) throw new RefusedError(`etcd did not take it: ${error.message}`);
    throw error;
  }
}
