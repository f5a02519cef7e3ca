import type { MetadataStore } from '@chapar/core';
import type { Clock, Disk, Log, Random } from '@chapar/platform';
import { type Etcd, type EtcdCompare, EtcdError, readKeys } from '../etcd/etcd.js';
import { EtcdMetadata } from '../metadata.js';
import { Mirror } from '../mirror.js';
import { type NodeRecord, Registration, type RegistrationRecord, type Session } from '../session.js';
import { Writer } from '../writer.js';
import { assertNothingUndone } from './agreement.js';
import { writeDirectoryMemory } from './directory-memory.js';
import { EtcdHealth } from './etcd-health.js';
import { JoinRefusedError } from './join-refused.js';
import { type Joined, Joining } from './joining.js';
import { Maintenance } from './maintenance.js';
import { Members } from './members.js';
import { MetadataCopy, readMetadataCopy } from './metadata-copy.js';
import { NameClaims } from './name-claims.js';
import { Patience } from './patience.js';
import { type ClusterRecord, clusterKey, forgottenKey, memberKey, stored } from './records.js';
import { eraseTransients } from './transients.js';
import { Upkeep } from './upkeep.js';

export interface MembershipOptions {
  /** Belongs to the membership from `open` on, which closes it. */
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly disk: Disk;
  /** The data directory, locked by the caller. */
  readonly directory: string;
  /** Of the data directory. */
  readonly dataId: string;
  /** `/chapar`, with or without a slash at its end. */
  readonly prefix: string;
  readonly node: string;
  /** Where peers reach this node: `host:port`. */
  readonly address: string;
  readonly versions: NodeRecord['versions'];
  /** From 3 to 60; default 10. */
  readonly leaseSeconds?: number;
  /** What the directory holds from a time when it served alone; null: nothing. Asked anew after `renewDataId`. */
  readonly embedded: () => MetadataStore | null;
  /** Makes the directory somebody else, sets its logs aside and resolves with the new id. */
  readonly renewDataId: (why: string) => Promise<string>;
  /** Ends the wait for etcd or for the name. */
  readonly signal?: AbortSignal;
  /** Is told, in words, what is waited for before this node is part of the cluster. */
  readonly onWaiting?: (what: string) => void;
}

/** This node's part in its cluster as far as etcd is concerned: who it is, its copy of everything, its registration. */
export class Membership {
  readonly mirror: Mirror;
  readonly writer: Writer;
  readonly metadata: EtcdMetadata;
  readonly registration: Registration;
  readonly members: Members;
  readonly maintenance: Maintenance;
  readonly claims: NameClaims;
  readonly health: EtcdHealth;
  readonly upkeep: Upkeep;
  readonly joined: Joined;
  /** As in etcd: with a slash at its end. */
  readonly prefix: string;
  onBegan: ((session: Session) => void) | null = null;
  onEnded: ((session: Session, why: string) => void) | null = null;
  onUnsure: ((session: Session) => void) | null = null;
  onSure: ((session: Session) => void) | null = null;
  /** This node may not be part of the cluster any more: it was forgotten. It has no session and gets none. */
  onRefused: ((why: Error) => void) | null = null;
  private readonly options: MembershipOptions;
  private readonly copy: MetadataCopy;
  private hadSession = false;

  private constructor(options: MembershipOptions, prefix: string, joined: Joined, mirror: Mirror) {
    const { etcd, clock, log, node, disk, directory, address, versions } = options;
    this.options = options;
    this.prefix = prefix;
    this.joined = joined;
    this.mirror = mirror;
    this.writer = new Writer(etcd, { clock, log }, prefix, mirror);
    this.metadata = new EtcdMetadata(mirror, this.writer);
    this.members = new Members(mirror, this.writer, clock);
    this.maintenance = new Maintenance({ mirror, writer: this.writer, clock, members: this.members }, joined);
    this.copy = new MetadataCopy({ disk, clock, log }, directory, joined.cluster, mirror);
    const record: NodeRecord = { dataId: joined.dataId, boot: joined.boot, address, versions };
    const leaseSeconds = options.leaseSeconds ?? 10;
    const world = { etcd, clock, log, mirror, writer: this.writer };
    const { members } = this;
    this.claims = new NameClaims({ ...world, dataId: joined.dataId, boot: joined.boot, leaseSeconds });
    this.health = new EtcdHealth(etcd, { clock, log }, prefix, mirror);
    this.upkeep = new Upkeep({ ...world, members, session: () => this.sureSession?.revision ?? null });
    this.registration = new Registration({
      etcd,
      mirror,
      clock,
      log,
      prefix,
      node,
      record,
      leaseSeconds,
      admission: () => this.admission(),
    });
    this.follow();
  }

  /**
   * Reaches etcd, however long that takes, and agrees with it on who this node is. Not registered yet: `register` does that. Rejects with
   * JoinRefusedError, whose text says what is the matter and the way out.
   */
  static async open(options: MembershipOptions): Promise<Membership> {
    const { etcd, clock, log, signal = null } = options;
    const prefix = options.prefix.endsWith('/') ? options.prefix : `${options.prefix}/`;
    const patience = new Patience(clock, log, signal);
    patience.onWaiting = options.onWaiting ?? null;
    const joined = await new Joining({ ...options, prefix, patience }).run();
    const mirror = new Mirror(etcd, { clock, log }, prefix);
    mirror.identityKey = clusterKey;
    await patience.ask(() => mirror.open());
    const { disk, directory } = options;
    // One that cannot be read was reported, and is written anew.
    const before = await readMetadataCopy(disk, directory).catch(() => null);
    if (before?.cluster === joined.cluster) {
      try {
        assertNothingUndone(directory, before, mirror);
      } catch (error) {
        mirror.close();
        throw error;
      }
    }
    const membership = new Membership(options, prefix, joined, mirror);
    membership.copy.start();
    membership.health.start();
    return membership;
  }

  get cluster(): string {
    return this.joined.cluster;
  }

  get dataId(): string {
    return this.joined.dataId;
  }

  /** Of this process. */
  get boot(): string {
    return this.joined.boot;
  }

  get node(): string {
    return this.options.node;
  }

  get session(): Session | null {
    return this.registration.session;
  }

  /** The session, while it is known not to have ended at etcd. */
  get sureSession(): Session | null {
    return this.registration.isSure ? this.registration.session : null;
  }

  /** Until when the session is known not to end at etcd; there may be none. Monotonic milliseconds. */
  get sureUntilMs(): number {
    return this.registration.session === null ? Number.NEGATIVE_INFINITY : this.registration.deadlineMs;
  }

  /** Resolves with the first session, when the name is ours; from then on the registration is kept and renewed. */
  register(): Promise<Session> {
    const { signal, onWaiting, node } = this.options;
    const { registration } = this;
    return new Promise((resolve, reject) => {
      const stop = () => reject(new Error('the node stops before it is registered'));
      if (signal?.aborted) return stop();
      signal?.addEventListener('abort', stop, { once: true });
      registration.onBegan = (session) => {
        this.began(session);
        resolve(session);
      };
      registration.onRefused = (why) => {
        this.onRefused?.(why);
        reject(why);
      };
      registration.onWaiting = (held: RegistrationRecord) => {
        onWaiting?.(`another data directory is registered as ${node} from ${held.address}`);
      };
      registration.start();
    });
  }

  /** Gives the name back and closes what `open` was given; the metadata can still be read. */
  async close(): Promise<void> {
    const { disk, directory, etcd } = this.options;
    this.upkeep.close();
    this.health.close();
    await this.claims.close();
    await this.registration.close();
    this.writer.close();
    this.mirror.close();
    await this.copy.close();
    const { memory } = this.joined;
    await writeDirectoryMemory(disk, directory, {
      ...memory,
      revision: Math.max(memory.revision, this.mirror.revision),
    });
    etcd.close();
  }

  private follow(): void {
    const { registration } = this;
    this.writer.onSessionLost = (session, why) => registration.lose(session, why);
    registration.onBegan = (session) => this.began(session);
    registration.onEnded = (session, why) => {
      this.writer.use(null);
      this.onEnded?.(session, why);
    };
    registration.onUnsure = (session) => this.onUnsure?.(session);
    registration.onSure = (session) => this.onSure?.(session);
  }

  private began(session: Session): void {
    this.hadSession = true;
    this.writer.use(session);
    this.claims.use(session);
    this.onBegan?.(session);
  }

  // -- registering -------------------------------------------------------------------------------------------------

  /** What has to hold for a registration: the cluster that we know, and that it was not told to forget us. */
  private async admission(): Promise<readonly EtcdCompare[]> {
    const { etcd } = this.options;
    const { prefix, dataId } = this;
    const keys = [clusterKey, memberKey(dataId), forgottenKey(dataId)].map((key) => prefix + key);
    const { revision, entries } = await readKeys(etcd, keys);
    const [cluster, member, forgotten] = entries;
    if (stored<ClusterRecord>(cluster)?.value.id !== this.cluster || revision < this.mirror.revision) {
      // Not for good: who restored the wrong snapshot restores the right one.
      throw new EtcdError('unknown', 'etcd is not the one that it was');
    }
    if (forgotten) throw new JoinRefusedError('forgotten', 'the cluster was told to forget this node');
    if (!member) throw new EtcdError('unknown', 'etcd does not know this node any more');
    if (!this.hadSession) await this.arrive();
    return [
      { key: cluster!.key, of: 'create', is: 'equal', revision: cluster!.createRevision },
      { key: member.key, of: 'mod', is: 'equal', revision: member.modRevision },
    ];
  }

  /** Before the first session of a life: what earlier lives left behind goes. */
  private async arrive(): Promise<void> {
    const { etcd, clock, log } = this.options;
    // A node that was called something else in its last life is still registered so until its lease ends.
    for (const { node, record } of this.members.registrations()) {
      if (record.dataId === this.dataId && node !== this.node) await etcd.revokeLease(record.lease);
    }
    const erased = await eraseTransients(etcd, clock, this.prefix, this.mirror, this.node);
    if (erased > 0)
      log.info({ records: erased }, 'transient exchanges of nodes that are all gone were erased, with their bindings');
  }
}
