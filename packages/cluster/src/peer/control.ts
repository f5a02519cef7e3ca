import { type Flushable, type JsonValue, PHASE_WRITE, type Turn } from '@chapar/core';
import type { Log } from '@chapar/platform';
import type { Lane } from './lane.js';
import type { Peer } from './links.js';
import { type ErrorForm, errorOfForm, formOfError } from './refusals.js';

/** What control lanes carry: a batch is a JSON array of these. */
type ControlMessage =
  | { readonly ask: number; readonly kind: string; readonly body: JsonValue }
  | { readonly answer: number; readonly body: JsonValue }
  | { readonly refuse: number; readonly error: ErrorForm }
  | { readonly say: string; readonly body: JsonValue };

/** What a node does with what others ask and say. */
export interface ControlOwner {
  /** Rejects with the error that the asker gets. */
  asked(peer: Peer, kind: string, body: JsonValue): Promise<JsonValue>;
  said(peer: Peer, kind: string, body: JsonValue): void;
  /** The lane that we opened is there: whatever the peer must know from the start is said now. */
  opened(control: Control): void;
  closed(control: Control): void;
}

/** The control lanes between this node and another in one session each: questions and news go out on the lane that we opened. */
export class Control implements Flushable {
  readonly peer: Peer;
  private readonly turn: Turn;
  private readonly log: Log;
  private readonly owner: ControlOwner;
  private lane: Lane | null = null;
  private gathered: ControlMessage[] = [];
  private isScheduled = false;
  private readonly asked = new Map<number, { resolve(value: JsonValue): void; reject(error: Error): void }>();
  private lastId = 0;
  /** Metadata that the peer has applied, and announcements of ours. */
  appliedRevision = 0;
  announcedSequence = 0;
  /** It was slow to say that it had seen something: nobody waits for it until it has caught up. */
  isLagging = false;

  constructor(parts: { readonly turn: Turn; readonly log: Log }, peer: Peer, owner: ControlOwner) {
    this.turn = parts.turn;
    this.log = parts.log;
    this.peer = peer;
    this.owner = owner;
  }

  get isOpen(): boolean {
    return this.lane !== null;
  }

  /** The lane that we opened. */
  opened(lane: Lane): void {
    this.lane = lane;
    this.gathered = [];
    // What the peer has applied stays true, and it may have said so over its own lane before this one was there.
    this.isLagging = false;
    lane.open({
      received: (batch) => this.read(batch, null),
      drained: () => undefined,
      closed: (reason) => this.closed(lane, reason),
    });
    this.owner.opened(this);
  }

  /** The lane that the peer opened: it asks and says, and is answered there. */
  accepted(lane: Lane): void {
    lane.open({
      received: (batch) => this.read(batch, lane),
      drained: () => undefined,
      closed: () => undefined,
    });
  }

  say(kind: string, body: JsonValue): void {
    this.add({ say: kind, body });
  }

  /** Rejects when there is no lane, or when it breaks before the answer. */
  ask(kind: string, body: JsonValue): Promise<JsonValue> {
    return new Promise((resolve, reject) => {
      if (this.lane === null) {
        reject(new Error(`there is no link to ${this.peer.node}`));
        return;
      }
      const id = ++this.lastId;
      this.asked.set(id, { resolve, reject });
      this.add({ ask: id, kind, body });
    });
  }

  private add(message: ControlMessage): void {
    if (this.lane === null) return;
    this.gathered.push(message);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.turn.add(PHASE_WRITE, this);
  }

  endOfTurn(): void {
    this.isScheduled = false;
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    this.lane?.send(Buffer.from(JSON.stringify(gathered)));
  }

  private closed(lane: Lane, reason: string): void {
    if (lane !== this.lane) return;
    this.lane = null;
    const asked = [...this.asked.values()];
    this.asked.clear();
    for (const { reject } of asked) reject(new Error(`the link to ${this.peer.node} broke: ${reason}`));
    this.owner.closed(this);
  }

  /** `lane`: the one that the peer opened; null: ours. */
  private read(batch: Buffer, lane: Lane | null): void {
    try {
      for (const message of JSON.parse(batch.toString('utf8')) as ControlMessage[]) this.take(message, lane);
    } catch (error) {
      this.log.error({ error, peer: this.peer.node }, 'a node said what cannot be understood');
    }
  }

  private take(message: ControlMessage, lane: Lane | null): void {
    if ('say' in message) this.owner.said(this.peer, message.say, message.body);
    else if ('ask' in message) void this.answer(message, lane);
    else if ('answer' in message) this.answered(message.answer)?.resolve(message.body);
    else this.answered(message.refuse)?.reject(errorOfForm(message.error));
  }

  private answered(id: number): { resolve(value: JsonValue): void; reject(error: Error): void } | undefined {
    const asker = this.asked.get(id);
    this.asked.delete(id);
    return asker;
  }

  private async answer(
    { ask, kind, body }: { readonly ask: number; readonly kind: string; readonly body: JsonValue },
    lane: Lane | null,
  ): Promise<void> {
    let reply: ControlMessage;
    try {
      reply = { answer: ask, body: await this.owner.asked(this.peer, kind, body) };
    } catch (error) {
      reply = { refuse: ask, error: formOfError(error) };
    }
    lane?.send(Buffer.from(JSON.stringify([reply])));
  }

  end(): void {
    this.lane?.close('the session is over');
  }
}
