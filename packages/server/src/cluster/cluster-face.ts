import { CannotForgetError, type ClusterNode, nodeKey, type RegistrationRecord } from '@chapar/cluster';
import type { JsonValue } from '@chapar/core';
import {
  type ClusterView,
  type EtcdView,
  type LinkView,
  type Losses,
  type Membership,
  type MemberView,
  RefusedError,
} from '@chapar/management';
import type { Clock, Timer } from '@chapar/platform';
import type { MembershipOptions } from '../config/membership-options.js';
import { CopiesFace } from './copies-face.js';

/** Another node's API answers within this or not at all. Milliseconds. */
const answerMsMax = 2000;
const lookEveryMs = 1000;

/** The cluster as administrators see it and act on it: what the management API asks for, from this node of it. */
export class ClusterFace implements Membership {
  readonly mirrored: CopiesFace;
  private readonly node: ClusterNode;
  private readonly clock: Clock;
  private readonly endpoints: readonly string[];
  private readonly leaseSeconds: number;
  /** By session of the peer. */
  private links = new Map<number, LinkView>();
  /** Since when a data directory is registered or gone, as far as that was seen from here. */
  private readonly since = new Map<string, number>();
  private readonly stopWatch: () => void;
  private readonly timer: Timer;

  constructor(node: ClusterNode, clock: Clock, { etcd, leaseSeconds }: MembershipOptions) {
    this.node = node;
    this.clock = clock;
    this.endpoints = etcd;
    this.leaseSeconds = leaseSeconds;
    this.mirrored = new CopiesFace(node);
    const { mirror, dataId } = node.membership;
    this.since.set(dataId, clock.wallMs());
    const lastOf = new Map(node.membership.members.registrations().map(({ node, record }) => [nodeKey(node), record]));
    this.stopWatch = mirror.watch(nodeKey(''), mirror.revision, (events) => {
      for (const { key, value } of events) {
        const record = (value as RegistrationRecord | undefined) ?? lastOf.get(key);
        if (record !== undefined) this.since.set(record.dataId, clock.wallMs());
        if (value === undefined) lastOf.delete(key);
        else lastOf.set(key, value as unknown as RegistrationRecord);
      }
    });
    this.timer = clock.every(lookEveryMs, () => this.lookAtLinks());
  }

  close(): void {
    this.stopWatch();
    this.timer.cancel();
  }

  view(): ClusterView {
    const { membership } = this.node;
    this.lookAtLinks();
    return {
      id: membership.cluster,
      prefix: membership.prefix.replace(/\/$/, ''),
      leaseSeconds: this.leaseSeconds,
      revision: membership.mirror.revision,
      etcd: this.etcd(),
      members: this.members(),
    };
  }

  async ask(node: string, kind: string, body: JsonValue): Promise<JsonValue> {
    const relation = this.node.listRelations().find(({ peer }) => peer.node === node);
    if (relation === undefined) throw new Error('it is not registered');
    let timer: Timer | null = null;
    const late = new Promise<never>((_resolve, reject) => {
      timer = this.clock.after(answerMsMax, () => reject(new Error(`no answer within ${answerMsMax / 1000} s`)));
    });
    try {
      return await Promise.race([relation.control.ask(kindOf(kind), body), late]);
    } finally {
      (timer as Timer | null)?.cancel();
    }
  }

  answer(kind: string, answerer: (body: JsonValue) => JsonValue | Promise<JsonValue>): void {
    this.node.gossip.answer(kindOf(kind), async (body) => answerer(body));
  }

  async losses(member: string): Promise<Losses | null> {
    try {
      return lossesOf(this.node.membership.members.losses(member));
    } catch (error) {
      if (!(error instanceof CannotForgetError)) throw error;
      if (!this.node.membership.members.list().some(({ node }) => node === member)) return null;
      throw new RefusedError(error.message);
    }
  }

  async forget(member: string): Promise<Losses> {
    try {
      return lossesOf(await this.node.membership.members.forget(member));
    } catch (error) {
      if (error instanceof CannotForgetError) throw new RefusedError(error.message);
      throw error;
    }
  }

  // ---------------------------------------------------------------------------------------------------------------

  private etcd(): EtcdView {
    const { health, registration } = this.node.membership;
    const { reachable, sinceMs, error, stranger, alarms, version, databaseBytes } = health.view();
    const held = registration.session === null ? 'none' : registration.isSure ? 'held' : 'unsure';
    return {
      endpoints: this.endpoints,
      isReachable: reachable,
      sinceMs,
      trouble: stranger ?? error,
      alarms,
      version,
      databaseBytes,
      registration: held,
    };
  }

  private members(): MemberView[] {
    const { members, maintenance, dataId: here } = this.node.membership;
    const { resting } = maintenance;
    const sessions = new Map(this.node.listRelations().map(({ peer }) => [peer.dataId, peer.session]));
    return members.list().map(({ dataId, node: name, live }): MemberView => {
      const isHere = dataId === here;
      const session = sessions.get(dataId);
      return {
        name,
        dataId,
        isHere,
        // This node knows that it lives, also while etcd has lost sight of it.
        isLive: live !== null || isHere,
        isResting: resting.has(dataId),
        sinceMs: this.since.get(dataId) ?? null,
        address: live?.address ?? '',
        version: String(live?.versions['chapar'] ?? ''),
        link: isHere || live === null ? null : this.linkOf(session),
      };
    });
  }

  private linkOf(session: number | undefined): LinkView {
    const link = session === undefined ? undefined : this.links.get(session);
    return link ?? { isUp: false, sinceMs: this.clock.wallMs(), reason: 'not tried yet', dropped: 0 };
  }

  /** Notes which links came and broke since it was looked at last. */
  private lookAtLinks(): void {
    const nowMs = this.clock.wallMs();
    const links = new Map<number, LinkView>();
    for (const { peer, link, control, home } of this.node.listRelations()) {
      const isUp = link.isUp && control.isOpen;
      const before = this.links.get(peer.session);
      const sinceMs = before !== undefined && before.isUp === isUp ? before.sinceMs : nowMs;
      const reason = isUp ? '' : this.node.troubleWith(peer.node) || 'it did not reach this node';
      links.set(peer.session, { isUp, sinceMs, reason, dropped: home.ends.droppedCount });
    }
    this.links = links;
  }
}

/** Questions of the API among all that nodes ask each other. */
const kindOf = (kind: string): string => `api.${kind}`;

function lossesOf({ node: name, dataId, queues }: ReturnType<ClusterNode['membership']['members']['losses']>): Losses {
  return { name, dataId, queues };
}
