import type { Broker, Incarnation, SharedQueue } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { Membership } from './membership/membership.js';
import { Faces } from './remote/faces.js';
import { MirroredQueue } from './remote/mirrored-queue.js';
import { RemoteHome, type RemoteHomeParts } from './remote/remote-home.js';
import { RemoteQueue } from './remote/remote-queue.js';
import { tagOf } from './residence.js';

/** Beyond the time that a lease lasts, for what is under way to a node that cannot be reached. Milliseconds. */
const holdMarginMs = 5000;

/** The other nodes of the cluster as homes of queues, by the data id of their directories. Those that are gone are among them, as long as queues name them. */
export class Homes {
  private readonly membership: Membership;
  private readonly clock: Clock;
  private readonly holdMs: number;
  private readonly byDataId = new Map<string, RemoteHome>();
  private broker: Broker | null = null;
  private number = 0;
  /** Of the mirrored queues: those that lead them are among the homes. */
  private ownFaces: Faces | null = null;

  constructor(membership: Membership, clock: Clock, leaseSeconds: number) {
    this.membership = membership;
    this.clock = clock;
    this.holdMs = leaseSeconds * 1000 + holdMarginMs;
  }

  /** Before the broker opens. */
  attach(broker: Broker): void {
    this.broker = broker;
  }

  [Symbol.iterator](): Iterator<RemoteHome> {
    return this.byDataId.values();
  }

  of(dataId: string): RemoteHome {
    let home = this.byDataId.get(dataId);
    if (home !== undefined) return home;
    home = this.make(dataId, false);
    this.byDataId.set(dataId, home);
    return home;
  }

  /** This node, as the leader of mirrored queues. */
  own(): RemoteHome {
    return this.make(this.membership.dataId, true);
  }

  get faces(): Faces {
    const { topology, alarms } = this.broker!;
    this.ownFaces ??= new Faces({
      clock: this.clock,
      nextNumber: () => ++this.number,
      revisionOf: (queue) => topology.revisionOf(queue),
      onBehind: (isBehind) => {
        const source = 'pace of mirrored queues';
        if (isBehind) alarms.raise(source, 'leaders of mirrored queues are behind', false);
        else alarms.clear(source);
      },
    });
    return this.ownFaces;
  }

  private make(dataId: string, isOwn: boolean): RemoteHome {
    const { turn, topology, alarms } = this.broker!;
    const { faces } = this;
    const parts: RemoteHomeParts = {
      turn,
      isOwn,
      onLeads: (home, incarnation, epoch) => faces.heard(home, incarnation, epoch),
      onLeft: (home, incarnation, epoch) => faces.left(home, incarnation, epoch),
      onLost: (home) => faces.lost(home),
      clock: this.clock,
      revisionOf: (queue: SharedQueue) => topology.revisionOf(queue),
      vhost: (name: string) => topology.vhosts.get(name) ?? null,
      onBehind: ({ node }: RemoteHome, isBehind: boolean) => {
        if (isBehind) alarms.raise(`pace of ${dataId}`, `${node} is behind`, false);
        else alarms.clear(`pace of ${dataId}`);
      },
      nextNumber: () => ++this.number,
    };
    return new RemoteHome(parts, dataId, isOwn ? this.membership.node : this.nameOf(dataId));
  }

  private nameOf(dataId: string): string {
    return this.membership.members.list().find((member) => member.dataId === dataId)?.node ?? dataId;
  }

  byTag(tag: string): RemoteHome | null {
    for (const home of this.byDataId.values()) if (home.isRegistered && tagOf(home.dataId) === tag) return home;
    return null;
  }

  /** How many queues each node that takes part now has; those that are being drained take none, unless there is nobody else. */
  loads(): Map<string, number> {
    const here = this.membership.dataId;
    const linked = [...this.byDataId.values()].filter(({ isLinked }) => isLinked).map(({ dataId }) => dataId);
    const { resting } = this.membership.maintenance;
    const open = [here, ...linked].filter((dataId) => !resting.has(dataId));
    const loads = new Map<string, number>((open.length > 0 ? open : [here]).map((dataId) => [dataId, 0]));
    for (const vhost of this.broker!.topology.vhosts.values()) {
      for (const queue of vhost.queues.values()) {
        const at = this.placeOf(queue);
        const load = at === null ? undefined : loads.get(at);
        if (load !== undefined) loads.set(at!, load + 1);
      }
    }
    return loads;
  }

  private placeOf(queue: SharedQueue): string | null {
    if (queue instanceof MirroredQueue) return queue.leaderId;
    return queue instanceof RemoteQueue ? queue.host.dataId : this.membership.dataId;
  }

  /** Called now and then: what waits too long is given up. */
  tick(): void {
    const nowMs = this.clock.monotonicMs();
    for (const home of this.byDataId.values()) home.tick(nowMs, this.holdMs);
    this.faces.tick(this.holdMs);
  }
}

/** What a directory has known, by its copy of the metadata. */
export type KnownIncarnations = ReadonlySet<Incarnation>;
