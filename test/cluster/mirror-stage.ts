import { type LedQueue, Origins, type Provenance } from '@chapar/cluster';
import { type Message, metadataKey, type Position, type Queue, type QueueProperties } from '@chapar/core';
import type { SimRandom } from '@chapar/platform';
import { LedLog } from '../support/led-log.js';
import type { SimBroker } from './sim-broker.js';

interface Entry {
  readonly position: Position;
  readonly provenance: Provenance;
  readonly message: Message;
}

/** What the disks of a mirrored queue's nodes agree on, as far as a test needs it. */
class StagedLog extends LedLog {
  readonly entries: Entry[];
  readonly origins = new Origins();
  next: Provenance | null = null;
  /** Settlements and the like so far, and those of them that every disk has. */
  changes = 0;
  forGood = 0;
  /** Settled, with what it came to and as which change. */
  readonly gone = new Map<Position, { readonly message: Message; readonly change: number }>();
  onTouched: (() => void) | null = null;

  constructor(last: Position, live: ReadonlyMap<Position, Message>, entries: readonly Entry[]) {
    super(last, live);
    this.entries = [...entries];
    for (const { provenance } of entries) this.origins.add(provenance);
  }

  override publish(message: Message): Position {
    const position = super.publish(message);
    const provenance = this.next!;
    this.next = null;
    this.entries.push({ position, provenance, message });
    this.origins.add(provenance);
    this.onTouched?.();
    return position;
  }

  override settle(first: Position, last: Position): void {
    this.changes++;
    for (let position = first; position <= last; position++) {
      const message = this.live.get(position);
      if (message !== undefined) this.gone.set(position, { message, change: this.changes });
    }
    super.settle(first, last);
    this.onTouched?.();
  }

  override returned(position: Position, count: number): void {
    this.changes++;
    super.returned(position, count);
    this.onTouched?.();
  }
}

class StagedReign implements LedQueue {
  readonly queue: Queue;
  readonly shard = null;
  readonly incarnation: string;
  readonly epoch: number;
  readonly at: SimBroker;
  readonly log: StagedLog;
  onForGood: (() => void) | null = null;
  isShort = false;
  isFenced = false;
  isOver = false;
  /** Another one leads, and this one does not know. */
  isDeposed = false;
  private readonly waiting: { readonly upTo: Position; done(): void }[] = [];
  private isScheduled = false;

  constructor(stage: MirrorStage, at: SimBroker, epoch: number, log: StagedLog) {
    const { topology } = at.broker;
    this.at = at;
    this.epoch = epoch;
    this.log = log;
    this.incarnation = stage.incarnation;
    this.queue = topology.lead(topology.vhosts.get('/')!, stage.properties, log, log.state());
    log.onTouched = () => this.touched(stage.random.unit() * stage.commitMs);
  }

  verdict(origin: string, sequence: number): 'new' | 'held' | 'refused' | 'over' {
    return this.log.origins.verdict(origin, sequence);
  }

  from(provenance: Provenance): void {
    this.log.next = provenance;
  }

  mark(): number {
    return this.log.changes;
  }

  get forGood(): number {
    return this.log.forGood;
  }

  whenCommitted(done: () => void): void {
    if (this.log.committed >= this.log.last) done();
    else this.waiting.push({ upTo: this.log.last, done });
  }

  private touched(ms: number): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.at.broker.platform.clock.after(ms, () => {
      this.isScheduled = false;
      if (!this.isDeposed && !this.isOver) this.commit();
    });
  }

  private commit(): void {
    const { log, waiting } = this;
    log.commit();
    log.forGood = log.changes;
    log.makeSafe();
    this.onForGood?.();
    while (waiting.length > 0 && waiting[0]!.upTo <= log.committed) waiting.shift()!.done();
  }
}

/** A mirrored queue of a simulated cluster whose copies and elections are the test's: who leads, what was on enough disks when that ended. */
export class MirrorStage {
  readonly incarnation = 'mirrored #1';
  readonly properties: QueueProperties;
  readonly random: SimRandom;
  commitMs = 2;
  reign: StagedReign | null = null;
  private epoch = 0;

  constructor(random: SimRandom, args: QueueProperties['arguments'] = {}) {
    this.random = random;
    this.properties = {
      name: 'm',
      vhost: '/',
      durable: true,
      autoDelete: false,
      owner: null,
      arguments: args,
      incarnation: this.incarnation,
    };
  }

  /** Writes its record. */
  async declare(at: SimBroker): Promise<void> {
    const { incarnation, autoDelete, arguments: args } = this.properties;
    const value = { incarnation, autoDelete, arguments: args, mirrored: true };
    await at.settle(at.node.metadata.change([], [{ key: metadataKey('queues', '/', 'm'), value }]));
  }

  lead(at: SimBroker): StagedReign {
    const { reign } = this;
    const log = reign === null ? new StagedLog(0, new Map(), []) : this.successor(reign.log);
    if (reign !== null) {
      reign.isDeposed = true;
      if (reign.at === at) this.end(reign);
    }
    const next = new StagedReign(this, at, ++this.epoch, log);
    this.reign = next;
    at.node.leads.leads(next);
    return next;
  }

  /** It hears that another one leads. */
  end(reign: StagedReign): void {
    if (reign.isOver) return;
    reign.isDeposed = true;
    reign.isOver = reign.log.isOver = true;
    reign.at.node.leads.leadsNoMore(reign, false);
    reign.at.broker.topology.unlead(reign.queue);
  }

  /** What every disk has, and perhaps some of the rest. */
  private successor(log: StagedLog): StagedLog {
    const upTo = log.committed + this.random.integer(log.last - log.committed + 1);
    const live = new Map([...log.live].filter(([position]) => position <= upTo));
    const lostFrom = log.forGood + this.random.integer(log.changes - log.forGood + 1);
    for (const [position, { message, change }] of log.gone) if (change > lostFrom) live.set(position, message);
    const ordered = new Map([...live].sort(([a], [b]) => a - b));
    const kept = log.entries.filter(({ position }) => position <= upTo);
    return new StagedLog(upTo + 1, ordered, kept);
  }

  /** The bodies of all that was ever kept, in the order of the log. */
  get bodies(): string[] {
    return this.reign!.log.entries.map(({ message }) => message.body().toString());
  }
}
