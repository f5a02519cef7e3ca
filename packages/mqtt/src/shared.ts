import {
  type Actor,
  BrokerError,
  type ConfirmSlot,
  type Consumer,
  Message,
  removeQueue,
  type SharedQueue,
  type VirtualHost,
} from '@chapar/core';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { MqttDoor } from './door.js';
import type { Source } from './outbound.js';
import type { Session } from './session.js';
import { editedProperties, OWN, storedForm, storedQos, storedRetain, u32Property } from './stored-publish.js';
import { bindQueue, filterKey, sessionQueue } from './subscription-bindings.js';
import { type Match, noMatch, type Subscription } from './subscriptions.js';
import { beginsWithWildcard, sharedFilter } from './topic-names.js';

const queuePrefix = 'mqtt-share-';

/** A session's part in a group. */
class Membership implements Source {
  readonly isShared = true;
  readonly match: Match;
  consumer: Consumer | null = null;
  private readonly isWild: boolean;

  constructor(subscription: Subscription) {
    const { qos, subscriptionId, retainAsPublished, filter } = subscription;
    const subscriptionIds = subscriptionId === 0 ? null : [subscriptionId];
    this.match = { ...noMatch, qos, subscriptionIds, retainAsPublished };
    this.isWild = beginsWithWildcard(sharedFilter(filter)!.filter);
  }

  matchOf(message: Message): Match {
    return this.isWild && message.address.routingKey.startsWith('$') ? noMatch : this.match;
  }
}

/** Who shares a filter under a group's name: one queue for all, each message to one of them (§4.8.2). */
interface Group {
  readonly vhost: VirtualHost;
  readonly queueName: string;
  readonly members: Map<Session, Membership>;
}

/** A group that may have no members any more; those of other nodes are asked for theirs. */
interface Lonely {
  readonly vhost: VirtualHost;
  readonly queueName: string;
}

/** What a node asks the others: whether sessions of theirs are in a group. */
const membersQuestion = 'mqtt.shared';
/** Between two tries to ask everybody. Milliseconds. */
const askEveryMs = 10_000;

/** The shared subscriptions of the node. */
export class SharedGroups {
  private readonly door: MqttDoor;
  private readonly groups = new Map<string, Group>();
  /** Without members here; in a cluster nobody could tell so far whether there are some elsewhere. */
  private readonly lonely = new Map<string, Lonely>();
  private askedAtMs = 0;

  constructor(door: MqttDoor) {
    this.door = door;
  }

  /** Members on other nodes are asked for, and ours are told. */
  open(): void {
    this.door.broker.topology.residence?.answer(membersQuestion, (key) => this.groups.has(key as string));
  }

  /** Joins the group of the subscription, or changes how one takes part. Throws MqttError, BrokerError. */
  async join(actor: Actor, session: Session, subscription: Subscription): Promise<void> {
    const { filter } = sharedFilter(subscription.filter)!;
    const name = queueName(subscription.filter);
    const queue = await actor.declareQueue({
      name,
      durable: true,
      exclusive: false,
      autoDelete: false,
      arguments: this.door.queueArguments,
    });
    await bindQueue(this.door, actor, name, filterKey(filter));
    if (subscription.qos === 2) await sessionQueue(actor, session);
    this.leave(session, subscription.filter);
    const member = new Membership(subscription);
    this.groupOf(session.vhost, name).members.set(session, member);
    member.consumer = await session.outbound.consume(queue, member);
  }

  /** Found on disk, with the session that is in it. */
  restore(session: Session, subscription: Subscription): void {
    const group = this.groupOf(session.vhost, queueName(subscription.filter));
    group.members.set(session, new Membership(subscription));
  }

  /** The session has a connection again. */
  resume(session: Session): void {
    for (const { filter } of session.shares.values()) {
      const name = queueName(filter);
      const member = this.groups.get(keyOf(session.vhost, name))?.members.get(session);
      const queue = session.vhost.queues.get(name);
      if (member === undefined || queue === undefined) continue;
      session.outbound.begin(queue, member, (consumer) => {
        member.consumer = consumer;
      });
    }
  }

  /** UNSUBSCRIBE, or the end of the session. What it was sent and has not acknowledged stays its own until it goes. */
  leave(session: Session, filter: string): void {
    const key = keyOf(session.vhost, queueName(filter));
    const group = this.groups.get(key);
    const member = group?.members.get(session);
    if (group === undefined || member === undefined) return;
    void member.consumer?.stop();
    group.members.delete(session);
  }

  /** As `leave`, and the group's queue goes with its last member. */
  async part(session: Session, filter: string): Promise<void> {
    this.leave(session, filter);
    const key = keyOf(session.vhost, queueName(filter));
    const group = this.groups.get(key);
    if (group === undefined || group.members.size > 0) return;
    this.groups.delete(key);
    const ended = this.end(key, group);
    // A node that is asked may be mute for the time of its lease: whoever leaves does not wait for it.
    if (this.door.broker.topology.residence === null) await ended;
  }

  /** The session goes on elsewhere. */
  handOver(session: Session): void {
    for (const filter of session.shares.keys()) {
      this.leave(session, filter);
      const key = keyOf(session.vhost, queueName(filter));
      if (this.groups.get(key)?.members.size === 0) this.groups.delete(key);
    }
  }

  leaveAll(session: Session): void {
    for (const filter of session.shares.keys()) void this.part(session, filter);
  }

  /** After a start: queues of groups that nobody is in any more. */
  async sweep(vhost: VirtualHost): Promise<void> {
    for (const { name, home } of [...vhost.queues.values()]) {
      const key = keyOf(vhost, name);
      // Those that live elsewhere are swept there.
      if (home !== null || !name.startsWith(queuePrefix) || this.groups.has(key)) continue;
      const group = { vhost, queueName: name };
      // Others may not be linked yet, or begin only now.
      if (this.door.broker.topology.residence === null) await this.end(key, group);
      else this.lonely.set(key, group);
    }
  }

  /** Called now and then: those that could not be asked before may be there by now. */
  tick(nowMs: number): void {
    if (this.lonely.size === 0 || nowMs - this.askedAtMs < askEveryMs) return;
    this.askedAtMs = nowMs;
    for (const [key, group] of this.lonely) void this.end(key, group);
  }

  /** The group has no members here. Its queue goes, unless there are some on another node, or one does not tell. */
  private async end(key: string, group: Lonely): Promise<void> {
    const { residence } = this.door.broker.topology;
    this.lonely.delete(key);
    if (residence !== null) {
      const answers = await residence.askAll(membersQuestion, key).catch(() => null);
      if (this.groups.has(key) || answers?.includes(true)) return;
      if (answers === null || this.hasOrphan(group)) {
        this.lonely.set(key, group);
        return;
      }
    }
    const { vhost, queueName } = group;
    const queue = vhost.deleted ? undefined : vhost.queues.get(queueName);
    if (queue !== undefined) await this.remove(vhost, queue, residence !== null);
  }

  /** Of a session whose node is gone and that no other has taken yet. */
  private hasOrphan({ vhost, queueName: name }: Lonely): boolean {
    const { takeovers } = this.door;
    return takeovers?.directory.hasOrphanWith(vhost.name, (filter) => queueName(filter) === name) ?? false;
  }

  /** `ifUnused`: somebody on another node may have joined in this moment. */
  private async remove(vhost: VirtualHost, queue: SharedQueue, ifUnused: boolean): Promise<void> {
    try {
      await removeQueue(this.door.broker.topology, vhost, queue, { ifUnused, ifEmpty: false });
    } catch (error) {
      if (error instanceof BrokerError && error.key === 'inUse') return;
      this.door.log.error({ err: error, queue: queue.name }, "a shared group's queue could not be deleted");
    }
  }

  private groupOf(vhost: VirtualHost, queueName: string): Group {
    const key = keyOf(vhost, queueName);
    let group = this.groups.get(key);
    if (group === undefined) this.groups.set(key, (group = { vhost, queueName, members: new Map() }));
    return group;
  }
}

/** A message of QoS 2 moves from a group to the session that it was chosen for. [MQTT-4.8.2-4], [MQTT-4.8.2-5] */
export function moveToOwn(session: Session, message: Message, source: Source, slot: ConfirmSlot): void {
  const { queue } = session;
  if (queue === null) {
    slot.refused('node-down');
    return;
  }
  const { subscriptionIds } = source.matchOf(message);
  const via = u32Property(OWN.via, subscriptionIds?.[0] ?? 0);
  const form = storedForm(storedQos(message), storedRetain(message), editedProperties(message, [], via));
  const { address, dialect, persistent, priority, expirationMs, bodyBytes } = message;
  const body = message.parts ?? (bodyBytes === 0 ? null : [message.body()]);
  const copy = new Message(
    address,
    dialect,
    persistent,
    priority,
    expirationMs,
    form,
    0,
    form.length,
    0,
    0,
    body,
    bodyBytes,
  );
  copy.receivedAtMs = message.receivedAtMs;
  queue.enqueue(copy, slot);
}

function queueName(filter: string): string {
  const { group, filter: inner } = sharedFilter(filter)!;
  const name = `${queuePrefix}${group}/${inner}`;
  if (Buffer.byteLength(name) > 255) throw new MqttError(REASON.filterInvalid, 'the shared subscription is too long');
  return name;
}

function keyOf(vhost: VirtualHost, queueName: string): string {
  return `${vhost.name}\0${queueName}`;
}
