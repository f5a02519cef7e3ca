import { Masks } from './masks.js';
import type { Place, PolicyWish } from './place.js';
import { Speaker } from './speaker.js';

/** A scripted session of one or more clients; what they and the broker say becomes the transcript. */
export interface Session {
  readonly name: string;
  /** What is found out here; the first line of the transcript. */
  readonly about: string;
  play(conversation: Conversation): Promise<void>;
}

type Definition = PolicyWish['definition'];

/** What all clients of a session say and hear, step by step: within a step, in the order of clients and their channels. */
export class Conversation {
  readonly place: Place;
  readonly lines: string[] = [];
  private readonly speakers: Speaker[] = [];
  private readonly masks = new Masks();

  constructor(place: Place) {
    this.place = place;
  }

  /** Another connection, with channel 1 open; called A, B, C in the transcript. */
  async client(): Promise<Speaker> {
    const name = String.fromCharCode('A'.charCodeAt(0) + this.speakers.length);
    const speaker = new Speaker(this, name);
    await speaker.connect();
    this.speakers.push(speaker);
    return speaker;
  }

  note(lines: readonly string[]): void {
    this.lines.push(...lines.map((line) => this.masks.apply(line)));
  }

  /** An administrator sets a policy, then everybody listens. */
  policy(name: string, pattern: string, definition: Definition, more: Partial<PolicyWish> = {}): Promise<void> {
    return this.administer({ kind: 'policies', name, pattern, definition, priority: 0, applyTo: 'all', ...more });
  }

  private async administer(wish: PolicyWish): Promise<void> {
    const { kind, name, pattern, definition, priority, applyTo } = wish;
    const set = `${pattern} ${JSON.stringify(definition)} priority ${priority} on ${applyTo}`;
    this.note([`-- ${kind} '${name}': ${definition === null ? 'none' : set}`]);
    await this.place.policy(wish);
    await this.listen();
  }

  /** Time passes, then everybody listens. */
  async wait(ms: number): Promise<void> {
    this.note([`-- ${ms} ms pass`]);
    await this.place.wait(ms);
    await this.listen();
  }

  /** Until every answer that is owed has come, and nothing more comes. */
  async listen(): Promise<void> {
    const { quietPauses, pausesMax } = this.place;
    let quiet = 0;
    for (let pauses = 0; pauses < pausesMax; pauses++) {
      await this.place.pause();
      let came = 0;
      for (const speaker of this.speakers) came += await speaker.collect();
      quiet = came > 0 ? 0 : quiet + 1;
      if (quiet >= quietPauses && this.speakers.every((speaker) => !speaker.isOwed)) break;
    }
    for (const speaker of this.speakers) this.note(speaker.report());
    for (const speaker of this.speakers) await speaker.recover();
  }
}
