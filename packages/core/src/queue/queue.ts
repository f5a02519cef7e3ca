import type { DeadLetterRouter } from '../dead-letter/router.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Later } from '../later.js';
import type { Message } from '../message.js';
import { type EffectivePolicy, noPolicy } from '../policy/effective-policy.js';
import type { DropReason, Incarnation, Position, QueueLog, RecoveredQueue } from '../ports.js';
import type { Provenance } from '../replica-log.js';
import type { Turn } from '../turn.js';
import { Arriving } from './arriving.js';
import { Beginning } from './beginning.js';
import { Claim } from './claim.js';
import { type ConsumerSpec, QueueConsumer } from './consumer.js';
import type { DeliverySink, DetachReason, Outcome, QueueDelivery } from './delivery.js';
import { Dispatch } from './dispatch.js';
import { Doubt } from './doubt.js';
import { Exit } from './exit.js';
import type { Got } from './got.js';
import { Handout } from './handout.js';
import { LengthLimit } from './length-limit.js';
import { type Memory, unboundedMemory } from './memory.js';
import type { Outbox } from './outbox.js';
import { Paging } from './paging.js';
import { Pending } from './pending.js';
import type { Persist } from './persist.js';
import { readyMessages } from './priority-ready.js';
import { nobody, type QueueProperties } from './queue-properties.js';
import type { ReadyMessages } from './ready-messages.js';
import { Roster } from './roster.js';
import { type QueueRules, rulesOf, sameRules } from './rules.js';
import type { QueueCounts, SharedQueue } from './shared-queue.js';
import { QueueStatistics } from './statistics.js';
import { Succession } from './succession.js';
import { Timing } from './timing.js';
import type { TurnOrder } from './turn-order.js';

/**
 * A queue: what waits, what consumers hold, whose turn it is. It decides and never waits; durable ones tell their log. Invariant
 * between calls: when a message waits, nobody in the turn order can take it.
 */
export class Queue implements SharedQueue {
  properties: QueueProperties;
  readonly name: string;
  readonly incarnation: Incarnation;
  readonly logs: boolean;
  readonly home = null;
  readonly statistics = new QueueStatistics();
  readonly roster: Roster;
  private readonly turn: Turn;
  private readonly log: QueueLog | null;
  private readonly persist: Persist;
  private readonly ready: ReadyMessages;
  private readonly paging: Paging;
  private readonly exit: Exit;
  private readonly order: TurnOrder;
  private readonly pending = new Pending();
  /** The last position given. */
  end: Position = 0;
  private readonly timing: Timing;
  private readonly handout: Handout;
  private limit: LengthLimit | null = null;
  private readonly dispatch: Dispatch;
  /** Of a mirrored queue: whether this node still leads it. */
  readonly doubt: Doubt;
  private failed = false;
  /** Not among the ready ones. Null: what comes is there at once. */
  readonly arriving: Arriving | null;
  private readonly admitted = (position: Position, message: Message): void => this.admit(position, message);
  private readonly beginning = new Beginning();
  /** The last consumer went while the queue was held. */
  private wasLeft = false;
  /** Of a mirrored queue, until `begin`: nothing is delivered, got, expired or dropped. */
  isHeld: boolean;
  deleted = false;
  /** Its way to being mirrored. */
  readonly succession: Succession;
  mayRefuse = false;
  /** What policies say; replaced, with the rules that follow from it, when another applies. */
  policy: EffectivePolicy = noPolicy;
  /** See `applyRules`. */
  rules: QueueRules;
  /** Called when the last consumer went (auto-delete). */
  onUnused: (() => void) | null = null;
  /** Called when nobody used it for as long as the rules say. */
  onExpired: (() => void) | null = null;
  /** Called once when the log can promise nothing any more. */
  onLogFailed: ((error: Error) => void) | null = null;

  constructor(
    turn: Turn,
    persist: Persist,
    properties: QueueProperties,
    log: QueueLog | null,
    memory: Memory = unboundedMemory(),
  ) {
    this.turn = turn;
    this.persist = persist;
    this.properties = properties;
    this.name = properties.name;
    this.incarnation = properties.incarnation;
    this.log = log;
    this.rules = rulesOf(properties.arguments);
    this.roster = new Roster(properties);
    this.order = this.roster.order;
    this.ready = readyMessages(properties.arguments, memory, (position, message) =>
      this.paging.pageOut(position, message),
    );
    this.paging = new Paging(this.ready, log, persist, () => this.filled());
    this.exit = new Exit(this, { turn, persist, log, paging: this.paging, pending: this.pending });
    this.obey();
    this.logs = log !== null;
    this.isHeld = log?.isMirrored ?? false;
    this.arriving = this.isHeld ? new Arriving(memory) : null;
    this.timing = new Timing(turn, this, this.ready, this.paging);
    const { statistics, ready, order, paging, exit, timing } = this;
    const handout = new Handout({ turn, statistics, ready, paging, exit, timing });
    this.handout = handout;
    this.doubt = new Doubt(log, () => this.dispatch.ask());
    this.dispatch = new Dispatch(this, { turn, ready, order, paging, timing, handout, doubt: this.doubt });
    this.succession = new Succession(this, { log, persist, ready, paging });
    if (log === null) return;
    log.onCommitted = (upTo) => this.committed(upTo);
    log.onFailed = (error) => this.fail(error);
  }

  /** Takes what recovery found, before anything is enqueued or attached. */
  recover(found: RecoveredQueue): void {
    this.ready.recover(found);
    this.exit.recover(found);
    this.end = found.last;
    if (found.mayExpire) this.timing.mayExpire();
  }

  /** Everything that recovery found stands: what has expired may go, and dead letters find their way. */
  opened(): void {
    this.exit.opened();
    this.trim();
    this.timing.watchHead();
  }

  /** Who had messages of a mirrored queue under its leader before has claimed them, or had the time to: the rest is ready, and the queue serves. */
  begin(): void {
    if (!this.isHeld || this.deleted) return;
    this.isHeld = false;
    // First: all have their turn before the first of them gets something.
    this.dispatch.ask();
    for (const consumer of this.consumers) consumer.wake();
    this.used();
    this.opened();
    this.beginning.pass();
    if (this.wasLeft && this.consumers.size === 0) this.onUnused?.();
  }

  /** Resolves when it has begun, or when it is clear that it will not under this leader. Only when held. */
  begun(): Promise<void> {
    return this.beginning.past();
  }

  // ---- publish -------------------------------------------------------------------------------------------------

  enqueue(message: Message, slot: ConfirmSlot | null, from?: Provenance): void {
    const { limit, log } = this;
    if (this.succession.heir !== null) {
      this.succession.heir.enqueue(message, slot, from);
      return;
    }
    if (limit?.refuses(this, message)) {
      this.exit.refuse(message, slot);
      return;
    }
    this.statistics.published++;
    if (message.receivedAtMs === 0) message.receivedAtMs = this.turn.nowMs;
    let position: Position;
    if (log === null) {
      position = this.end + 1;
      slot?.committed();
    } else if (message.persistent || log.logsAll) {
      if (this.failed) {
        // A mirrored message may be with others, who know what becomes of it.
        if (this.arriving === null) slot?.refused('store-failed');
        return;
      }
      position = log.publish(message);
      this.persist.touch();
      if (slot !== null) this.pending.push(position, slot);
      if (this.arriving !== null) {
        this.end = position;
        this.arriving.push(position, message);
        return;
      }
    } else {
      position = log.skip();
      slot?.committed();
    }
    this.end = position;
    this.admit(position, message);
  }

  /** The log has committed everything up to here. */
  private committed(upTo: Position): void {
    this.pending.committed(upTo);
    this.doubt.arises();
    this.arriving?.committed(upTo, this.admitted);
  }

  /** Nothing takes the message back any more: it is delivered, or ready. */
  private admit(position: Position, message: Message): void {
    const { limit } = this;
    if (this.ready.isEmpty && !this.doubt.isOn) {
      const consumer = this.order.take();
      if (consumer !== null) {
        this.handout.deliver(consumer, position, message, false);
        return;
      }
    }
    message.keep();
    this.dispatch.waits();
    this.ready.push(position, message);
    if (limit !== null) this.trim();
    if (this.timing.expiry !== null || message.expirationMs >= 0) this.timing.mayExpire().arrived();
  }

  /** Drops the oldest as long as more waits than may. What has to be read for it goes when it was. */
  private trim(): void {
    const { limit, ready } = this;
    if (limit === null || this.isHeld) return;
    while (ready.hasHead && limit.isExceeded(this)) this.dropHead('maxlen');
    this.paging.fill();
  }

  // ---- deliver -------------------------------------------------------------------------------------------------

  /** More of what waits is in memory. */
  private filled(): void {
    this.trim();
    if (!this.dispatch.isAsked) this.dispatch.run();
  }

  /** A promise when it has to be read first. */
  get(holder: QueueConsumer | null, isGone: () => boolean = () => false): Later<Got | null> {
    if (holder?.isDetached || isGone()) return null;
    if (this.isHeld) return this.begun().then(() => this.get(holder, isGone));
    if (this.doubt.arises()) return this.doubt.over().then(() => this.get(holder, isGone));
    if (this.succession.heir !== null) return this.succession.get(holder, isGone);
    this.used();
    this.timing.expiry?.takeDue();
    if (this.ready.hasHead) return this.handout.get(holder);
    if (this.ready.isEmpty) {
      this.statistics.getEmpty++;
      return null;
    }
    // Somebody else may have been faster.
    return this.paging.head().then(() => this.get(holder, isGone));
  }

  /** Called when the oldest message has expired. */
  expireHead(): void {
    this.dropHead('expired');
    this.paging.fill();
  }

  /** The oldest, which is in memory. */
  private dropHead(reason: DropReason): void {
    const { ready } = this;
    const position = ready.headPosition;
    this.exit.drop(position, ready.shift(), reason);
  }

  // ---- settle --------------------------------------------------------------------------------------------------

  /** A verdict on a delivery; a second one on the same does nothing. */
  settle(delivery: QueueDelivery, outcome: Outcome): void {
    if (delivery.settled) return;
    const { consumer, position, message } = delivery;
    this.handout.letGo(delivery);
    if (!this.deleted) this.leave(position, message, outcome);
    if (this.roster.single?.passOn()) this.takeOver();
    // Last: somebody who takes from this queue may wake, and what was given back stands before what waits.
    consumer.window?.give();
  }

  private leave(position: Position, message: Message, outcome: Outcome): void {
    if (outcome === 'release') {
      if (this.exit.isWornOut(position, message)) return;
      this.statistics.requeued++;
      this.ready.giveBack(position, message);
      this.trim();
      if (message.expirationMs >= 0) this.timing.mayExpire();
      this.dispatch.ask();
      return;
    }
    this.statistics.settled++;
    if (outcome === 'accept') this.exit.gone(position, message, true);
    else this.drop(position, message, 'rejected');
  }

  /** See `Exit.drop`: the one way out for what was not accepted. */
  drop(position: Position, message: Message, reason: DropReason): void {
    this.exit.drop(position, message, reason);
  }

  // ---- consumers -----------------------------------------------------------------------------------------------

  /** Attaches a consumer without credit: nothing is delivered before its first `grant`. Throws what `Roster.assertMayAttach` does. */
  attach(spec: ConsumerSpec, sink: DeliverySink): QueueConsumer {
    this.roster.assertMayAttach(spec, this.properties);
    const consumer = new QueueConsumer(this, spec, sink);
    this.roster.add(consumer);
    if (consumer.timeoutMs !== null) this.timing.mayTimeOut();
    return consumer;
  }

  get consumers(): ReadonlySet<QueueConsumer> {
    return this.roster.consumers;
  }

  /** Perhaps another consumer is served now: from the end of the turn on, behind what the last one gives back in this turn. */
  private takeOver(): void {
    this.dispatch.ask();
    this.roster.single?.current?.wake();
  }

  /**
   * The consumer held these messages under the leader before: those that are ready come into its hands and are not sent again. `done`
   * is told which, by ascending position, perhaps within this call; not at all when the queue has ended meanwhile.
   */
  claim(
    consumer: QueueConsumer,
    positions: readonly Position[],
    done: (deliveries: readonly QueueDelivery[]) => void,
  ): void {
    if (this.isHeld && positions.length > 0) this.roster.single?.prefer(consumer);
    const { ready, paging, handout, timing } = this;
    new Claim({ owner: this, ready, paging, handout, timing }, consumer, positions, done).begin();
  }

  /** Never in the turn order. Throws 405 when its owner is none any more. */
  holder(spec: ConsumerSpec, sink: DeliverySink): QueueConsumer {
    const holder = new QueueConsumer(this, spec, sink);
    this.roster.addHolder(holder, this.properties);
    return holder;
  }

  /** Called by `QueueConsumer.stop`. */
  removeConsumer(consumer: QueueConsumer): void {
    if (!this.roster.remove(consumer)) return;
    if (this.roster.single !== null) this.takeOver();
    if (this.consumers.size > 0) return;
    this.used();
    // Others may not have had the time to come back.
    if (this.isHeld) this.wasLeft = true;
    else this.onUnused?.();
  }

  /** Called by a consumer that can take messages again. */
  activate(consumer: QueueConsumer): void {
    if (this.isHeld || !this.roster.mayJoin(consumer)) return;
    this.order.join(consumer);
    // While somebody waits for the turn's end to get what was given back, order is kept by waiting with him.
    if (!this.ready.isEmpty && !this.dispatch.isAsked) this.dispatch.run();
  }

  deactivate(consumer: QueueConsumer): void {
    this.order.leave(consumer);
  }

  // ---- administration ------------------------------------------------------------------------------------------

  applyPolicy(policy: EffectivePolicy): void {
    if (this.policy === policy) return;
    this.policy = policy;
    const rules = rulesOf(this.properties.arguments, policy.definition);
    if (!sameRules(rules, this.rules)) this.applyRules(rules);
  }

  /** The queue was told something else. */
  applyRules(rules: QueueRules): void {
    this.rules = rules;
    this.obey();
    this.trim();
    this.timing.rulesChanged();
  }

  used(): void {
    this.timing.used();
  }

  assertReachable(): void {}

  counts(): QueueCounts {
    return { ready: this.ready.length, consumers: this.roster.consumers.size };
  }

  private obey(): void {
    const { rules, mayRefuse } = this;
    this.limit = LengthLimit.of(rules);
    this.mayRefuse = this.limit?.mayRefuse ?? false;
    if (this.mayRefuse !== mayRefuse) this.exit.router?.routesChanged();
    this.exit.obey(rules);
  }

  /** Drops what waits; what consumers hold, or will claim, stays theirs. Returns how many. */
  purge(): Later<number> {
    if (this.isHeld) return this.begun().then(() => this.purge());
    const count = this.ready.length;
    this.exit.purge(this.ready);
    this.statistics.purged += count;
    return count;
  }

  /** The queue ends: consumers are told, what they hold is void, confirms that wait are given (there is nothing left to lose). */
  delete(): void {
    this.finish('queue-deleted');
  }

  /** It goes on elsewhere, or as another, with all that was committed: what consumers hold is void here, and the log is told nothing more. */
  dissolve(): void {
    this.finish('moved');
  }

  private finish(why: DetachReason): void {
    if (this.deleted) return;
    this.deleted = true;
    this.onUnused = this.onExpired = null;
    // Whoever remembers the queue a while longer (routes, deliveries) shall not keep a connection alive with it.
    if (this.properties.owner !== null) this.properties = { ...this.properties, owner: nobody };
    if (why === 'moved') this.exit.outbox?.abandon();
    else this.exit.outbox?.close();
    this.timing.stop();
    this.paging.end(this.end);
    const left = this.succession.passOn(this.roster.clear());
    // Of what was appended before it was mirrored the log still says when it is on the disk.
    if (why !== 'moved') this.pending.committed(Number.POSITIVE_INFINITY);
    else if (this.succession.heir === null) this.pending.clear();
    for (const consumer of left) consumer.sink.detached(consumer, why);
    if (this.arriving === null) return;
    this.failed = true;
    this.isHeld = false;
    this.arriving.clear();
    this.beginning.pass();
    this.doubt.stop();
  }

  /** The log cannot promise any more: what waits for a confirm is refused, and so is what comes. */
  private fail(error: Error): void {
    this.failed = true;
    this.onLogFailed?.(error);
    // What was given to a mirrored log may be with others, who know what becomes of it.
    if (this.arriving === null) this.pending.refuseAll('store-failed');
  }

  /** Dead letters on their way; null: there was none yet. */
  get outbox(): Outbox | null {
    return this.exit.outbox;
  }

  /** The way to the dead-letter exchange. Without one, what is dropped is gone. */
  set deadLetterRouter(router: DeadLetterRouter | null) {
    this.exit.router = router;
  }

  /** Other nodes have copies, and this one leads them. */
  get isMirrored(): boolean {
    return this.arriving !== null;
  }

  get readyCount(): number {
    return this.ready.length;
  }

  get readyBytes(): number {
    return this.ready.bytes;
  }

  /** On disk and not in memory. */
  get pagedCount(): number {
    return this.ready.pagedCount;
  }

  get pagedBytes(): number {
    return this.ready.pagedBytes;
  }

  get unsettledCount(): number {
    return this.handout.count;
  }

  get unsettledBytes(): number {
    return this.handout.bytes;
  }

  /** Messages at or below were delivered; recorded at a clean stop. */
  get deliveredUpTo(): Position {
    return this.ready.deliveredUpTo(this.end);
  }

  /** The same for each priority; empty for a queue without. */
  get deliveredByLevel(): readonly Position[] {
    return this.ready.deliveredByLevel(this.end);
  }
}
