import {
  type Broker,
  type Heir,
  type Incarnation,
  isStored,
  type JsonValue,
  type KeyedReader,
  type Later,
  type MetadataStore,
  type Mirroring,
  type MirroringWish,
  metadataKey,
  metadataKeyParts,
  type Queue,
  type QueueProperties,
  type Residence,
  type Revision,
  type SharedKeyedLog,
  type SharedQueue,
} from '@chapar/core';
import type { Clock, Log, Random, Timer } from '@chapar/platform';
import type { News } from './announcements.js';
import { Gossip } from './gossip.js';
import type { Guest } from './guest/guest.js';
import { revisionOfRecord } from './guest/guest-lines.js';
import { Leads } from './guest/leads.js';
import { Homes, type KnownIncarnations } from './homes.js';
import { Interest } from './interest.js';
import { Shards } from './keyed/shards.js';
import type { Membership } from './membership/membership.js';
import { Control } from './peer/control.js';
import type { Lane, LaneKind, PeerTransport } from './peer/lane.js';
import { Link } from './peer/link.js';
import { type LinkOwner, Links, type Peer } from './peer/links.js';
import { Loopback } from './peer/loopback.js';
import type { RemoteHome } from './remote/remote-home.js';
import type { LedQueue } from './replication/led-queue.js';
import { Mirrors } from './replication/mirrors.js';
import { mirroringOf } from './replication/placement.js';
import { Steward } from './replication/steward.js';
import { ClusterResidence, type ResidenceCluster } from './residence.js';
import type { Session } from './session.js';

export interface ClusterNodeOptions {
  /** Open, not registered. Belongs to the node from here on. */
  readonly membership: Membership;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What peers prove to each other that they know; null: certificates alone say who may speak. */
  readonly secret: string | null;
  readonly leaseSeconds: number;
  readonly known: KnownIncarnations;
}

/** A node that begins to serve waits so long for links to those that are there. Milliseconds. */
const linkPatienceMs = 2000;
const tickMs = 500;
/** Somebody who wants a name that is taken waits so long to see by what. Milliseconds. */
const claimPatienceMs = 1000;
/** A node that stops waits so long for others to lead what it leads. Milliseconds. */
const handOverMs = 2000;

/** What this node has to do with one other, in one session of each. */
export interface Relation {
  readonly peer: Peer;
  readonly home: RemoteHome;
  readonly link: Link;
  readonly control: Control;
}

/** This node as one of a cluster: its membership, its links, what it tells the others and hears from them. */
export class ClusterNode implements LinkOwner, ResidenceCluster {
  readonly membership: Membership;
  readonly residence: Residence;
  readonly interest = new Interest();
  readonly gossip: Gossip;
  /** Its copies of mirrored queues. */
  readonly mirrors: Mirrors;
  /** Of logs that all nodes share. */
  private readonly shards: Shards;
  /** What people do with all copies. */
  readonly steward: Steward;
  private readonly options: ClusterNodeOptions;
  private readonly links: Links;
  private readonly homes: Homes;
  private broker: Broker | null = null;
  /** Of the mirrored queues that this node leads. */
  readonly leads: Leads;
  private loopback: Loopback | null = null;
  private readonly relations = new Map<string, Relation>();
  private timer: Timer | null = null;

  constructor(options: ClusterNodeOptions) {
    const { membership, transport, clock, random, log, secret, leaseSeconds } = options;
    this.options = options;
    this.membership = membership;
    this.leads = new Leads(clock, {
      isAnyoneComing: () => this.isAnyoneComing(),
      revisionOf: (led) => this.revisionToKnow(led),
      hasApplied: (guest, revision) => this.hasApplied(guest, revision),
      recordMsMax: leaseSeconds * 1000,
    });
    this.homes = new Homes(membership, clock, leaseSeconds);
    this.residence = new ClusterResidence(this);
    const { cluster, node, mirror } = membership;
    this.gossip = new Gossip({ clock, log }, mirror, this.homes, this.interest, () => this.controls());
    this.links = new Links({ transport, mirror, clock, random, log, cluster, node, secret }, this);
    this.shards = new Shards({
      membership,
      neighbours: () => this.mirrors.neighbours,
      faces: () => this.homes.faces,
      turn: () => this.broker!.turn,
      clock,
      log,
      newId: () => random.uuid(),
      join: (incarnation) =>
        this.steward.operations.order(incarnation, { what: 'add', member: membership.dataId, isByHand: false }),
      linked: () => this.controls(),
    });
    this.mirrors = new Mirrors({
      membership,
      clock,
      log,
      shards: this.shards,
      isRefused: (peer) => this.links.isRefused(peer),
      hasKnown: (incarnation) => this.hasKnown(incarnation),
    });
    const ask = (dataId: string, kind: string, body: JsonValue) => this.ask(this.homes.of(dataId), kind, body);
    this.steward = new Steward({
      membership,
      mirrors: this.mirrors,
      gossip: this.gossip,
      clock,
      log,
      isAnyoneComing: () => this.isAnyoneComing(),
      ask,
    });
    this.gossip.answer('keyed', async (name) => this.shards.standing(name as string));
    this.gossip.answer('direct-end', (body) => this.hasDirectEnd(body as { vhost: string; routingKey: string }));
  }

  get metadata(): MetadataStore {
    return this.membership.metadata;
  }

  get dataId(): string {
    return this.membership.dataId;
  }

  /** Listens for peers, who are answered from `begin` on. Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return this.links.listen(host, port);
  }

  /** Before the broker opens, which asks its residence. */
  attach(broker: Broker): void {
    this.broker = broker;
    this.homes.attach(broker);
    this.mirrors.attach(broker);
    this.mirrors.onLeads = (led) => this.leads.leads(led);
    this.mirrors.onLeadsNoMore = (led) => this.leads.leadsNoMore(led, led.shard === null && !this.isThere(led.queue));
    const { dataId, boot, node } = this.membership;
    const own = { node, session: 0, dataId, boot };
    this.loopback = new Loopback({ turn: broker.turn, clock: this.options.clock }, this.link(own, this.homes.own()));
    this.loopback.open();
  }

  /** Whether its record is. */
  private isThere({ name, incarnation, properties }: Queue): boolean {
    return this.broker!.topology.vhosts.get(properties.vhost)?.queues.get(name)?.incarnation === incarnation;
  }

  private link(peer: Peer, home: RemoteHome): Link {
    const { turn, topology } = this.broker!;
    const { log, clock } = this.options;
    return new Link({ turn, topology, mirror: this.membership.mirror, clock, log, leads: this.leads }, peer, home);
  }

  /** The broker is open: peers are reached for. Resolves when this node can serve: it is linked to those that are there, or has tried. */
  async begin(): Promise<void> {
    const { membership, broker } = this;
    this.gossip.begin(broker!);
    this.mirrors.open();
    this.steward.open(broker!);
    membership.onBegan = (session) => this.began(session);
    membership.onEnded = () => this.ended();
    membership.onSure = () => this.mirrors.tickAll();
    membership.claims.onLost = (key) => this.claimLost(key);
    const { session } = membership;
    if (session !== null) this.began(session);
    this.tick();
    await this.linkedOrTried();
  }

  private began(session: Session): void {
    this.links.begin(session.revision);
    this.mirrors.began(session);
  }

  private ended(): void {
    this.mirrors.ended();
    this.links.end();
  }

  private async linkedOrTried(): Promise<void> {
    const { clock } = this.options;
    const untilMs = clock.monotonicMs() + linkPatienceMs;
    const isLinked = () => [...this.relations.values()].every(({ link, control }) => link.isUp && control.isOpen);
    while (!isLinked() && clock.monotonicMs() < untilMs) {
      await new Promise<void>((done) => clock.after(20, done));
    }
  }

  /** After the broker's doors and before its store: the others are told at once that this node is gone. */
  async close(): Promise<void> {
    this.timer?.cancel();
    this.steward.close();
    await this.mirrors.handOver(handOverMs);
    this.mirrors.close();
    this.membership.onEnded = null;
    await this.membership.close();
    await this.links.close();
    this.loopback?.close();
    this.gossip.close();
  }

  private tick(): void {
    this.homes.tick();
    this.gossip.sayAlarms();
    this.gossip.sayTally();
    const nowMs = this.options.clock.monotonicMs();
    for (const { link, home } of this.relations.values()) {
      if (home.isGivenUp) link.guest.leave();
      const dropped = home.ends.takeDropped(nowMs);
      if (dropped > 0)
        this.options.log.warn(
          { node: home.node, dropped },
          'messages of QoS 0 for clients of another node were dropped: there was no link to it, or it took too little',
        );
    }
    this.timer = this.options.clock.after(tickMs, () => this.tick());
  }

  // ---- links -----------------------------------------------------------------------------------------------------

  arrived(peer: Peer): void {
    const { turn } = this.broker!;
    const { log } = this.options;
    const home = this.homes.of(peer.dataId);
    const link = this.link(peer, home);
    this.relations.set(peer.node, { peer, home, link, control: new Control({ turn, log }, peer, this.gossip) });
  }

  opened(peer: Peer, kind: LaneKind, lane: Lane): void {
    const relation = this.relationTo(peer);
    if (relation === null) lane.close('the session is over');
    else if (kind === 'bulk') relation.link.opened(lane);
    else if (kind === 'replication') this.mirrors.lanes.opened(peer, lane);
    else relation.control.opened(lane);
  }

  accepted(peer: Peer, kind: LaneKind, lane: Lane): void {
    const relation = this.relationTo(peer);
    if (relation === null) lane.close('the session is over');
    else if (kind === 'bulk') relation.link.accepted(lane);
    else if (kind === 'replication') this.mirrors.lanes.accepted(peer, lane);
    else relation.control.accepted(lane);
  }

  departed(peer: Peer): void {
    const relation = this.relationTo(peer);
    if (relation === null) return;
    this.relations.delete(peer.node);
    relation.control.end();
    this.mirrors.lanes.departed(peer);
    const { dataId, boot } = peer;
    const next = this.membership.members.registrations().find(({ record }) => record.dataId === dataId);
    // The same process in another session, its own or this node's, has what lived in its memory.
    const isSame = next?.record.boot === boot;
    relation.link.end(isSame ? 'same' : next === undefined ? 'gone' : 'restarted');
    if (!isSame) this.gossip.departed(peer);
  }

  refused(): void {
    this.mirrors.tickAll();
  }

  /** Whether there is a link to that node now; there is one to this node itself. */
  isLinked(dataId: string): boolean {
    if (dataId === this.dataId) return true;
    for (const { peer, link } of this.relations.values()) if (peer.dataId === dataId) return link.isUp;
    return false;
  }

  /** A node that is registered, and not known to be dead, is not linked yet. */
  private isAnyoneComing(): boolean {
    const { sessions, isLive } = this.mirrors.neighbours;
    const linked = new Set<string>([this.dataId]);
    for (const { peer, link } of this.relations.values()) if (link.isUp) linked.add(peer.dataId);
    return [...sessions.keys()].some((id) => !linked.has(id) && isLive(id));
  }

  /** Who does not know a queue that was mirrored when it was declared has nothing of it. */
  private revisionToKnow(led: LedQueue): Revision {
    const isSuccessor = this.homes.faces.get(led.incarnation)?.isSuccessor === true;
    return isSuccessor ? revisionOfRecord(this.broker!.topology, led) : 0;
  }

  private hasApplied(guest: Guest, revision: Revision): boolean {
    for (const { link, control } of this.relations.values())
      if (link.guest === guest) return control.appliedRevision >= revision;
    // This node's own.
    return true;
  }

  private relationTo({ node, session }: Peer): Relation | null {
    const relation = this.relations.get(node);
    return relation?.peer.session === session ? relation : null;
  }

  *controls(): Iterable<Control> {
    for (const { control } of this.relations.values()) yield control;
  }

  /** For people who look. */
  listRelations(): readonly Relation[] {
    return [...this.relations.values()];
  }

  /** Why a registered peer is not reached; empty when it is, or when nothing is known. */
  troubleWith(node: string): string {
    return this.links.troubleWith(node);
  }

  // ---- asked by the residence ------------------------------------------------------------------------------------

  home(dataId: string): RemoteHome {
    return this.homes.of(dataId);
  }

  face(properties: QueueProperties, before?: SharedQueue): Heir {
    return this.homes.faces.face(properties, before);
  }

  keyedLog(name: string, reader: KeyedReader): Promise<SharedKeyedLog> {
    return this.shards.open(name, reader);
  }

  homeByTag(tag: string): RemoteHome | null {
    return this.homes.byTag(tag);
  }

  announce(news: News): void {
    this.gossip.announce(news);
  }

  seen(): Later<void> {
    return this.gossip.seen();
  }

  loads(): ReadonlyMap<string, number> {
    return this.homes.loads();
  }

  mirroring(properties: QueueProperties, wish: MirroringWish): Mirroring {
    const { placement, neighbours } = this.mirrors;
    return mirroringOf(placement.record(properties, wish, this.dataId, neighbours.open()));
  }

  get isResting(): boolean {
    return this.membership.maintenance.isHere;
  }

  hasKnown(incarnation: Incarnation): boolean {
    return this.options.known.has(incarnation);
  }

  async claim(vhost: string, name: string, incarnation: Incarnation): Promise<boolean> {
    if (await this.membership.claims.claim(metadataKey(vhost, name), { incarnation })) return true;
    // Whoever has it announces its queue, or has a record of it: the asker shall find that.
    const { clock } = this.options;
    const untilMs = clock.monotonicMs() + claimPatienceMs;
    const queues = this.broker!.topology.vhosts.get(vhost)?.queues;
    while (queues?.has(name) === false && clock.monotonicMs() < untilMs) {
      await new Promise<void>((done) => clock.after(20, done));
    }
    return false;
  }

  release(vhost: string, name: string): void {
    void this.membership.claims.release(metadataKey(vhost, name));
    this.gossip.freed(vhost, name);
  }

  /** Somebody else has taken the name while this node was away: the queue here has lost. */
  private claimLost(key: string): void {
    const [vhostName, name] = metadataKeyParts(key) as [string, string];
    const { topology } = this.broker!;
    const vhost = topology.vhosts.get(vhostName);
    const queue = vhost?.localQueue(name);
    if (queue !== undefined && !isStored(queue.properties)) topology.dropQueue(vhost!, queue);
  }

  get process(): string {
    return this.membership.boot;
  }

  isProcessThere(process: string): boolean {
    const { boot, members } = this.membership;
    return process === boot || members.registrations().some(({ record }) => record.boot === process);
  }

  /** Asks one node. Rejects when it is out of reach. */
  ask(home: RemoteHome, kind: string, body: JsonValue): Promise<JsonValue> {
    const relation = [...this.relations.values()].find((each) => each.home === home);
    if (relation === undefined) return Promise.reject(new Error(`there is no link to ${home.node}`));
    return relation.control.ask(kind, body);
  }

  /** Asks all that ever joined and were not forgotten. Rejects when one of them is out of reach. */
  askAll(kind: string, body: JsonValue): Promise<readonly JsonValue[]> {
    const others = this.membership.members.list().filter(({ dataId }) => dataId !== this.dataId);
    return Promise.all(others.map(({ dataId }) => this.ask(this.homes.of(dataId), kind, body)));
  }

  answer(kind: string, answerer: (body: JsonValue) => Later<JsonValue>): void {
    this.gossip.answer(kind, answerer);
  }

  private hasDirectEnd({ vhost, routingKey }: { readonly vhost: string; readonly routingKey: string }): boolean {
    return this.broker!.topology.vhosts.get(vhost)?.directQueues.has(routingKey) ?? false;
  }
}
