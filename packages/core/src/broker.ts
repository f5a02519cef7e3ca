import type { Log, Platform } from '@chapar/platform';
import { type Authorizer, Permissions } from './access.js';
import { Alarms } from './alarms.js';
import { Dialects } from './dialect.js';
import { Actor } from './door/actor.js';
import { brokerError } from './errors.js';
import type { ConnectionView, SessionView } from './inspect.js';
import { isKeyedIncarnation, type KeyedEntry, KeyedLog, keyedIncarnation } from './keyed-log.js';
import { moveKeyed } from './keyed-move.js';
import { andThen, type Later } from './later.js';
import { Limits, type NodeLimits } from './limits.js';
import { Policies } from './policy/policies.js';
import {
  type Authenticator,
  type Guard,
  GuardFailedError,
  type LogStore,
  type MetadataStore,
  metadataKey,
  metadataKeyParts,
  type Position,
  type Principal,
  type RecoveredQueue,
  type UserDirectory,
  type Write,
} from './ports.js';
import { type Memory, unboundedMemory } from './queue/memory.js';
import { Persist } from './queue/persist.js';
import { Records } from './records.js';
import { type ResourceLimits, Resources } from './resources.js';
import { type KeyedReader, OwnKeyedLog, type SharedKeyedLog } from './shared-keyed-log.js';
import { type QueueRecord, vhostKey } from './topology/records.js';
import { removeExchange, removeQueue } from './topology/remove.js';
import type { Residence } from './topology/residence.js';
import { Topology } from './topology/topology.js';
import type { VirtualHostProperties } from './topology/virtual-host.js';
import { Turn } from './turn.js';

/** How this node names itself to clients and in the API. */
export interface NodeIdentity {
  readonly node: string;
  readonly clusterName: string;
  /** What clients are told as `product`, `version` and `rabbitmq_version`. */
  readonly product: string;
  readonly productVersion: string;
  /** Our own version. */
  readonly version: string;
}

export interface BrokerParts {
  readonly platform: Platform;
  readonly metadata: MetadataStore;
  readonly logs: LogStore;
  readonly users: UserDirectory;
  readonly authenticator: Authenticator;
  /** Null: the permissions in metadata alone. */
  readonly authorizer: Authorizer | null;
  readonly identity: NodeIdentity;
  readonly limits: NodeLimits;
  /** What of the queues' backlogs stays in memory; default: all of it. */
  readonly memory?: Memory;
  /** Without: as documented, and no disk is watched. */
  readonly resources?: ResourceLimits;
  /** Where things live in a cluster; default: this node is alone. */
  readonly residence?: Residence | null;
}

/** One node's broker without its doors: what they are given, and what the composer opens and closes. */
export class Broker {
  readonly platform: Platform;
  readonly identity: NodeIdentity;
  readonly log: Log;
  readonly turn: Turn;
  readonly dialects = new Dialects();
  readonly users: UserDirectory;
  readonly authenticator: Authenticator;
  readonly permissions: Permissions;
  readonly authorizer: Authorizer;
  readonly records: Records;
  private readonly policies: Policies;
  readonly topology: Topology;
  readonly limits: Limits;
  readonly alarms: Alarms;
  /** Watched from `resources.start` to `resources.stop`, which the composer calls. */
  readonly resources: Resources;
  readonly startedAtMs: number;
  /** Every open connection of every door that has logged in. */
  readonly connections = new Set<ConnectionView>();
  /** Those of MQTT that this node has; its door sets them. */
  sessions: Iterable<SessionView> = [];
  private readonly metadata: MetadataStore;
  private readonly logs: LogStore;
  /** Of keyed logs that nobody has opened yet. */
  private readonly keyed = new Map<string, RecoveredQueue>();

  constructor(parts: BrokerParts) {
    const { platform, metadata, logs } = parts;
    this.platform = platform;
    this.identity = parts.identity;
    this.log = platform.log.of('core');
    this.turn = new Turn(platform.clock);
    this.alarms = new Alarms(platform.clock);
    this.resources = new Resources(platform, this.alarms, this.log, parts.resources);
    this.metadata = metadata;
    this.logs = logs;
    this.users = parts.users;
    this.authenticator = parts.authenticator;
    this.permissions = new Permissions(metadata);
    this.authorizer = parts.authorizer ?? this.permissions;
    this.records = new Records(metadata);
    this.limits = new Limits(parts.limits, this.records, parts.users, this.connections);
    const { turn, dialects, log } = this;
    const { alarms } = this;
    const memory = parts.memory ?? unboundedMemory();
    const { random } = platform;
    const residence = parts.residence ?? null;
    this.policies = new Policies(log, residence !== null);
    const { policies } = this;
    const topology = { metadata, logs, turn, dialects, random, log, alarms, memory, policies, residence };
    this.topology = new Topology(topology);
    this.topology.onVirtualHostDeleted = ({ name }) => {
      this.closeWhere((each) => each.vhost === name, `vhost '${name}' is deleted`);
    };
    this.users.onDeleted = (name) => {
      this.closeWhere(
        ({ principal }) => principal.user === name && principal.backend === 'internal',
        `user '${name}' is deleted`,
      );
    };
    this.topology.onQueueUnused = (vhost, queue) => {
      const remove = () => removeQueue(this.topology, vhost, queue, { ifUnused: false, ifEmpty: false });
      const isStillUnused = () => {
        if (vhost.named(queue) === undefined || queue.consumers.size > 0) return false;
        // One that expired begins to wait anew.
        if (!queue.properties.autoDelete) queue.used();
        return queue.properties.autoDelete;
      };
      this.inBackground(remove, isStillUnused);
    };
    this.topology.onExchangeUnused = (vhost, exchange) => {
      const remove = () => removeExchange(this.topology, vhost, exchange, { ifUnused: false });
      const isStillUnused = () => vhost.exchanges.get(exchange.name) === exchange && exchange.bindings.size === 0;
      this.inBackground(remove, isStillUnused);
    };
    logs.onBehind = (isBehind) => {
      if (isBehind) this.alarms.raise('disk-pace', 'the disk is behind', false);
      else this.alarms.clear('disk-pace');
    };
    logs.onFull = (isFull) => {
      if (isFull) this.alarms.raise('disk-full', 'the disk is full');
      else this.alarms.clear('disk-full');
    };
    this.startedAtMs = platform.clock.wallMs();
  }

  /** Recovers logs and metadata; a fresh data directory gets the virtual host `/`. Doors listen after this. */
  async open(): Promise<void> {
    const recovered = await this.logs.recover();
    this.turn.startNotBefore(this.logs.lastStampMs);
    const { entries } = await this.metadata.load('vhosts/');
    // Its administrator may be there already, with permissions.
    if (entries.length === 0)
      await this.metadata.change([], [{ key: vhostKey('/'), value: { ...defaultVirtualHost } }]);
    await this.permissions.open();
    await this.records.open();
    this.policies.follow(this.records);
    for (const each of recovered) if (isKeyedIncarnation(each.incarnation)) this.keyed.set(each.incarnation, each);
    await this.topology.open(recovered.filter(({ incarnation }) => !isKeyedIncarnation(incarnation)));
  }

  /** Opens a keyed log of this node, once; `visit` gets what is in it. */
  keyedLog(name: string, visit: (entry: KeyedEntry) => void): Promise<KeyedLog> {
    return this.openKeyedLog(name, (log, recovered) => log.recover(recovered, visit));
  }

  private async openKeyedLog(
    name: string,
    recover: (log: KeyedLog, recovered: RecoveredQueue | undefined) => Promise<void>,
  ): Promise<KeyedLog> {
    const incarnation = keyedIncarnation(name);
    const log = new KeyedLog(this.logs.log(incarnation), new Persist(this.turn, this.logs));
    await recover(log, this.keyed.get(incarnation));
    this.keyed.delete(incarnation);
    return log;
  }

  /** Opens a keyed log of all nodes, once. What this node had of it while it was alone goes into that of its cluster. */
  async sharedKeyedLog(name: string, reader: KeyedReader): Promise<SharedKeyedLog> {
    const { residence } = this.topology;
    if (residence === null) {
      // Values as they are read are views of large pieces.
      const changed = (key: string, value: Buffer | null, position: Position): Position =>
        reader.changed(key, value === null ? null : Buffer.from(value), position);
      const log = await this.openKeyedLog(name, (each, recovered) => each.recoverInOrder(recovered, changed));
      return new OwnKeyedLog(log, reader);
    }
    const shared = await residence.keyedLog(name, reader);
    if (!this.keyed.has(keyedIncarnation(name))) return shared;
    const entries: KeyedEntry[] = [];
    const own = await this.keyedLog(name, (entry) => entries.push({ ...entry, value: Buffer.from(entry.value) }));
    void moveKeyed(entries, own, shared, { clock: this.platform.clock, turn: this.turn }, reader.arrival);
    return shared;
  }

  /**
   * After the doors: hands everything to the log and records how far queues were delivered; the composer then closes the log. What goes
   * from queue to queue has left the one before that record when it has come to the other, so that it does not come twice.
   */
  async close(): Promise<void> {
    for (const vhost of this.topology.vhosts.values()) {
      for (const { delayed } of vhost.exchanges.values()) delayed?.stop();
    }
    this.turn.flush();
    this.turn.stop();
    await this.logs.sync();
    for (const vhost of this.topology.vhosts.values()) {
      for (const queue of vhost.localQueues()) {
        if (queue.logs && !queue.isMirrored)
          this.logs.delivered(queue.incarnation, queue.deliveredUpTo, queue.deliveredByLevel);
      }
    }
    this.turn.flush();
    await this.logs.sync();
  }

  /** Somebody who has logged in enters a virtual host (530 when there is none or no permission). `owner`: the connection. */
  enter(principal: Principal, vhostName: string, owner: object): Later<Actor> {
    const vhost = this.topology.vhosts.get(vhostName);
    if (vhost === undefined) throw brokerError('vhostNotFound', { vhost: vhostName });
    return andThen(this.authorizer.vhost(principal, vhostName), (allowed) => {
      if (!allowed) throw brokerError('vhostRefused', { vhost: vhostName, user: principal.user });
      this.limits.assertConnection(vhostName, principal.user);
      const { topology, authorizer, limits } = this;
      return new Actor({ topology, authorizer, queuesMax: (name) => limits.queuesMax(name) }, principal, vhost, owner);
    });
  }

  async putVirtualHost(name: string, properties: VirtualHostProperties): Promise<void> {
    // A crash in the middle of a deletion must not leave permissions and queues to the next virtual host of that name.
    if (!this.topology.vhosts.has(name)) await this.clearVirtualHost(name);
    await this.metadata.change([], [{ key: vhostKey(name), value: { ...properties } }]);
  }

  /** Deletes the virtual host with all that is in it; its connections are closed. False when there was none. */
  async deleteVirtualHost(name: string): Promise<boolean> {
    if (!this.topology.vhosts.has(name)) return false;
    await this.remove([], [{ key: vhostKey(name), value: undefined }]);
    // From now on the virtual host's record, which is gone, guards against more.
    await this.clearVirtualHost(name);
    return true;
  }

  /** Removes what metadata keeps under the name of a virtual host that is not there. */
  private async clearVirtualHost(name: string): Promise<void> {
    let chunk: Write[] = [];
    const remove = () => this.remove([{ key: vhostKey(name), revision: 'absent' }], chunk);
    for (const together of await this.writesWithout(name)) {
      if (chunk.length + together.length > keysMax) {
        await remove();
        chunk = [];
      }
      chunk.push(...together);
    }
    await remove();
  }

  /** The end of everything in metadata that belongs to a virtual host: what has to go together in one. */
  private async writesWithout(vhost: string): Promise<Write[][]> {
    const writes: Write[][] = [];
    for (const kind of vhostKinds) {
      const { entries } = await this.metadata.load(`${metadataKey(kind, vhost)}/`);
      for (const { key, value } of entries) {
        const isMirrored = kind === 'queues' && (value as unknown as QueueRecord).mirrored === true;
        const companions = isMirrored ? this.topology.residence?.companions(value as unknown as QueueRecord) : [];
        writes.push([{ key, value: undefined }, ...(companions ?? [])]);
      }
    }
    // Named by component first.
    const { entries } = await this.metadata.load('parameters/');
    for (const { key } of entries) if (metadataKeyParts(key)[2] === vhost) writes.push([{ key, value: undefined }]);
    return writes;
  }

  private async remove(when: readonly Guard[], writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    try {
      await this.metadata.change(when, writes);
    } catch (error) {
      // Only an absent virtual host is asked for: by now there is a new one, and it keeps what it finds.
      if (!(error instanceof GuardFailedError)) throw error;
    }
  }

  /** Deletes a user; its connections are closed, on every node. False when there was none. */
  deleteUser(name: string): Promise<boolean> {
    return this.users.delete(name);
  }

  /** Closes the connections that `which` names. Returns how many. */
  closeWhere(which: (connection: ConnectionView) => boolean, reason: string): number {
    const chosen = [...this.connections].filter(which);
    for (const connection of chosen) connection.close(reason);
    return chosen.length;
  }

  /** Metadata may be out of reach for a while: what is then still to be done is tried again. */
  private inBackground(work: () => Later<unknown>, isStillWanted: () => boolean, tries = 1): void {
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        if (tries === 1) this.log.warn({ error }, 'what nobody uses any more could not be deleted; tried again');
        this.platform.clock.after(unusedRetryMs, () => {
          if (!this.turn.isStopped && isStillWanted()) this.inBackground(work, isStillWanted, tries + 1);
        });
      });
  }
}

/** Between two tries to delete what nobody uses any more. Milliseconds. */
const unusedRetryMs = 5_000;

/** Of one change; a change has at most 126 in etcd. */
const keysMax = 100;

/** What metadata keeps under the name of a virtual host. */
const vhostKinds = [
  'exchanges',
  'queues',
  'bindings',
  'permissions',
  'topic-permissions',
  'policies',
  'operator-policies',
  'vhost-limits',
];

const defaultVirtualHost: VirtualHostProperties = {
  description: 'Default virtual host',
  tags: [],
  defaultQueueType: 'classic',
};
