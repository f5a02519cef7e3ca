/**
 * Password hashes run on Node's thread pool, which has four threads and does the disk's writes and syncs too: a storm of logins must
 * not stand between a message and its confirm. So only a few hash at the same time, and when too many wait the rest are turned away
 * at once (their handshake would time out anyway).
 */
const atOnceMax = 2;
const waitingMax = 1000;

/** Raised when too many logins wait already. */
export class TooManyLoginsError extends Error {
  constructor() {
    super(`${waitingMax} logins are waiting for their password to be checked; this one was turned away`);
  }
}

export class HashingQueue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** Rejects with TooManyLoginsError when the queue is full. */
  async run<T>(hash: () => Promise<T>): Promise<T> {
    if (this.running < atOnceMax) this.running++;
    else await this.turn();
    try {
      return await hash();
    } finally {
      const next = this.waiting.shift();
      // The place is handed on rather than given back, so that nobody who comes now gets in first.
      if (next === undefined) this.running--;
      else next();
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= waitingMax) return Promise.reject(new TooManyLoginsError());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
