import type { SimRandom, SimScheduler } from '@chapar/platform';
import type { Request, Tiding } from './traffic.js';

/** The client's side of a connection. */
export interface CableClient {
  heard(tidings: readonly Tiding[]): void;
  /** The connection is gone; nothing follows. */
  lost(reason: string): void;
}

/** The node's side of it, once it was accepted. */
export interface CableDoor {
  received(requests: readonly Request[]): void;
  /** The peer hung up, or this process had enough of it. */
  ended(): void;
}

/** Who a cable leads to. */
export interface CableEnd {
  /** False: nobody answers, not even a kernel. */
  readonly hasPower: boolean;
  /** Something happens to the process that is there now. False: there is none. */
  accept(cable: Cable): boolean;
  pass(run: () => void): void;
}

/** Nobody answers for so long: there is no machine. Milliseconds. */
const connectMs = 2_000;

/** A client's connection to a node: what is said arrives in order, after a delay by chance, until either end hangs up. */
export class Cable {
  private readonly scheduler: SimScheduler;
  private readonly random: SimRandom;
  private readonly client: CableClient;
  private readonly end: CableEnd;
  private door: CableDoor | null = null;
  private upMs = 0;
  private downMs = 0;
  private isOver = false;
  /** The client was told, or hung up itself. */
  private isClientDone = false;

  constructor(scheduler: SimScheduler, random: SimRandom, end: CableEnd, client: CableClient) {
    this.scheduler = scheduler;
    this.random = random;
    this.end = end;
    this.client = client;
    this.upMs = this.downMs = scheduler.nowMs;
    this.up(() => {
      if (!this.end.hasPower) this.loseAfter(connectMs, 'nobody answers');
      else if (!this.end.accept(this)) this.loseAfter(0, 'connection refused');
    });
  }

  // -- for the client ------------------------------------------------------------------------------------------------

  send(requests: readonly Request[]): void {
    if (this.isClientDone) return;
    this.up(() => this.toDoor((door) => door.received(requests)));
  }

  /** The client hangs up, and hears nothing any more. */
  hangUp(): void {
    if (this.isClientDone) return;
    this.isClientDone = true;
    this.up(() => {
      this.toDoor((door) => {
        this.isOver = true;
        door.ended();
      });
    });
  }

  // -- for the node --------------------------------------------------------------------------------------------------

  /** The process has a door for it. */
  open(door: CableDoor): void {
    this.door = door;
  }

  tell(tidings: readonly Tiding[]): void {
    if (this.isOver) return;
    this.down(() => {
      if (!this.isClientDone) this.client.heard(tidings);
    });
  }

  /** The node hangs up: what it told before arrives first. */
  close(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.down(() => this.lose(reason));
  }

  /** The process died. Without power nobody is told. */
  die(hasPower: boolean): void {
    this.door = null;
    if (hasPower) this.close('the connection was reset');
    this.isOver = true;
  }

  // ------------------------------------------------------------------------------------------------------------------

  private toDoor(run: (door: CableDoor) => void): void {
    this.end.pass(() => {
      if (this.door !== null && !this.isOver) run(this.door);
    });
  }

  private loseAfter(ms: number, reason: string): void {
    this.isOver = true;
    this.downMs = Math.max(this.downMs, this.scheduler.nowMs + ms);
    this.down(() => this.lose(reason));
  }

  private lose(reason: string): void {
    if (this.isClientDone) return;
    this.isClientDone = true;
    this.client.lost(reason);
  }

  private up(run: () => void): void {
    this.upMs = Math.max(this.upMs, this.scheduler.nowMs + this.delayMs());
    this.scheduler.work(this.upMs - this.scheduler.nowMs, run);
  }

  private down(run: () => void): void {
    this.downMs = Math.max(this.downMs, this.scheduler.nowMs + this.delayMs());
    this.scheduler.work(this.downMs - this.scheduler.nowMs, run);
  }

  /** Mostly fast, sometimes not. Milliseconds. */
  private delayMs(): number {
    const { random } = this;
    return random.chance(0.02) ? 1 + random.unit() * 20 : 0.05 + random.unit() * 0.5;
  }
}
