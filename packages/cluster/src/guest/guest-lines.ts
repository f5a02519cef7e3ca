import type { ConsumerSpec, Message, Outcome, Position, Revision, Topology, Turn } from '@chapar/core';
import type { FrameCursor } from '../peer/frame-cursor.js';
import { FRAME_LEADS, FRAME_LEFT, FRAME_LINE_SETTLED, FRAME_LOST } from '../peer/frames.js';
import type { MessageReader } from '../peer/message-form.js';
import type { Outgoing } from '../peer/outgoing.js';
import type { QueueReference } from '../peer/queue-reference.js';
import { detachReasonOf, formOfError, outcomes } from '../peer/refusals.js';
import { PUBLISH_LETTER, PUBLISH_MESSAGE, PUBLISH_SAME, PUBLISH_USE } from '../remote/publish-stream.js';
import type { LedQueue } from '../replication/led-queue.js';
import type { Origin } from '../replication/origins.js';
import type { Guest } from './guest.js';
import { GuestConsumer } from './guest-consumer.js';
import { GuestLine, type LineSink } from './guest-line.js';
import type { Leads } from './leads.js';

/** A consumer begins, or goes on. */
export interface AttachBody {
  /** 0: nobody waits for an answer. */
  readonly request: number;
  readonly consumer: number;
  readonly queue: QueueReference;
  readonly spec: Omit<ConsumerSpec, 'window'>;
  readonly isHolder: boolean;
  readonly isStopped: boolean;
  readonly credit: number | null;
  readonly claims: readonly Position[];
  /** Its place among all consumers of the queue (0: nobody has said). */
  readonly order?: number;
  /** Of a mirrored queue: its line. */
  readonly line?: number;
}

/** Where a consumer that came back stands among all. */
export interface PlaceBody {
  readonly consumer: number;
  readonly order: number;
}

export interface GuestLinesParts {
  readonly turn: Turn;
  readonly out: Outgoing;
  readonly leads: Leads;
  /** The peer's process: its publishes are numbered for as long as that lives. */
  readonly origin: Origin;
  readonly topology: Topology;
}

/** What a guest does with the mirrored queues that this node leads: each on a line of its own, which ends with the lead. */
export class GuestLines {
  private readonly parts: GuestLinesParts;
  private readonly guest: Guest & LineSink;
  private readonly consumers: Map<number, GuestConsumer>;
  private readonly lines = new Map<number, GuestLine>();
  /** Consumers that have come back and are not there yet, because their line looks for what others claim. */
  private readonly coming = new Map<number, GuestLine>();
  /** More is for good on these than the peer was told. */
  private readonly untold = new Set<GuestLine>();

  constructor(parts: GuestLinesParts, guest: Guest & LineSink, consumers: Map<number, GuestConsumer>) {
    this.parts = parts;
    this.guest = guest;
    this.consumers = consumers;
  }

  /** Null: what is said on it counts no more, and whoever says it will say it to the next leader. */
  find(number: number): GuestLine | null {
    const line = this.lines.get(number);
    return line === undefined || line.isOver ? null : line;
  }

  // ---- links -------------------------------------------------------------------------------------------------------

  linked(): void {
    for (const line of this.lines.values()) {
      line.intake.verdicts.retell();
      if (line.goodUpTo > 0) this.guest.forGood(line);
    }
    this.parts.leads.linked(this.guest);
  }

  unlinked(): void {
    this.parts.leads.unlinked(this.guest);
  }

  end(): void {
    for (const line of this.lines.values()) line.end();
  }

  // ---- who leads ---------------------------------------------------------------------------------------------------

  sayLeads(led: LedQueue): void {
    const { out } = this.parts;
    const { incarnation, epoch } = led;
    out.begin(FRAME_LEADS);
    // Who took it for a queue that lives here would claim nothing.
    out.need(revisionOfRecord(this.parts.topology, led));
    out.text(incarnation);
    out.varint(epoch);
  }

  sayLeft({ incarnation, epoch }: Pick<LedQueue, 'incarnation' | 'epoch'>): void {
    const { out } = this.parts;
    out.begin(FRAME_LEFT);
    out.text(incarnation);
    out.varint(epoch);
  }

  /** The peer has said all that it has of a queue; what it claims may have to be read. */
  said(cursor: FrameCursor): void {
    const incarnation = cursor.text();
    const epoch = cursor.varint();
    const said = (): void => this.parts.leads.said(this.guest, incarnation, epoch);
    for (const line of this.lines.values()) {
      if (line.led.incarnation !== incarnation || line.led.epoch !== epoch) continue;
      line.whenClaimed(said);
      return;
    }
    said();
  }

  /** A line begins, or goes on after the link was broken. */
  introduced(cursor: FrameCursor): void {
    const number = cursor.varint();
    const epoch = cursor.varint();
    const incarnation = cursor.text();
    const { turn, leads, origin } = this.parts;
    const lead = leads.find(incarnation, epoch);
    if (lead === null) {
      this.sayLeft({ incarnation, epoch });
      return;
    }
    if (this.lines.has(number)) return;
    for (const line of this.lines.values()) if (line.led.incarnation === incarnation) line.end();
    const ended = (line: GuestLine): void => {
      this.lines.delete(line.number);
      for (const [consumer, on] of this.coming) if (on === line) this.coming.delete(consumer);
    };
    this.lines.set(number, new GuestLine(turn, number, lead, origin, this.guest, ended));
  }

  // ---- publishes and settlements -----------------------------------------------------------------------------------

  publishes(cursor: FrameCursor, reader: MessageReader): void {
    reader.clear();
    let message: Message | null = null;
    while (!cursor.isAtEnd) {
      const entry = cursor.byte();
      const line = this.find(cursor.varint());
      if (entry === PUBLISH_USE) {
        const sequence = cursor.varint();
        const known = cursor.varint();
        line?.intake.use(sequence, known);
        continue;
      }
      if (entry === PUBLISH_LETTER) {
        const letter = { origin: cursor.text(), sequence: cursor.varint(), low: cursor.varint() };
        line?.intake.expect(letter);
        continue;
      }
      const wants = cursor.byte() === 1;
      if (entry === PUBLISH_MESSAGE) {
        const { vhosts } = this.parts.topology;
        // Of keyed logs there is no virtual host.
        const isQueue = line !== null && line.led.shard === null;
        const vhost = isQueue ? (vhosts.get(line.queue.properties.vhost) ?? null) : null;
        // Copies do not tell a message that is not logged from one that was lost.
        message = reader.read(cursor, vhost, true);
      } else if (entry !== PUBLISH_SAME) throw new Error(`a peer sent an unknown entry ${entry}`);
      line?.intake.take(message!, wants);
    }
  }

  settle(cursor: FrameCursor): void {
    const line = this.find(cursor.varint());
    const number = cursor.varint();
    const id = cursor.varint();
    const outcome: Outcome = outcomes[cursor.byte()]!;
    const first = cursor.varint();
    const count = cursor.varint();
    line?.settle(number, () => {
      const consumer = this.consumers.get(id);
      if (consumer?.queue !== line.queue) return;
      consumer.settle(outcome, first, count);
      this.guest.forgetIfOver(consumer);
    });
  }

  forGood(line: GuestLine): void {
    this.untold.add(line);
  }

  /** Writes up to where settlements are for good. */
  tell(): void {
    const { out } = this.parts;
    for (const line of this.untold) {
      if (line.isOver) continue;
      out.begin(FRAME_LINE_SETTLED);
      out.varint(line.number);
      out.varint(line.goodUpTo);
    }
    this.untold.clear();
  }

  // ---- consumers ---------------------------------------------------------------------------------------------------

  attach(body: AttachBody): void {
    const line = this.find(body.line!);
    if (line === null) return;
    if (body.request === 0) this.comeBack(line, body);
    else if (!line.queue.isHeld) this.begin(line, body);
    // Those that were there before come first.
    else void line.queue.begun().then(() => this.begin(line, body));
  }

  private comeBack(line: GuestLine, body: AttachBody): void {
    const goOn = (): void => {
      if (this.coming.get(body.consumer) === line) this.coming.delete(body.consumer);
      if (!line.isOver) this.goOn(line, body);
    };
    this.coming.set(body.consumer, line);
    if (!line.lead.isOrdered) {
      line.inOrder(goOn);
      return;
    }
    line.returns();
    line.lead.returns(body.order!, () => {
      goOn();
      line.returned();
    });
  }

  /** Does what is said of a consumer, behind its coming back. */
  behind(consumer: number, work: () => void): void {
    const line = this.coming.get(consumer);
    if (line === undefined) work();
    else line.inOrder(work);
  }

  /** One that nobody has heard of yet, or whose answer may have been lost. */
  private begin(line: GuestLine, body: AttachBody): void {
    if (line.isOver || this.lines.get(line.number) !== line) return;
    const credit = body.credit ?? Number.POSITIVE_INFINITY;
    try {
      const existing = this.existing(line, body);
      const consumer = existing ?? this.newConsumer(line, body);
      this.guest.attached(body.request, line.lead.order(body.order!));
      if (existing === null) consumer.grant(credit);
      else consumer.reconcile(body.claims, credit);
    } catch (error) {
      this.guest.attached(body.request, formOfError(error));
    }
  }

  /** One that consumed from the queue before, from here or from another node that led it. */
  private goOn(line: GuestLine, body: AttachBody): void {
    const credit = body.credit ?? Number.POSITIVE_INFINITY;
    const claims = body.claims.filter((position) => position > 0);
    this.guest.place(body, line.lead.order(body.order!));
    const existing = this.existing(line, body);
    if (existing !== null) {
      if (body.isStopped && !body.isHolder) existing.stop();
      existing.reconcile(claims, credit);
      this.guest.forgetIfOver(existing);
      return;
    }
    try {
      const consumer = this.newConsumer(line, body);
      if (claims.length > 0) this.claim(line, consumer, claims, credit);
      else consumer.grant(credit);
    } catch (error) {
      // Somebody else has the queue for himself by now.
      this.guest.writeDetached(body.consumer, detachReasonOf(error, 'node-down'));
    }
  }

  private claim(line: GuestLine, consumer: GuestConsumer, claims: readonly Position[], credit: number): void {
    line.claims();
    consumer.claim(claims, credit, (lost) => {
      if (lost.length > 0 && !line.isOver) this.guest.writeLost(consumer.id, lost);
      line.claimed();
      this.guest.forgetIfOver(consumer);
    });
  }

  private existing(line: GuestLine, { consumer: id }: AttachBody): GuestConsumer | null {
    const consumer = this.consumers.get(id);
    if (consumer === undefined) return null;
    if (consumer.queue === line.queue && !consumer.isClaiming) return consumer;
    this.consumers.delete(id);
    consumer.leave();
    return null;
  }

  private newConsumer({ queue }: GuestLine, { consumer: id, spec, isHolder, isStopped }: AttachBody): GuestConsumer {
    const consumer = new GuestConsumer(id, queue, spec, isHolder, this.guest, isStopped);
    this.consumers.set(id, consumer);
    return consumer;
  }
}

/** Of what makes it a mirrored queue; 0: nobody has to know a record to say what it has. */
export function revisionOfRecord(topology: Topology, { queue, shard }: LedQueue): Revision {
  if (shard !== null) return 0;
  const named = topology.vhosts.get(queue.properties.vhost)?.named(queue);
  return named === undefined ? 0 : topology.revisionOf(named);
}

/** Positions that a consumer has claimed in vain. */
export function writeLost(out: Outgoing, consumer: number, lost: readonly Position[]): void {
  out.begin(FRAME_LOST);
  out.varint(consumer);
  out.json(lost);
}
