import {
  type Alarms,
  type Broker,
  type ConnectionTally,
  claimKey,
  type Incarnation,
  type JsonValue,
  type Later,
  type SharedQueue,
  tallyOf,
  type VirtualHost,
} from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { Announced, type AnnouncedNames, allNews, asNews, type News } from './announcements.js';
import type { Homes } from './homes.js';
import type { Interest } from './interest.js';
import type { ClaimRecord } from './membership/name-claims.js';
import type { Mirror } from './mirror.js';
import type { Control, ControlOwner } from './peer/control.js';
import type { Peer } from './peer/links.js';
import { Seen } from './seen.js';

/** Of a snapshot of announcements, in one message. */
const partMax = 1000;

interface AnnounceBody {
  /** Everything up to this one was said with it. */
  readonly sequence: number;
  /** Of metadata, which its reader must have applied. */
  readonly revision: number;
  readonly news: readonly News[];
  /** The first, or the last, of a snapshot. */
  readonly begins?: boolean;
  readonly ends?: boolean;
}

type Answerer = (body: JsonValue, peer: Peer) => Later<JsonValue>;

/** What nodes tell each other beside data: what they have announced and applied, and which alarms they have; and what they ask. */
export class Gossip implements ControlOwner, AnnouncedNames {
  readonly seenBy: Seen;
  private readonly mirror: Mirror;
  private readonly homes: Homes;
  private readonly interest: Interest;
  private readonly log: Log;
  private readonly controls: () => Iterable<Control>;
  private readonly answerers = new Map<string, Answerer>();
  private readonly announced = new Map<string, Announced>();
  /** Announcements that wait for metadata, in order, by data id. */
  private readonly behind = new Map<string, Promise<void>>();
  private broker: Broker | null = null;
  /** Announcements of this node so far. */
  private sequence = 0;
  private saidRevision = 0;
  private saidAlarms = '[]';
  private saidTally = '';

  constructor(
    world: { readonly clock: Clock; readonly log: Log },
    mirror: Mirror,
    homes: Homes,
    interest: Interest,
    controls: () => Iterable<Control>,
  ) {
    this.mirror = mirror;
    this.homes = homes;
    this.interest = interest;
    this.log = world.log;
    this.controls = controls;
    this.seenBy = new Seen(world.clock, controls);
  }

  begin(broker: Broker): void {
    this.broker = broker;
    this.mirror.watch('', this.mirror.revision, () => this.sayApplied());
    broker.alarms.listen(() => this.sayAlarms());
  }

  /** Answers the others' questions of a kind. */
  answer(kind: string, answerer: Answerer): void {
    this.answerers.set(kind, answerer);
  }

  async asked(peer: Peer, kind: string, body: JsonValue): Promise<JsonValue> {
    const answerer = this.answerers.get(kind);
    if (answerer === undefined) throw new Error(`this version of the broker does not know the question ${kind}`);
    return answerer(body, peer);
  }

  // ---- what this node says ---------------------------------------------------------------------------------------

  opened(control: Control): void {
    this.sayTo(control, this.mirror.revision);
    this.announceAll(control);
    control.say('alarms', this.ownAlarms() as JsonValue);
    control.say('connections', tallyOf(this.broker?.connections ?? []));
    this.seenBy.progressed();
  }

  private announceAll(control: Control): void {
    const topology = this.broker?.topology;
    const news: News[] = topology === undefined ? [] : [...allNews(topology), ...this.interest.news(topology)];
    const { sequence, mirror } = this;
    for (let from = 0; from === 0 || from < news.length; from += partMax) {
      const ends = from + partMax >= news.length;
      const body = { sequence: ends ? sequence : 0, revision: mirror.revision, news: news.slice(from, from + partMax) };
      control.say('announce', { ...body, begins: from === 0, ends } as unknown as JsonValue);
    }
  }

  closed(control: Control): void {
    this.clearAlarms(control.peer.node);
    this.seenBy.progressed();
  }

  announce(news: News): void {
    this.sequence++;
    const body: AnnounceBody = { sequence: this.sequence, revision: this.mirror.revision, news: [news] };
    for (const control of this.controls()) if (control.isOpen) control.say('announce', body as unknown as JsonValue);
  }

  /** Everybody that is linked knows all that was announced and written so far. */
  seen(): Later<void> {
    return this.seenBy.by(this.mirror.revision, this.sequence);
  }

  /** Somebody was waited for in vain, and has not caught up since. */
  get isAnyoneLagging(): boolean {
    for (const { isOpen, isLagging } of this.controls()) if (isOpen && isLagging) return true;
    return false;
  }

  private sayApplied(): void {
    const { revision } = this.mirror;
    if (revision === this.saidRevision) return;
    this.saidRevision = revision;
    for (const control of this.controls()) this.sayTo(control, revision);
  }

  private sayTo(control: Control, revision: number): void {
    if (control.isOpen) control.say('applied', revision);
  }

  // ---- alarms ----------------------------------------------------------------------------------------------------

  private ownAlarms(): { readonly source: string; readonly reason: string }[] {
    const alarms: Alarms = this.broker!.alarms;
    return alarms
      .list()
      .filter(({ source, isTold }) => isTold && !source.includes('@'))
      .map(({ source, reason }) => ({ source, reason }));
  }

  /** What blocks publishers of one node blocks those of all: they may publish to its queues. Called now and then, too. */
  sayAlarms(): void {
    const own = this.ownAlarms();
    const text = JSON.stringify(own);
    if (text === this.saidAlarms) return;
    this.saidAlarms = text;
    for (const control of this.controls()) if (control.isOpen) control.say('alarms', own);
  }

  private alarmsOf(node: string, told: readonly { readonly source: string; readonly reason: string }[]): void {
    const { alarms } = this.broker!;
    const present = new Set(told.map(({ source }) => `${source}@${node}`));
    for (const { source } of alarms.list())
      if (source.slice(source.indexOf('@') + 1) === node && !present.has(source)) alarms.clear(source);
    for (const { source, reason } of told) alarms.raise(`${source}@${node}`, `${reason} (${node})`);
  }

  // ---- connections -----------------------------------------------------------------------------------------------

  /** Limits of virtual hosts and users count the connections of all nodes. Called now and then. */
  sayTally(): void {
    const tally = tallyOf(this.broker!.connections);
    const text = JSON.stringify(tally);
    if (text === this.saidTally) return;
    this.saidTally = text;
    for (const control of this.controls()) if (control.isOpen) control.say('connections', tally);
  }

  private clearAlarms(node: string): void {
    if (this.broker !== null) this.alarmsOf(node, []);
  }

  // ---- what others say -------------------------------------------------------------------------------------------

  said(peer: Peer, kind: string, body: JsonValue): void {
    const control = this.controlOf(peer);
    if (control === null) return;
    if (kind === 'applied') {
      control.appliedRevision = body as number;
      this.caughtUp(control);
    } else if (kind === 'announced') {
      control.announcedSequence = body as number;
      this.caughtUp(control);
    } else if (kind === 'announce') {
      this.heard(peer, control, body as unknown as AnnounceBody);
    } else if (kind === 'again') {
      this.announceAll(control);
    } else if (kind === 'alarms') {
      this.alarmsOf(peer.node, body as unknown as { source: string; reason: string }[]);
    } else if (kind === 'connections') {
      this.broker!.limits.elsewhere.set(peer.node, body as unknown as ConnectionTally);
    }
  }

  private controlOf(peer: Peer): Control | null {
    for (const control of this.controls()) if (control.peer.session === peer.session) return control;
    return null;
  }

  private caughtUp(control: Control): void {
    const { appliedRevision, announcedSequence } = control;
    if (control.isLagging && appliedRevision >= this.saidRevision && announcedSequence >= this.sequence) {
      control.isLagging = false;
    }
    this.seenBy.progressed();
  }

  /** Applied at once, or, where it speaks of metadata that has not come yet, when it has. */
  private heard(peer: Peer, control: Control, body: AnnounceBody): void {
    const { dataId } = peer;
    const before = this.behind.get(dataId);
    if (before === undefined && body.revision <= this.mirror.revision) {
      this.apply(peer, control, body);
      return;
    }
    const then = (before ?? Promise.resolve())
      .then(() => this.mirror.at(body.revision))
      .then(() => {
        // The peer may have gone meanwhile.
        if (this.controlOf(peer) === control) this.apply(peer, control, body);
        if (this.behind.get(dataId) === then) this.behind.delete(dataId);
      });
    this.behind.set(dataId, then);
  }

  private apply(peer: Peer, control: Control, { sequence, news, begins, ends }: AnnounceBody): void {
    let announced = this.announced.get(peer.dataId);
    if (announced === undefined) {
      announced = new Announced(this.broker!.topology, this.homes.of(peer.dataId), this);
      this.announced.set(peer.dataId, announced);
    }
    if (begins === true) announced.beginSnapshot();
    try {
      announced.apply(asNews(news as unknown as JsonValue));
    } catch (error) {
      this.log.error({ error, peer: peer.node }, 'an announcement of another node could not be applied');
    }
    if (ends === true) announced.endSnapshot();
    if (sequence > 0) control.say('announced', sequence);
  }

  /** Etcd knows who has the name; where it does not say, or our copy lags behind, the latest word counts. */
  yields(vhost: VirtualHost, existing: SharedQueue, incarnation: Incarnation): boolean {
    const { topology } = this.broker!;
    if (existing.home === null || topology.revisionOf(existing) > 0) return false;
    const claim = this.mirror.get(claimKey(vhost.name, existing.name))?.value as ClaimRecord | undefined;
    const claimed = (claim?.value as { incarnation?: Incarnation } | undefined)?.incarnation;
    if (claimed === existing.incarnation && claimed !== incarnation) return false;
    for (const announced of this.announced.values()) if (announced.hide(existing)) break;
    topology.dropQueue(vhost, existing);
    return true;
  }

  freed(vhost: string, name: string): void {
    for (const [dataId, announced] of this.announced) {
      if (!announced.takeHidden(vhost, name)) continue;
      for (const control of this.controls()) {
        if (control.peer.dataId === dataId && control.isOpen) control.say('again', null);
      }
    }
  }

  /** The peer's registration is over, and with it all that lived in its memory. */
  departed({ dataId, node }: Peer): void {
    this.announced.get(dataId)?.end();
    this.announced.delete(dataId);
    this.broker?.limits.elsewhere.delete(node);
    this.clearAlarms(node);
    this.seenBy.progressed();
  }

  close(): void {
    this.seenBy.close();
  }
}
