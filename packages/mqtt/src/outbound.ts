import {
  andThen,
  BrokerError,
  type ConfirmSlot,
  type Consumer,
  type Delivery,
  type DeliverySink,
  type DetachReason,
  type Flushable,
  type Later,
  type Message,
  PHASE_DECIDE,
  type Position,
  type SharedQueue,
  type Turn,
  Window,
} from '@chapar/core';
import { Completions } from './completions.js';
import type { Sender } from './sender.js';
import { replayOf, storedQos, storedRetain, viaOf } from './stored-publish.js';
import type { Match } from './subscriptions.js';
import type { WriteSink } from './write-sink.js';

/** What deliveries ask of the session's connection. */
export interface OutboundPeer {
  readonly sender: Sender;
  readonly receiveMaximum: number;
  sendPubrel(packetId: number): void;
  /** False when enough waits for the client: `resume` is called when it has read. */
  mayDeliverMore(): boolean;
  /** The queue was taken away. */
  queueGone(why: DetachReason): void;
}

/** What remembers that a message of QoS 2 was received and is to be released, over a restart of the broker. */
export interface ReleaseLog {
  /** As of `ReceivedLog`. */
  readonly isApart: boolean;
  /** `sink` is told, with the position, when it would survive a crash, perhaps at once. */
  released(packetId: number, position: Position, sink: WriteSink): void;
  completed(packetId: number): void;
}

const idsMax = 65_535;

/** Where deliveries come from beside the session's own queue, and what they are sent as. */
export interface Source {
  /** Of the message; of a shared subscription always the same. */
  matchOf(message: Message): Match;
  /** A shared group's: its positions are not the session's, and what goes out exactly once moves to the session's own queue first. */
  readonly isShared: boolean;
}

/**
 * Messages of QoS 1 and 2 on their way from queues to the client (§4.3, §4.4, §4.6). The packet identifier of a message follows from
 * its position in the session's queue, so that after a reconnect, and after a restart of the broker too, it is sent again under the
 * same; what is not acknowledged when the client goes is ready again in its place.
 */
export class Outbound implements DeliverySink, Flushable, WriteSink {
  private readonly clientId: string;
  private readonly turn: Turn;
  private readonly log: ReleaseLog;
  private readonly own: Source;
  private peer: OutboundPeer | null = null;
  /** The session's, once it was consumed. */
  private ownQueue: SharedQueue | null = null;
  private readonly sources = new Map<Consumer, Source>();
  /** Of shared groups that were joined when there was no room: they begin when there is. */
  private readonly waiting = new Set<Consumer>();
  /** [MQTT-3.3.4-9]: what the client takes at a time from its own queue: all that it takes, but for what it has from others. */
  private readonly window = new Window(0);
  /** Of those in flight, the ones from shared groups. */
  private sharedCount = 0;
  /** Sent, waiting for PUBACK or PUBREC. */
  private readonly inFlight = new Map<number, Delivery>();
  /** Of these, the ones of QoS 2. */
  private readonly exactlyOnce = new Set<number>();
  /** Received by the client: PUBREL was or will be sent, PUBCOMP is awaited. By the position of the message. */
  readonly released = new Map<number, Position>();
  /** Of these, the ones that the log does not have yet: it would not know of them if the client went elsewhere now. */
  private readonly releasing = new Set<number>();
  /** Null: there were none. */
  private completions: Completions | null = null;
  /** `endOfTurn` will be called. */
  private isAsked = false;
  /** Settled by being sent; accepted at the end of the turn, since a sink must not call its queue. */
  private sent: Delivery[] = [];
  /** Of shared groups, of QoS 2: they move to the session's queue at the end of the turn. */
  private moving: { readonly delivery: Delivery; readonly message: Message }[] = [];
  /** Of these, how many are on their way into a log of its own, by consumer. */
  private readonly underWay = new Map<Consumer, number>();
  private underWayCount = 0;
  /** Consumers that go when what is under way from them is decided: else another member would get that as well. */
  private readonly leaving = new Set<Consumer>();
  /** Of the session's owner: consumers of those before, on nodes that have not heard yet that they have it no more, give way. 0: it has none. */
  ownerOrdinal = 0;
  /** Takes a message that moves. Set by the session. */
  moveToOwn: ((message: Message, source: Source, slot: ConfirmSlot) => void) | null = null;

  constructor(clientId: string, turn: Turn, log: ReleaseLog, matchOf: (message: Message) => Match) {
    this.clientId = clientId;
    this.turn = turn;
    this.log = log;
    this.own = { matchOf, isShared: false };
  }

  /** Of an owner before. */
  inherit(packetId: number, position: Position): void {
    this.released.set(packetId, position);
    if (this.log.isApart) this.known.doubt(packetId, position);
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  /** After CONNACK: what is released is completed first, then what was not acknowledged comes again, in order. [MQTT-4.4.0-1] */
  attach(peer: OutboundPeer, queue: SharedQueue | null): void {
    this.peer = peer;
    this.completions?.return();
    for (const packetId of this.released.keys()) if (!this.releasing.has(packetId)) peer.sendPubrel(packetId);
    this.resize();
    if (queue !== null) this.begin(queue);
  }

  get isConnected(): boolean {
    return this.peer !== null;
  }

  /** As `consume`, where nobody waits: what stands against it ends the connection, and the client comes again. */
  begin(queue: SharedQueue, source: Source = this.own, then: (consumer: Consumer | null) => void = ignore): void {
    const { peer } = this;
    const taken = this.consume(queue, source);
    if (!(taken instanceof Promise)) {
      then(taken);
      return;
    }
    taken.then(then, (error: unknown) => {
      const isFenced = error instanceof BrokerError && error.key === 'consumerFenced';
      if (this.peer === peer) peer?.queueGone(isFenced ? 'fenced' : 'node-down');
    });
  }

  /** Takes the session's own queue, once, or a shared group's. Null without a connection. */
  consume(queue: SharedQueue, source: Source = this.own): Later<Consumer | null> {
    const { peer } = this;
    if (peer === null) return null;
    for (const [consumer, known] of this.sources) if (consumer.queue === queue && known === source) return consumer;
    if (!source.isShared) this.ownQueue = queue;
    // What a group has for this client is counted here: it must not take what cannot be sent at once.
    const window = source.isShared ? null : this.window;
    const ownerOrdinal = source.isShared ? 0 : this.ownerOrdinal;
    const told = { tag: this.clientId, acknowledges: true, exclusive: false, priority: 0, arguments: {} };
    const spec = { ...told, window, ownerOrdinal };
    return andThen(queue.attach(spec, this), (consumer) => {
      // Attaching may have taken a while, and the client is gone, or is here anew.
      if (this.peer !== peer) {
        consumer.detach();
        return null;
      }
      this.sources.set(consumer, source);
      if (source.isShared && !this.hasRoom) this.waiting.add(consumer);
      else consumer.grant(Number.POSITIVE_INFINITY);
      return consumer;
    });
  }

  /** No more from a shared group; what is on its way still is. */
  cancel(consumer: Consumer): void {
    void consumer.stop();
  }

  /** The connection is gone. */
  detach(): void {
    const consumers = [...this.sources.keys()];
    // All of them first, or what one gives back would go to the next.
    for (const consumer of consumers) void consumer.stop();
    this.endOfTurn();
    this.peer = null;
    // They go back to the queue unsettled, and their identifiers may be completed before they come again.
    for (const packetId of this.releasing) this.known.doubt(packetId, this.released.get(packetId)!);
    this.completions?.leave();
    this.sources.clear();
    this.waiting.clear();
    this.inFlight.clear();
    this.exactlyOnce.clear();
    this.sharedCount = 0;
    for (const consumer of consumers) {
      if (this.underWay.has(consumer)) this.leaving.add(consumer);
      else consumer.detach();
    }
  }

  /** The pipe has room again. */
  resume(): void {
    if (this.waiting.size > 0 && this.hasRoom) {
      const begun = [...this.waiting];
      this.waiting.clear();
      for (const consumer of begun) consumer.grant(Number.POSITIVE_INFINITY);
    }
    for (const [consumer, { isShared }] of this.sources) if (!isShared || this.hasRoom) consumer.resume();
  }

  private get hasRoom(): boolean {
    const { peer } = this;
    const moving = this.moving.length + this.underWayCount;
    return peer !== null && this.inFlight.size + this.released.size + moving < peer.receiveMaximum;
  }

  get unacknowledgedCount(): number {
    return this.inFlight.size + this.released.size;
  }

  /** What the client may be sent at a time from its own queue has changed. */
  private resize(): void {
    const { peer } = this;
    if (peer === null) return;
    this.window.setLimit(Math.max(0, peer.receiveMaximum - this.released.size - this.sharedCount));
  }

  /** A place is free. */
  private freed(wasShared: boolean): void {
    if (wasShared) this.resize();
    if (this.sources.size > 1) this.resume();
  }

  // ---- deliveries --------------------------------------------------------------------------------------------------

  deliver(consumer: Consumer, message: Message, redelivered: boolean, held: Delivery | null): boolean {
    const peer = this.peer!;
    const delivery = held!;
    const source = this.sources.get(consumer)!;
    // PUBREC came, and the crash that followed took the settlement.
    if (!source.isShared && this.released.get(packetIdOf(delivery.position)) === delivery.position)
      return this.passReleased(delivery);
    if (!source.isShared && this.completions?.has(delivery.position)) return this.passKnown(delivery, true);
    const formed = peer.sender.formed(message);
    const replay = replayOf(formed);
    const match = source.matchOf(message);
    if (!isWanted(message, match)) return this.pass(delivery);
    const qos = Math.min(storedQos(formed), match.qos < 0 ? 2 : match.qos);
    if (qos === 2 && source.isShared) return this.move(delivery, message) && this.hasRoom;
    const retain = (replay !== -1 || match.retainAsPublished) && storedRetain(formed);
    const ids = replay === -1 ? this.idsOf(formed, match) : replay === 0 ? null : [replay];
    if (qos === 0) {
      peer.sender.sendPlain(formed, retain, ids);
      this.pass(delivery);
    } else {
      const packetId = source.isShared ? this.sharedId() : this.freeId(packetIdOf(delivery.position));
      if (peer.sender.send(formed, qos, redelivered, retain, packetId, ids)) this.hold(packetId, qos, delivery, source);
      else this.pass(delivery);
    }
    return peer.mayDeliverMore() && (!source.isShared || this.hasRoom);
  }

  private passReleased(delivery: Delivery): boolean {
    const packetId = packetIdOf(delivery.position);
    if (!this.releasing.has(packetId)) return this.passKnown(delivery, false);
    this.inFlight.set(packetId, delivery);
    return true;
  }

  /** The client has it: the queue had not heard, or forgot. `isCompleted`: PUBCOMP has come, too. */
  private passKnown(delivery: Delivery, isCompleted: boolean): boolean {
    if (this.ownQueue?.settledForGood !== undefined) this.completions?.settledAgain(delivery.position, isCompleted);
    return this.pass(delivery);
  }

  private idsOf(formed: Message, match: Match): readonly number[] | null {
    const via = match.qos < 0 ? viaOf(formed) : -1;
    return via > 0 ? [via] : match.subscriptionIds;
  }

  private hold(packetId: number, qos: number, delivery: Delivery, { isShared }: Source): void {
    this.inFlight.set(packetId, delivery);
    if (isShared) {
      this.sharedCount++;
      this.resize();
    }
    if (qos === 2) this.exactlyOnce.add(packetId);
  }

  private isFree(id: number): boolean {
    return !this.inFlight.has(id) && !this.released.has(id);
  }

  /** The identifier itself, unless a message that is 65,535 older still has it. */
  private freeId(wanted: number): number {
    let id = wanted;
    while (!this.isFree(id)) id = (id % idsMax) + 1;
    return id;
  }

  /** From above: those of the session's queue mostly come from below. */
  private sharedId(): number {
    let id = idsMax;
    while (!this.isFree(id)) id--;
    return id;
  }

  // ---- the end of the turn -------------------------------------------------------------------------------------------

  /** Done with by having been sent. */
  private pass(delivery: Delivery): boolean {
    this.ask();
    this.sent.push(delivery);
    return true;
  }

  /** [MQTT-4.8.2-4]: a message of QoS 2 that was once sent to this session must not go to another: from its own queue it cannot. */
  private move(delivery: Delivery, message: Message): boolean {
    this.ask();
    this.moving.push({ delivery, message });
    return true;
  }

  private ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    this.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    const { sent, moving } = this;
    this.isAsked = false;
    if (sent.length > 0) this.sent = [];
    if (moving.length > 0) this.moving = [];
    for (const delivery of sent) delivery.consumer.settle(delivery, 'accept');
    // Behind what was settled.
    if (this.ownQueue?.settledForGood !== undefined) this.completions?.ask(this.ownQueue);
    for (const { delivery, message } of moving) {
      const source = this.sources.get(delivery.consumer);
      if (source === undefined) delivery.consumer.settle(delivery, 'release');
      else if (this.log.isApart) this.moveApart(delivery, message, source);
      else this.moveAtOnce(delivery, message, source);
    }
    if (moving.length > 0) this.freed(false);
  }

  /** It is written with the settlement that the group's queue is given, or before it: a crash takes neither alone from the log's end. */
  private moveAtOnce(delivery: Delivery, message: Message, source: Source): void {
    let isTaken = true;
    const refused = (): void => {
      isTaken = false;
    };
    this.moveToOwn!(message, source, { committed: () => undefined, refused });
    delivery.consumer.settle(delivery, isTaken ? 'accept' : 'release');
  }

  /** The queues are in different logs: the group lets go of it when the session has it for good. */
  private moveApart(delivery: Delivery, message: Message, source: Source): void {
    const { consumer } = delivery;
    this.underWay.set(consumer, (this.underWay.get(consumer) ?? 0) + 1);
    this.underWayCount++;
    const moved = (outcome: 'accept' | 'release'): void => this.movedApart(delivery, outcome);
    this.moveToOwn!(message, source, { committed: () => moved('accept'), refused: () => moved('release') });
  }

  private movedApart(delivery: Delivery, outcome: 'accept' | 'release'): void {
    const { consumer } = delivery;
    consumer.settle(delivery, outcome);
    const left = this.underWay.get(consumer)! - 1;
    this.underWayCount--;
    if (left > 0) this.underWay.set(consumer, left);
    else {
      this.underWay.delete(consumer);
      if (this.leaving.delete(consumer)) consumer.detach();
    }
    this.freed(false);
  }

  // ---- acknowledgements --------------------------------------------------------------------------------------------

  /** PUBACK; one that nothing waits for is passed over. */
  puback(packetId: number): void {
    if (this.exactlyOnce.has(packetId)) return;
    this.accept(packetId);
  }

  /** PUBREC without an error. False when nothing of that identifier is known. [MQTT-4.3.3-4] */
  pubrec(packetId: number): boolean {
    if (this.released.has(packetId)) {
      if (!this.releasing.has(packetId)) this.peer!.sendPubrel(packetId);
      return true;
    }
    const delivery = this.inFlight.get(packetId);
    if (delivery === undefined || !this.exactlyOnce.has(packetId)) return false;
    const { position } = delivery;
    this.exactlyOnce.delete(packetId);
    this.released.set(packetId, position);
    this.resize();
    if (this.log.isApart) this.releasing.add(packetId);
    else this.take(packetId, delivery);
    // The client forgets the message with PUBREL: from then on it must not be sent again, whatever happens here.
    this.log.released(packetId, position, this);
    return true;
  }

  /** The log has that the client received it. */
  written(packetId: number, position: Position): void {
    // Not before: if it was settled and the identifier got lost, nobody would release that, and the client take the next message for this one.
    if (this.releasing.delete(packetId)) {
      const delivery = this.inFlight.get(packetId);
      if (delivery?.position === position) {
        this.take(packetId, delivery);
        if (this.ownQueue?.settledForGood !== undefined) {
          this.known.settled(packetId, position);
          this.ask();
        }
      }
    }
    if (this.released.get(packetId) === position) this.peer?.sendPubrel(packetId);
  }

  /** PUBREC with an error: the client has not taken the message, and does not want it again. [MQTT-4.3.3-4] */
  refused(packetId: number): void {
    this.exactlyOnce.delete(packetId);
    this.accept(packetId);
  }

  pubcomp(packetId: number): void {
    const position = this.released.get(packetId);
    if (position === undefined) return;
    this.released.delete(packetId);
    if (this.completions === null) this.log.completed(packetId);
    else this.completions.complete(packetId, position);
    this.resize();
    this.freed(false);
  }

  private get known(): Completions {
    if (this.completions === null) {
      const isReleased = (packetId: number): boolean => this.released.has(packetId);
      this.completions = new Completions(this.turn, isReleased, (packetId) => this.log.completed(packetId));
      if (this.peer !== null) this.completions.return();
    }
    return this.completions;
  }

  private accept(packetId: number): void {
    const delivery = this.inFlight.get(packetId);
    if (delivery !== undefined) this.freed(this.take(packetId, delivery));
  }

  /** The client has it. True when it came from a shared group. */
  private take(packetId: number, delivery: Delivery): boolean {
    this.inFlight.delete(packetId);
    const { consumer } = delivery;
    const isShared = this.sources.get(consumer)?.isShared ?? false;
    if (isShared) this.sharedCount--;
    consumer.settle(delivery, 'accept');
    return isShared;
  }

  detached(consumer: Consumer, why: DetachReason): void {
    this.sources.delete(consumer);
    this.peer?.queueGone(why);
  }
}

function packetIdOf(position: Position): number {
  return ((position - 1) % idsMax) + 1;
}

const ignore = (): void => undefined;

/** Not a `$`-topic that only a wildcard would match, and not one's own where that is not wanted. */
function isWanted(message: Message, match: Match): boolean {
  const { routingKey } = message.address;
  if (routingKey === '') return false;
  if (match.isUnwanted) return false;
  return match.qos >= 0 || !routingKey.startsWith('$');
}
