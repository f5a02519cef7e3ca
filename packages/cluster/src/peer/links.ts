import type { MetadataEvent, Revision } from '@chapar/core';
import type { Clock, Log, Random, Timer } from '@chapar/platform';
import type { Mirror } from '../mirror.js';
import type { NodeRecord } from '../session.js';
import { type GreetedLane, type Greeter, greetAsAcceptor, greetAsOpener } from './greeted-lane.js';
import { type Greeting, linkVersions } from './greeting.js';
import type { Lane, LaneKind, PeerListener, PeerTransport } from './lane.js';

/** Another node in one of its sessions. */
export interface Peer {
  readonly node: string;
  readonly session: Revision;
  /** Of its data directory. */
  readonly dataId: string;
  /** Of its process. */
  readonly boot: string;
}

/** Who gets the lanes. A lane is theirs from then on; when it closes, another one is opened and handed over. */
export interface LinkOwner {
  /** We opened it to the peer: on a bulk lane the peer sends. */
  opened(peer: Peer, kind: LaneKind, lane: Lane, version: number): void;
  /** The peer opened it to us. */
  accepted(peer: Peer, kind: LaneKind, lane: Lane, version: number): void;
  /** The peer is registered in this session; lanes follow. */
  arrived(peer: Peer): void;
  /** The peer's session, or this node's, is over for good. */
  departed(peer: Peer): void;
  /** Nobody listens at its address, though its session is not over. */
  refused?(peer: Peer): void;
}

export interface LinksOptions {
  readonly transport: PeerTransport;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: string;
  readonly node: string;
  readonly secret: string | null;
}

const kinds: readonly LaneKind[] = ['bulk', 'control', 'replication'];
const retryFirstMs = 100;
const retryLastMs = 2000;
/** A peer's session that our copy of etcd does not show yet is waited for. Milliseconds. */
const unknownMs = 5000;
const prefix = 'nodes/';
/** What a machine says when nobody listens there: by gRPC, and in simulations. */
const refusal = /ECONNREFUSED|connection refused/;

/** One lane of ours to one peer, kept open while the peer is registered in that session. */
class Opening {
  delayMs = 0;
  timer: Timer | null = null;
  lane: Lane | null = null;
  isOver = false;
  said = '';
  /** At the last try nobody listened there. */
  isRefused = false;
  readonly peer: Peer;
  readonly address: string;
  readonly kind: LaneKind;

  constructor(peer: Peer, address: string, kind: LaneKind) {
    this.peer = peer;
    this.address = address;
    this.kind = kind;
  }
}

/** The lanes between this node and every other one that is registered: who is there, mirrored from etcd, decides; nothing else is asked. */
export class Links {
  private readonly options: LinksOptions;
  private readonly owner: LinkOwner;
  private readonly openings = new Map<string, Opening[]>();
  /** Lanes that a node opened to us, by its name. */
  private readonly accepted = new Map<string, Set<Lane>>();
  private listener: PeerListener | null = null;
  private stopWatch: () => void = () => undefined;
  private readonly greeter: Greeter;
  private session: Revision = 0;
  /** Lanes that came before this node had a session. */
  private early: (() => void)[] = [];
  private isClosed = false;

  constructor(options: LinksOptions, owner: LinkOwner) {
    const { clock, random, cluster, node, secret } = options;
    this.options = options;
    this.owner = owner;
    this.greeter = {
      clock,
      secret,
      greeting: (): Greeting => {
        return { cluster, node, session: this.session, ...linkVersions, nonce: random.bytes(16).toString('hex') };
      },
    };
  }

  /** Resolves with the port. Peers are reached from `begin` on. */
  async listen(host: string, port: number): Promise<number> {
    this.listener = await this.options.transport.listen(host, port, (kind, lane) => void this.accept(kind, lane));
    return this.listener.port;
  }

  /** This node is registered in a session: it reaches for everybody who is. Called again for each later session. */
  begin(session: Revision): void {
    this.end();
    this.session = session;
    const { mirror } = this.options;
    this.stopWatch = mirror.watch(prefix, mirror.revision, (events) => this.changed(events));
    for (const { key, value, revision } of mirror.under(prefix))
      this.registered(key, value as unknown as NodeRecord, revision);
    for (const resolve of this.early.splice(0)) resolve();
  }

  /** This node's session ended: whatever was said in it is over. */
  end(): void {
    this.stopWatch();
    for (const node of [...this.openings.keys()]) this.forget(node);
  }

  /** Why a registered peer is not reached, for people; empty when it is, or when nothing is known. */
  troubleWith(node: string): string {
    return this.openings.get(node)?.find(({ said }) => said !== '')?.said ?? '';
  }

  /** Every link to a registered node is broken, and its machine says that nobody listens there: its process is gone. */
  isRefused(node: string): boolean {
    const openings = this.openings.get(node) ?? [];
    if (openings.some(({ lane }) => lane !== null) || (this.accepted.get(node)?.size ?? 0) > 0) return false;
    return openings.some(({ isRefused }) => isRefused);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.end();
    await this.listener?.close();
    this.options.transport.close();
  }

  private changed(events: readonly MetadataEvent[]): void {
    for (const { key, value, revision } of events) {
      if (value === undefined) this.forget(decodeURIComponent(key.slice(prefix.length)));
      else this.registered(key, value as unknown as NodeRecord, revision);
    }
  }

  private registered(key: string, { address, dataId, boot }: NodeRecord, session: Revision): void {
    const node = decodeURIComponent(key.slice(prefix.length));
    if (node === this.options.node) return;
    this.forget(node);
    const peer = { node, session, dataId, boot };
    const openings = kinds.map((kind) => new Opening(peer, address, kind));
    this.openings.set(node, openings);
    this.owner.arrived(peer);
    for (const opening of openings) this.open(opening);
  }

  private forget(node: string): void {
    // The node itself may not have heard that its session is over.
    for (const lane of this.accepted.get(node) ?? []) lane.close('the session of the peer is over');
    this.accepted.delete(node);
    const openings = this.openings.get(node);
    if (openings === undefined) return;
    this.openings.delete(node);
    for (const opening of openings) {
      opening.isOver = true;
      opening.timer?.cancel();
      opening.lane?.close('the session of the peer is over');
    }
    this.owner.departed(openings[0]!.peer);
  }

  // -- lanes that we open ------------------------------------------------------------------------------------------

  private open(opening: Opening): void {
    const { address, kind } = opening;
    greetAsOpener(this.greeter, this.options.transport.connect(address, kind)).then(
      (greeted) => this.opened(opening, greeted),
      (error: Error) => this.again(opening, error.message),
    );
  }

  private opened(opening: Opening, { lane, peer, version }: GreetedLane): void {
    const { node, session } = opening.peer;
    if (opening.isOver) {
      lane.close('the session of the peer is over');
      return;
    }
    // Somebody else answers at that address, or the peer has begun a session that we shall hear of.
    if (peer.node !== node || peer.session !== session) {
      lane.close('another session was expected');
      this.again(opening, `${peer.node} answered in session ${peer.session}, expected was ${node} in ${session}`);
      return;
    }
    opening.delayMs = 0;
    opening.said = '';
    opening.isRefused = false;
    const watched = new WatchedLane(lane, (reason) => this.again(opening, reason));
    opening.lane = watched;
    this.owner.opened(opening.peer, opening.kind, watched, version);
  }

  private again(opening: Opening, reason: string): void {
    if (opening.isOver || this.isClosed) return;
    opening.lane = null;
    opening.isRefused = refusal.test(reason);
    opening.delayMs = Math.min(retryLastMs, Math.max(retryFirstMs, opening.delayMs * 2));
    const { peer, address, kind } = opening;
    if (opening.said !== reason) {
      opening.said = reason;
      this.options.log.warn(
        { peer: peer.node, address, lane: kind, reason },
        'no link to a node of the cluster; tried again',
      );
    }
    if (opening.isRefused) this.owner.refused?.(peer);
    opening.timer = this.options.clock.after(opening.delayMs, () => {
      opening.timer = null;
      if (!opening.isOver) this.open(opening);
    });
  }

  // -- lanes that are opened to us ---------------------------------------------------------------------------------

  private async accept(kind: LaneKind, lane: Lane): Promise<void> {
    // Whoever is registered is reached for, and answers when it can speak for a session.
    if (this.session === 0) await new Promise<void>((resolve) => this.early.push(resolve));
    try {
      const greeted = await greetAsAcceptor(this.greeter, lane);
      const { node, session } = greeted.peer;
      const peer = await this.registeredPeer(node, session);
      if (peer === null) {
        greeted.lane.close(`${node} is not registered in session ${session}`);
        return;
      }
      const lanes = this.accepted.get(node) ?? new Set();
      this.accepted.set(node, lanes);
      const watched: Lane = new WatchedLane(greeted.lane, () => lanes.delete(watched));
      lanes.add(watched);
      this.owner.accepted(peer, kind, watched, greeted.version);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.log.warn({ lane: kind, reason }, 'a link from another node was refused');
    }
  }

  /** The peer, if etcd has it in the session that it names, as soon as our copy has come that far. */
  private async registeredPeer(node: string, session: Revision): Promise<Peer | null> {
    const { mirror, clock } = this.options;
    let timer: Timer | null = null;
    const patience = new Promise<void>((resolve) => {
      timer = clock.after(unknownMs, resolve);
    });
    await Promise.race([mirror.at(session), patience]);
    (timer as Timer | null)?.cancel();
    const entry = mirror.get(prefix + encodeURIComponent(node));
    return entry?.revision === session ? (this.openings.get(node)?.[0]?.peer ?? null) : null;
  }
}

/** A lane whose end somebody else wants to hear of too. */
class WatchedLane implements Lane {
  private readonly lane: Lane;
  private readonly onClosed: (reason: string) => void;

  constructor(lane: Lane, onClosed: (reason: string) => void) {
    this.lane = lane;
    this.onClosed = onClosed;
  }

  open(sink: Parameters<Lane['open']>[0]): void {
    this.lane.open({
      received: (batch) => sink.received(batch),
      drained: () => sink.drained(),
      closed: (reason) => {
        sink.closed(reason);
        this.onClosed(reason);
      },
    });
  }

  send(...sent: Parameters<Lane['send']>): boolean {
    return this.lane.send(...sent);
  }

  close(reason: string): void {
    this.lane.close(reason);
  }
}
