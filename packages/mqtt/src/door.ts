import { type Arguments, type Broker, noArguments, usualCopies } from '@chapar/core';
import type { Log, Wire } from '@chapar/platform';
import { sessionNeverExpires } from './codec/connect.js';
import { Connection } from './connection.js';
import { LocalDirectory, type SessionDirectory, type SessionRecord } from './directory.js';
import { MqttListener } from './listener.js';
import { Replay } from './retained/replay.js';
import { RetainedStore } from './retained/store.js';
import type { Session } from './session.js';
import { SessionViews } from './session-view.js';
import { Sessions } from './sessions.js';
import type { DoorSettings } from './settings.js';
import { SharedGroups } from './shared.js';
import { SharedDirectory } from './shared-directory.js';
import type { Subscription } from './subscriptions.js';
import { SystemTopics } from './system.js';
import { Takeovers } from './takeovers.js';
import { isSystemTopic } from './topic-names.js';
import { Traffic } from './traffic.js';
import { restoredWill } from './will.js';

/** Once a second the door looks at all its connections: keep-alive, handshakes that take too long, peers that do not read. */
const tickMs = 1000;

/** MQTT's door: takes wires, makes connections of them, keeps the sessions, ends them all when the broker stops. */
export class MqttDoor {
  readonly broker: Broker;
  readonly settings: DoorSettings;
  readonly log: Log;
  readonly connections = new Set<Connection>();
  readonly sessions: Sessions;
  readonly shared: SharedGroups;
  readonly retained: RetainedStore;
  readonly system: SystemTopics;
  directory!: SessionDirectory;
  /** Null: the node is alone. */
  takeovers: Takeovers | null = null;
  /** Of connections that are gone. */
  readonly gone = new Traffic();
  /** Peers that connected, since the start. */
  acceptedCount = 0;
  isStopping = false;
  private readonly recognise: (chunk: Buffer) => string | null;
  private readonly listeners = new Map<string, MqttListener>();
  private ticker: { cancel(): void } | null = null;

  /** `recognise` names the protocol that a wrong first chunk belongs to, for the log; null when unknown. */
  constructor(broker: Broker, settings: DoorSettings, recognise: (chunk: Buffer) => string | null) {
    this.broker = broker;
    this.settings = settings;
    this.recognise = recognise;
    this.log = broker.platform.log.of('mqtt');
    this.sessions = new Sessions(this);
    this.shared = new SharedGroups(this);
    this.retained = new RetainedStore(broker);
    this.system = new SystemTopics(this);
  }

  /** Reads what is kept of retained messages and sessions; the broker is open. Wires are taken after this. */
  async open(): Promise<void> {
    const { broker } = this;
    await this.retained.open();
    broker.sessions = new SessionViews(this);
    const { residence } = broker.topology;
    if (residence === null) await this.openOwn();
    else {
      const directory = await SharedDirectory.open(broker, residence);
      this.directory = directory;
      this.takeovers = new Takeovers(this, directory);
    }
    this.shared.open();
    for (const vhost of broker.topology.vhosts.values()) await this.shared.sweep(vhost);
    const before = broker.topology.onVirtualHostDeleted;
    broker.topology.onVirtualHostDeleted = (vhost) => {
      before?.(vhost);
      this.sessions.forgetVirtualHost(vhost);
      this.retained.forgetVirtualHost(vhost);
    };
    broker.alarms.listen(() => {
      if (!broker.alarms.isRaised) for (const connection of this.connections) connection.goOn();
    });
    this.ticker = broker.platform.clock.every(tickMs, () => this.tick());
  }

  /** The sessions of a node that is alone. */
  private async openOwn(): Promise<void> {
    const { directory, records } = await LocalDirectory.open(this.broker);
    this.directory = directory;
    for (const record of records) this.restore(record);
  }

  /** A session that was there before the broker stopped. One that had a connection is without it since now. */
  private restore(record: SessionRecord): void {
    const session = this.sessionOf(record);
    if (session === null) return;
    this.sessions.place(session);
    this.join(session);
    if (record.disconnectedAtMs === 0) {
      session.disconnectedAtMs = this.broker.turn.nowMs;
      this.sessions.leaveWill(session);
    }
    this.sessions.expectEnd(session);
  }

  /** As it was kept; null: its virtual host is gone. */
  sessionOf(record: SessionRecord): Session | null {
    const vhost = this.broker.topology.vhosts.get(record.vhost);
    if (vhost === undefined) return null;
    const { clientId, user } = record;
    const session = this.sessions.create({ vhost, clientId, user, isTransient: false });
    session.expirySeconds = record.expirySeconds < 0 ? Number.POSITIVE_INFINITY : record.expirySeconds;
    session.disconnectedAtMs = record.disconnectedAtMs;
    session.received.restore(record.received, true);
    session.received.restore(record.unsure, false);
    for (const [packetId, position] of record.released) session.outbound.inherit(packetId, position);
    for (const subscription of record.subscriptions) {
      if (subscription.group === null) session.subscriptions.set(subscription);
      else session.share(subscription);
    }
    session.will = restoredWill(this, vhost, record.will);
    return session;
  }

  /** The session is in its place: it takes part in what it takes part in without a connection. */
  join(session: Session): void {
    for (const subscription of session.shares.values()) this.shared.restore(session, subscription);
    this.system.changed(session);
  }

  /** Of queues that wait for clients while these are away. */
  get queueArguments(): Arguments {
    const { sessionCopies } = this.settings;
    return this.broker.topology.residence === null ? noArguments : { [usualCopies]: sessionCopies };
  }

  /** By its name among the settings. */
  listener(name: string): MqttListener {
    let listener = this.listeners.get(name);
    if (listener === undefined) {
      listener = new MqttListener(this.broker, { ...this.settings, ...this.settings.perListener[name] });
      this.listeners.set(name, listener);
    }
    return listener;
  }

  /** A peer connected. */
  accept(wire: Wire, listener = this.listener('mqtt')): void {
    if (this.isStopping) {
      wire.destroy();
      return;
    }
    this.acceptedCount++;
    const connection = new Connection(this, wire, listener);
    this.connections.add(connection);
    wire.open(connection);
  }

  /** Called by a connection whose wire is gone. */
  forget(connection: Connection): void {
    if (this.connections.delete(connection)) this.gone.add(connection);
  }

  get openCount(): number {
    let count = 0;
    for (const each of this.connections) if (each.state !== 'closing') count++;
    return count;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Retained messages for a new subscription. */
  replay(connection: Connection, subscription: Subscription): void {
    const { filter } = subscription;
    const messages = isSystemTopic(filter)
      ? this.system.matching(filter)
      : this.retained.of(connection.vhost)?.matching(filter);
    if (messages === undefined) return;
    connection.replay ??= new Replay(connection);
    connection.replay.add(subscription, messages);
  }

  /** What a client asks for, within the limit; Infinity: for ever. Seconds. */
  boundedExpiry(asked: number): number {
    const seconds = asked === sessionNeverExpires ? Number.POSITIVE_INFINITY : asked;
    return Math.min(seconds, this.settings.sessionExpirySecondsMax);
  }

  /** Somebody spoke something else. */
  said(connection: Connection, chunk: Buffer, at: number): void {
    const spoken = this.recognise(chunk.subarray(at)) ?? 'something else';
    this.log.warn(
      { peer: connection.name, firstBytes: chunk.subarray(at, at + 8).toString('hex') },
      `a client speaks ${spoken} to a port that takes MQTT: it was hung up on`,
    );
  }

  /** Tells every client of 5.0 that the broker stops, and waits for them to go, at most `waitMs`. */
  async stop(reason: string, waitMs: number): Promise<void> {
    this.isStopping = true;
    for (const connection of [...this.connections]) connection.close(reason);
    const { clock } = this.broker.platform;
    const deadline = clock.monotonicMs() + waitMs;
    while (this.connections.size > 0 && clock.monotonicMs() < deadline) {
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
    for (const connection of this.connections) connection.destroy();
    this.ticker?.cancel();
  }

  private tick(): void {
    const nowMs = this.broker.platform.clock.monotonicMs();
    for (const connection of this.connections) connection.tick(nowMs);
    this.retained.tick();
    this.shared.tick(nowMs);
    this.takeovers?.tick();
    this.system.tick();
  }
}
