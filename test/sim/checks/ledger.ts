import type { Delivered } from '../cluster/traffic.js';
import { Consumption } from './consumption.js';
import { Copies, type Copy } from './copies.js';
import type { ConsumerLife, Handling, Published, QueueLife } from './facts.js';
import { isExcused, queueLife } from './facts.js';
import type { Troubles } from './troubles.js';

/**
 * What clients did and heard in a run, and what follows from it: each fact is checked against the earlier ones as it comes, the rest at
 * the end. It knows nothing of how nodes work.
 */
export class Ledger {
  readonly troubles: Troubles;
  readonly queues: QueueLife[] = [];
  readonly published: Published[] = [];
  readonly violations: string[] = [];
  private readonly now: () => number;
  private readonly living = new Map<string, QueueLife>();
  private readonly attempts = new Map<string, Published[]>();
  private readonly copies = new Copies();
  private readonly owners = new Map<string, ConsumerLife>();
  private readonly consumption: Consumption;

  constructor(now: () => number, troubles: Troubles) {
    this.now = now;
    this.troubles = troubles;
    this.consumption = new Consumption(now, troubles, (text) => this.violation(text));
  }

  violation(text: string): void {
    this.violations.push(`${this.now().toFixed(3)} ${text}`);
  }

  // -- queues --------------------------------------------------------------------------------------------------------

  queueBorn(facts: Parameters<typeof queueLife>[0]): QueueLife {
    const life = queueLife(facts, this.now());
    this.queues.push(life);
    this.living.set(life.name, life);
    return life;
  }

  /** It is being deleted, and declared anew by somebody: who uses it by name may find none. */
  readonly churned = new Set<string>();

  /** It was deleted, purged or lost with its node: what was in it needs not be anywhere. */
  queueEnded(life: QueueLife): void {
    life.endedMs ??= this.now();
    if (this.living.get(life.name) === life) this.living.delete(life.name);
  }

  queue(name: string): QueueLife | null {
    return this.living.get(name) ?? null;
  }

  /** The process of a node is gone: queues in its memory are, too. */
  nodeDied(node: string): void {
    this.troubles.died(node);
    for (const life of this.living.values()) if (life.home === node && !life.isDurable) this.queueEnded(life);
  }

  /** A connection was told that the exclusive queue of this name is its own. */
  owns(name: string, owner: ConsumerLife): void {
    const before = this.owners.get(name);
    this.owners.set(name, owner);
    if (before === undefined || before.endedMs !== null) return;
    // The one may be taken for dead, and the other may have been: it says what was true before it was stopped.
    const isEitherExcused = [before, owner].some((by) => {
      const handling = { by, sentMs: 0, fromMs: by.lastMs, toMs: null, outcome: null };
      return isExcused(this.troubles, handling, this.now());
    });
    if (isEitherExcused) return;
    this.violation(`${owner.name} owns the exclusive queue ${name}, which ${before.name} has`);
  }

  // -- publishes -----------------------------------------------------------------------------------------------------

  publishes(published: Published): void {
    this.published.push(published);
    const before = this.attempts.get(published.message);
    if (before === undefined) this.attempts.set(published.message, [published]);
    else before.push(published);
  }

  verdict(published: Published, verdict: 'confirmed' | 'refused' | 'unknown'): void {
    if (published.verdict !== 'waiting') {
      this.violation(`${published.message} is ${verdict} after it was ${published.verdict}`);
    }
    published.verdict = verdict;
  }

  /** It came back as unroutable, though it names queues that are there. */
  returned({ message, targets, node, atMs }: Published): void {
    const { troubles } = this;
    const known = targets.filter(({ name, endedMs, isDurable, home }) => {
      if (endedMs !== null || this.churned.has(name)) return false;
      // A queue in memory is announced by its home, and not known where that cannot be heard.
      return isDurable || !(troubles.between(node, home, atMs, this.now()) || troubles.hasDied(node, atMs - 15_000));
    });
    if (known.length === 0) return;
    this.violation(`${message} was returned by ${node}, though ${known.map(({ name }) => name).join()} is there`);
  }

  // -- deliveries ----------------------------------------------------------------------------------------------------

  deliveryCount = 0;

  delivered(consumer: ConsumerLife, { body, redelivered, queue, deliveryTag, sentMs }: Delivered): void {
    this.deliveryCount++;
    const attempts = this.attempts.get(body);
    if (attempts === undefined) {
      this.violation(`${consumer.name} got '${body}' from ${queue}, which nobody published`);
      return;
    }
    if (!attempts.some(({ routes }) => routes === null || routes.includes(queue))) {
      this.violation(`${consumer.name} got ${body} from ${queue}, where it was not published to`);
      return;
    }
    const ms = this.now();
    const life = this.lifeOf(queue, attempts) ?? consumer.life;
    const copy = this.copies.of(life, body);
    if (!redelivered) copy.unflagged++;
    // An outbox that is interrupted by a crash, or by the end of a session, begins again.
    const mayDouble = life?.mayDoubleLetters && this.troubles.haveParted;
    // It was sent before it was taken back and sent to somebody else, who heard of it sooner.
    const isLate = sentMs < Math.max(copy.holder?.sentMs ?? 0, copy.settled?.sentMs ?? 0);
    this.checkAge(copy, attempts);
    if (this.isOver && life !== null && life.diskMin !== null)
      this.violation(`${consumer.name} got ${body} from ${queue}, long after all was drained`);
    if (!mayDouble) this.checkOnce(consumer, copy, redelivered, attempts.length, isLate);
    if (!consumer.acknowledges) copy.settled = { by: consumer, sentMs, fromMs: ms, toMs: ms, outcome: 'accept' };
    else if (!isLate) copy.holder = { by: consumer, sentMs, fromMs: ms, toMs: null, outcome: null };
    this.consumption.delivered(consumer, deliveryTag, copy, sentMs);
    const [attempt] = attempts;
    if (!redelivered && attempts.length === 1 && life?.isOrdered) this.consumption.inOrder(consumer, attempt!);
  }

  /** Who asked to consume from one queue may have come to the next one of its name. */
  private lifeOf(queue: string, attempts: readonly Published[]): QueueLife | null {
    if (!this.churned.has(queue) || attempts.length > 1) return null;
    return attempts[0]!.targets.find(({ name }) => name === queue) ?? null;
  }

  /** All is drained and settled for good: from now on nothing may come any more. */
  isOver = false;

  /** What came as a dead letter and was not rejected came because it was too old: it must be. */
  private checkAge({ life, message }: Copy, attempts: readonly Published[]): void {
    if (life === null || attempts.length > 1) return;
    const { targets, atMs, expiresMs } = attempts[0]!;
    for (const target of targets) {
      const ttlMs = Math.min(target.ttlMs ?? Number.POSITIVE_INFINITY, expiresMs ?? Number.POSITIVE_INFINITY);
      if (target.deadLettersTo !== life.name || !Number.isFinite(ttlMs) || targets.length > 1) continue;
      const ageMs = this.now() - atMs;
      const source = this.copies.find(target, message);
      if (source !== null || ageMs >= ttlMs * 0.99) continue;
      this.violation(`${message} left ${target.name} after ${ageMs.toFixed(0)} ms, as too old`);
    }
  }

  private checkOnce(consumer: ConsumerLife, copy: Copy, redelivered: boolean, attempts: number, isLate: boolean): void {
    const { message, settled, holder } = copy;
    const got = `${consumer.name} got ${message} from ${copy.life?.name}`;
    const ms = this.now();
    if (copy.unflagged > attempts && !redelivered) this.violation(`${got} once more than published, not flagged`);
    if (attempts > 1 || isLate) return;
    if (settled !== null) {
      if (!redelivered) this.violation(`${got} again, not flagged, after it was settled`);
      else if (!isExcused(this.troubles, settled, ms)) {
        this.violation(`${got} again, though ${settled.by.name} settled it (${settled.outcome})`);
      }
    }
    if (holder !== null && !isExcused(this.troubles, holder, ms)) {
      this.violation(`${got} while ${holder.by.name} holds it`);
    }
  }

  settles(consumer: ConsumerLife, deliveryTag: number, outcome: 'accept' | 'release' | 'reject'): void {
    const copy = this.consumption.settles(consumer, deliveryTag);
    if (copy === null) return;
    const { holder } = copy;
    // Somebody else has it by now; this one will hear why.
    if (holder?.by !== consumer) return;
    copy.holder = null;
    if (outcome !== 'release') copy.settled = { ...holder, toMs: this.now(), outcome };
  }

  /** It has asked to be attached: from now on something may come. */
  attaching(consumer: ConsumerLife): void {
    this.consumption.attaching(consumer);
  }

  attached(consumer: ConsumerLife): void {
    this.consumption.attached(consumer);
  }

  /** The node has answered its basic.cancel. */
  stopped(consumer: ConsumerLife): void {
    consumer.isStopped = true;
  }

  /** It was cancelled by the node, or its connection is gone: what it holds is somebody else's. */
  detached(consumer: ConsumerLife): void {
    this.consumption.detached(consumer);
  }

  // -- the end -------------------------------------------------------------------------------------------------------

  /** Everything was drained: what was confirmed must have come. */
  checkAtEnd(): void {
    for (const attempt of this.published) {
      if (attempt.verdict === 'waiting') this.violation(`${attempt.message} has no verdict at the end`);
      if (attempt.verdict !== 'confirmed') continue;
      if (!attempt.isReturned) for (const life of attempt.targets) this.checkArrived(attempt, life);
    }
  }

  private checkArrived(attempt: Published, life: QueueLife): void {
    if (life.isLossy || life.endedMs !== null) return;
    if (attempt.atMs < life.purgedMs || this.mayBeLost(attempt, life)) return;
    const copy = this.copies.find(life, attempt.message);
    if (copy?.settled?.outcome === 'accept') {
      this.checkNotBoth(attempt, life, copy.settled);
      return;
    }
    const isRejected = copy?.settled?.outcome === 'reject';
    const isLeft = isRejected || life.isLeaky || attempt.expiresMs !== null;
    if (isLeft && life.deadLettersTo === null) return;
    if (!isLeft) {
      const seen = copy === null ? 'never delivered' : 'never settled';
      this.violation(`${attempt.message} was confirmed and is lost in ${life.name} of ${life.home || 'all'}: ${seen}`);
      return;
    }
    const letters = this.queue(life.deadLettersTo!);
    if (letters === null || letters.isLossy || letters.isLeaky || this.mayBeLost(attempt, letters)) return;
    if (attempt.atMs < letters.purgedMs || letters.bornMs > attempt.atMs) return;
    if (this.copies.find(letters, attempt.message) !== null) return;
    const how = isRejected ? 'was rejected from' : 'is no more in';
    this.violation(`${attempt.message} ${how} ${life.name} and is lost on its way to ${letters.name}`);
  }

  /** What set out as a dead letter is in its queue no more, whoever leads. */
  private checkNotBoth({ message }: Published, life: QueueLife, settled: Handling): void {
    const letters = life.deadLettersTo === null || life.diskMin === null ? null : this.queue(life.deadLettersTo);
    const attempts = this.attempts.get(message) ?? [];
    const isElsewhere = attempts.some(({ targets }) => targets.length > 1 || targets.includes(letters!));
    if (letters === null || attempts.length > 1 || isElsewhere) return;
    if (this.copies.find(letters, message) === null) return;
    // The verdict was lost with its consumer's node; or that led once, was stopped, and delivered the message when it went on.
    if (isExcused(this.troubles, settled, this.now())) return;
    this.violation(`${message} was accepted from ${life.name}, and is among ${letters.name} too`);
  }

  /** The disks are gone that had it, or the process whose memory did. */
  private mayBeLost({ atMs, persistent }: Published, { diskMin, home }: QueueLife): boolean {
    const { troubles } = this;
    if (diskMin !== null) return troubles.wipesSince(atMs) >= diskMin;
    return troubles.wasWiped(home, atMs) || (!persistent && troubles.hasDied(home, atMs));
  }
}
