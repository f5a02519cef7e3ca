import type { Ranges } from '@chapar/cluster';
import { nameOf } from './checks.js';
import type { World } from './world.js';

/** What a leader says to an origin about its publishes. */
export interface Verdicts {
  readonly conversation: number;
  /** Answers this request. */
  readonly request: number;
  /** Held and committed. */
  readonly held: Ranges;
  readonly refused: Ranges;
}

export interface Publishes {
  readonly origin: string;
  readonly conversation: number;
  readonly request: number;
  /** Verdicts up to here are known. */
  readonly low: number;
  readonly sequences: readonly number[];
}

const timeoutMs = 400;

/** Publishes through whatever node it believes to lead; one request at a time, and after a break it asks before it sends anything new. */
export class Producer {
  readonly origin: string;
  private readonly world: World;
  private next = 1;
  /** Without a verdict. */
  readonly open = new Set<number>();
  private conversation = 0;
  private request = 0;
  private isWaiting = false;
  /** It knows what became of all that is open, so far. */
  private isGreeted = false;
  leader: string | null = null;
  private epoch = 0;
  isFinished = false;

  constructor(world: World, origin: string) {
    this.world = world;
    this.origin = origin;
  }

  get low(): number {
    return this.open.size === 0 ? this.next - 1 : Math.min(...this.open) - 1;
  }

  sees(leader: string | null, epoch: number): void {
    if (epoch <= this.epoch) return;
    [this.leader, this.epoch] = [leader, epoch];
    this.restart();
  }

  private restart(): void {
    this.conversation++;
    this.isGreeted = this.isWaiting = false;
  }

  tick(): void {
    const { world } = this;
    if (this.isWaiting || this.leader === null) return;
    if (this.isFinished && this.open.size === 0) return;
    if (this.isGreeted && !this.isFinished && this.open.size < 8)
      for (let i = world.random.integer(4); i >= 0; i--) this.open.add(this.next++);
    const sequences = this.isGreeted ? [...this.open].sort((a, b) => a - b) : [];
    this.isWaiting = true;
    const { origin, conversation, low } = this;
    const request = ++this.request;
    const publishes: Publishes = { origin, conversation, request, low, sequences };
    world.sendPublishes(this.leader, publishes, (verdicts) => this.told(verdicts));
    world.time.after(timeoutMs, () => {
      if (this.isWaiting && this.conversation === conversation && this.request === request) this.restart();
    });
  }

  private told({ conversation, request, held, refused }: Verdicts): void {
    if (conversation !== this.conversation || request !== this.request) return;
    this.isWaiting = false;
    this.isGreeted = true;
    for (const sequence of [...this.open]) {
      if (refused.has(sequence)) this.open.delete(sequence);
      if (!held.has(sequence)) continue;
      this.open.delete(sequence);
      this.world.checks.confirms(this.origin, sequence);
    }
  }

  toString(): string {
    return `${nameOf(this.origin, this.next - 1)}, open: ${[...this.open]}`;
  }
}
