import type { Clock, Log } from '@chapar/platform';
import { EtcdError } from '../etcd/etcd.js';
import { JoinRefusedError } from './join-refused.js';

/** Waits between two tries. Milliseconds. */
const retryMs = 500;
/** How often it is said again that we wait. Milliseconds. */
const sayEveryMs = 30_000;

/** What is asked of etcd by who cannot go on without the answer. */
export class Patience {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly signal: AbortSignal | null;
  private saidMs = Number.NEGATIVE_INFINITY;
  private said = '';
  /** Is told, in words, what is waited for. */
  onWaiting: ((what: string) => void) | null = null;

  constructor(clock: Clock, log: Log, signal: AbortSignal | null) {
    this.clock = clock;
    this.log = log;
    this.signal = signal;
  }

  /** Asks until there is an answer. Rejects when etcd refuses us, or when the node is to stop. */
  async ask<T>(run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const { message } = error;
        if (/auth|permission|user name|certificate/i.test(message)) {
          throw new JoinRefusedError('etcd-refuses', `etcd does not let this node in: ${message}`, { cause: error });
        }
        await this.wait(`etcd cannot be used: ${message}`);
      }
    }
  }

  /** Lets a moment pass; says what for, now and then. */
  async wait(what: string): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (what !== this.said || nowMs - this.saidMs >= sayEveryMs) {
      this.log.warn({}, `${what}; this node waits`);
      this.onWaiting?.(what);
      this.said = what;
      this.saidMs = nowMs;
    }
    this.assertGoingOn();
    await new Promise<void>((resolve) => this.clock.after(retryMs, resolve));
    this.assertGoingOn();
  }

  private assertGoingOn(): void {
    if (this.signal?.aborted) throw new Error('the node stops before it is part of the cluster');
  }
}
