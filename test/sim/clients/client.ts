import type { SimRandom, SimScheduler, Timer } from '@chapar/platform';
import type { Ledger } from '../checks/ledger.js';
import { Cable, type CableEnd } from '../cluster/cable.js';
import type { Question, Request, Tiding } from '../cluster/traffic.js';

/** What clients live in. */
export interface ClientWorld {
  readonly scheduler: SimScheduler;
  readonly ledger: Ledger;
  member(name: string): CableEnd;
  note(who: string, what: string): void;
}

/** The connection is gone, or the node took it away with an error. */
export class SessionLostError extends Error {
  /** Of the error registry; null: it just went. */
  readonly key: string | null;
  constructor(reason: string, key: string | null = null) {
    super(reason);
    this.key = key;
  }
}

/** An unanswered heartbeat ends a connection. Milliseconds. */
const pingEveryMs = 3_000;
const silenceMsMax = 8_000;
/** A node that lives answers anything by then: it is done, or cannot be done now. Milliseconds. */
const answerMsMax = 30_000;
/** Between two tries to connect. Milliseconds. */
const backOffMs = { min: 20, max: 400 };

interface Waiting {
  readonly question: Question['kind'];
  readonly askedMs: number;
  readonly resolve: (tiding: Tiding & { readonly re: number }) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client with a list of hosts: connects to one, does its work, and goes on at the next one when that is gone. Subclasses say what the
 * work is, in `work`, which ends by a SessionLostError or when the client is to stop.
 */
export abstract class SimClient {
  readonly name: string;
  protected readonly world: ClientWorld;
  protected readonly random: SimRandom;
  protected readonly hosts: readonly string[];
  /** The node that it is connected to. */
  protected node = '';
  /** Connections so far. */
  protected sessions = 0;
  private hostIndex = 0;
  private cable: Cable | null = null;
  private opened: Waiting | null = null;
  private nextRe = 1;
  private readonly awaited = new Map<number, Waiting>();
  private heardMs = 0;
  private pinging: Timer | null = null;
  /** Thrown at the next `check`. */
  private error: SessionLostError | null = null;
  private outbox: Request[] = [];
  private readonly sleeping = new Set<() => void>();
  /** It finishes what it is at, and leaves. */
  isStopping = false;
  isGone = false;

  constructor(world: ClientWorld, name: string, hosts: readonly string[], random: SimRandom) {
    this.world = world;
    this.name = name;
    this.hosts = hosts;
    this.random = random;
  }

  /** What it does with a connection. */
  protected abstract work(): Promise<void>;
  protected abstract heard(tiding: Tiding): void;
  /** The connection is gone. */
  protected lost(): void {}

  async live(): Promise<void> {
    while (!this.isStopping || !this.mayLeave) {
      try {
        await this.connect();
        await this.work();
      } catch (error) {
        if (!(error instanceof SessionLostError)) throw error;
        this.note(`lost: ${error.message}`);
      }
      this.drop();
      if (!this.isStopping || !this.mayLeave)
        await this.pauses(this.random.unit() * (backOffMs.max - backOffMs.min) + backOffMs.min);
    }
    this.isGone = true;
  }

  /** False: it has something to do before it leaves. */
  get mayLeave(): boolean {
    return true;
  }

  private pauses(ms: number): Promise<void> {
    return this.isStopping ? this.wait(ms) : this.sleep(ms);
  }

  /** To leave, once it has no business left. */
  stop(): void {
    this.isStopping = true;
    for (const wake of [...this.sleeping]) wake();
  }

  protected get nowMs(): number {
    return this.world.scheduler.nowMs;
  }

  protected note(what: string): void {
    this.world.note(this.name, what);
  }

  /** Until then, or until it is to stop. */
  protected sleep(ms: number): Promise<void> {
    if (this.isStopping) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        this.sleeping.delete(wake);
        resolve();
      };
      const timer = this.world.scheduler.timer(ms, wake);
      this.sleeping.add(wake);
    });
  }

  /** So long, also when it is to stop. */
  protected wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.world.scheduler.timer(ms, resolve));
  }

  /** Wakes whoever sleeps. */
  protected wake(): void {
    for (const wake of [...this.sleeping]) wake();
  }

  // -- the connection ------------------------------------------------------------------------------------------------

  private connect(): Promise<unknown> {
    this.node = this.hosts[this.hostIndex++ % this.hosts.length]!;
    this.sessions++;
    this.heardMs = this.nowMs;
    const promise = new Promise((resolve, reject) => {
      this.opened = { question: 'ping', askedMs: this.nowMs, resolve, reject };
    });
    const { scheduler } = this.world;
    this.cable = new Cable(scheduler, this.random.fork('cable'), this.world.member(this.node), {
      heard: (tidings) => this.heardAll(tidings),
      lost: (reason) => this.broken(new SessionLostError(reason)),
    });
    this.pinging = scheduler.timer(pingEveryMs, () => this.ping());
    return promise;
  }

  protected get isConnected(): boolean {
    return this.cable !== null && this.opened === null;
  }

  private ping(): void {
    if (this.cable === null) return;
    this.pinging = this.world.scheduler.timer(pingEveryMs, () => this.ping());
    if (this.nowMs - this.heardMs > silenceMsMax) {
      this.broken(new SessionLostError('the node did not answer in time'));
      return;
    }
    this.lookForHangs();
    if (this.opened === null) this.ask({ kind: 'ping' }).catch(() => undefined);
  }

  /** The node answers heartbeats, so it must answer the rest as well. */
  private lookForHangs(): void {
    for (const { question, askedMs } of this.awaited.values()) {
      if (this.nowMs - askedMs < answerMsMax) continue;
      this.world.ledger.violation(
        `${this.name} waits for an answer of ${this.node} to ${question} since ${askedMs.toFixed(0)}`,
      );
      return;
    }
  }

  private heardAll(tidings: readonly Tiding[]): void {
    this.heardMs = this.nowMs;
    for (const tiding of tidings) {
      if (this.cable === null) return;
      if (tiding.kind === 'opened') {
        const opened = this.opened;
        this.opened = null;
        opened?.resolve({ ...tiding, re: 0 } as never);
      } else if (tiding.kind === 'failed') {
        this.broken(new SessionLostError(tiding.text, tiding.key));
      } else if ('re' in tiding) {
        if (tiding.kind === 'got') this.heard(tiding);
        this.awaited.get(tiding.re)?.resolve(tiding);
        this.awaited.delete(tiding.re);
      } else {
        this.heard(tiding);
      }
    }
  }

  /** Whether this client may be told so though nothing is wrong with the cluster. */
  protected expects(_key: string): boolean {
    return false;
  }

  private broken(error: SessionLostError): void {
    if (this.cable === null) return;
    const { ledger } = this.world;
    const { key } = error;
    if (key !== null && !this.expects(key) && ledger.troubles.isCalm(this.nowMs)) {
      ledger.violation(`${this.name} was told '${error.message}' by ${this.node} while nothing was wrong`);
    }
    const { opened } = this;
    const waiting = [...this.awaited.values()];
    this.drop();
    opened?.reject(error);
    for (const { reject } of waiting) reject(error);
    this.error = error;
    this.wake();
  }

  /** Throws when the connection is gone. */
  protected check(): void {
    if (this.cable !== null) return;
    throw this.error ?? new SessionLostError('not connected');
  }

  /** The connection is over, whoever ended it. */
  private drop(): void {
    const { cable } = this;
    if (cable === null) return;
    this.cable = null;
    this.opened = null;
    this.awaited.clear();
    this.outbox = [];
    this.pinging?.cancel();
    cable.hangUp();
    this.lost();
  }

  // -- requests ------------------------------------------------------------------------------------------------------

  protected ask(question: Question): Promise<Tiding & { readonly re: number }> {
    if (this.cable === null) return Promise.reject(this.error ?? new SessionLostError('not connected'));
    const re = this.nextRe++;
    if (question.kind !== 'ping')
      this.note(
        `asks ${re}: ${Object.values(question)
          .filter((value) => typeof value === 'string')
          .join(' ')}`,
      );
    this.send({ ...question, re });
    return new Promise((resolve, reject) => {
      this.awaited.set(re, { question: question.kind, askedMs: this.nowMs, resolve, reject });
    });
  }

  /** What is said in one go travels together. */
  protected send(request: Request): void {
    if (this.cable === null) return;
    if (this.outbox.length === 0) {
      this.world.scheduler.endOfTurn(() => {
        const { outbox } = this;
        this.outbox = [];
        if (outbox.length > 0) this.cable?.send(outbox);
      });
    }
    this.outbox.push(request);
  }
}
