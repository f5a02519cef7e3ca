import type { Log } from '@chapar/platform';
import type { RunningBroker } from '../broker.js';

/**
 * Ctrl-C under npm arrives twice: once from the terminal, once passed on by npm. A repeat within this time is that same key press.
 */
const sameSignalMs = 250;
/** Clients may take all of `shutdownSeconds`; the last sync and the closing of files come after them. */
const closingMs = 2000;

/** Stops the broker at the first SIGTERM or SIGINT; the second ends the process at once. */
export class StopSignals {
  private readonly log: Log;
  private readonly secondsMax: number;
  private readonly exit: (code: number) => void;
  /** Is aborted by a signal that comes before there is anything to stop: whoever waits in a start gives up. */
  private readonly starting = new AbortController();
  private broker: RunningBroker | null = null;
  private first: { readonly signal: NodeJS.Signals; readonly atMs: number } | null = null;

  constructor(log: Log, secondsMax: number, exit: (code: number) => void) {
    this.log = log;
    this.secondsMax = secondsMax;
    this.exit = exit;
  }

  listen(): void {
    process.on('SIGTERM', () => this.signalled('SIGTERM'));
    process.on('SIGINT', () => this.signalled('SIGINT'));
  }

  get aborted(): AbortSignal {
    return this.starting.signal;
  }

  /** From now on there is something to stop; a signal that came while it was starting counts now. */
  started(broker: RunningBroker): void {
    this.broker = broker;
    if (this.first !== null) this.stop(broker, this.first.signal);
  }

  signalled(signal: NodeJS.Signals): void {
    const atMs = performance.now();
    if (this.first === null) {
      this.first = { signal, atMs };
      if (this.broker === null) {
        this.log.info({ signal }, 'stopping as soon as the start is through; the same signal again ends it at once');
        this.starting.abort();
      } else this.stop(this.broker, signal);
    } else if (atMs - this.first.atMs > sameSignalMs) {
      this.log.warn({ signal }, 'a second signal: ending at once');
      this.exit(1);
    }
  }

  private stop(broker: RunningBroker, signal: NodeJS.Signals): void {
    this.log.info(
      { signal, secondsMax: this.secondsMax },
      'stopping: telling the clients and syncing; the same signal again ends it at once',
    );
    // What was confirmed is on disk already, so giving up on a client that never says goodbye loses nothing.
    const bound = setTimeout(
      () => {
        this.log.warn(
          { secondsMax: this.secondsMax },
          'the stop took longer than shutdownSeconds; ending without waiting any longer',
        );
        this.exit(0);
      },
      this.secondsMax * 1000 + closingMs,
    );
    broker.stop(signal).then(
      () => {
        clearTimeout(bound);
        this.log.info({}, 'stopped');
        this.exit(0);
      },
      (error: unknown) => {
        this.log.error({ error }, 'the stop failed');
        this.exit(1);
      },
    );
  }
}
