import type { Clock, Timer } from '@chapar/platform';
import {
  agree,
  type Greeting,
  type GreetingAnswer,
  GreetingError,
  isProof,
  parseGreeting,
  proofOf,
} from './greeting.js';
import type { Lane, LaneSink } from './lane.js';

/** A greeting that takes longer has failed. Milliseconds. */
const greetingMs = 5000;

/** Who greets, and what the proof is made with; null: certificates alone say who may speak. */
export interface Greeter {
  readonly clock: Clock;
  readonly secret: string | null;
  /** Asked anew for every lane: session and nonce change. */
  greeting(): Greeting;
}

/** A lane whose other end is known. */
export interface GreetedLane {
  readonly lane: Lane;
  readonly peer: Greeting;
  /** That both ends speak. */
  readonly version: number;
}

/** Greets over a lane that we opened: greeting, answer with proof, our proof. Rejects with GreetingError; the lane is closed then. */
export function greetAsOpener(greeter: Greeter, lane: Lane): Promise<GreetedLane> {
  const ours = greeter.greeting();
  return new Greeted(greeter, lane, (batch, done) => {
    const theirs = parseGreeting(batch);
    const version = agree(ours, theirs);
    const { secret } = greeter;
    if (secret !== null && !isProof(theirs.proof, proofOf(secret, 'acceptor', ours, theirs))) {
      throw new GreetingError(`${theirs.node} does not know the secret of this cluster`);
    }
    done.lane.send(json({ proof: secret === null ? '' : proofOf(secret, 'opener', ours, theirs) }));
    done({ peer: theirs, version });
  }).begin(json(ours));
}

/** The other side of it, over a lane that was opened to us. */
export function greetAsAcceptor(greeter: Greeter, lane: Lane): Promise<GreetedLane> {
  const ours = greeter.greeting();
  const { secret } = greeter;
  let theirs: Greeting | null = null;
  return new Greeted(greeter, lane, (batch, done) => {
    if (theirs === null) {
      theirs = parseGreeting(batch);
      agree(ours, theirs);
      const answer: GreetingAnswer = {
        ...ours,
        proof: secret === null ? '' : proofOf(secret, 'acceptor', theirs, ours),
      };
      done.lane.send(json(answer));
      return;
    }
    const { proof } = JSON.parse(batch.toString('utf8')) as { proof?: unknown };
    if (secret !== null && !isProof(proof, proofOf(secret, 'opener', theirs, ours))) {
      throw new GreetingError(`${theirs.node} does not know the secret of this cluster`);
    }
    done({ peer: theirs, version: agree(ours, theirs) });
  }).begin(null);
}

interface Done {
  (who: { readonly peer: Greeting; readonly version: number }): void;
  readonly lane: Lane;
}

/** Holds a lane's sink until both ends know each other, then hands the lane over with whatever came meanwhile. */
class Greeted implements LaneSink, Lane {
  private readonly lane: Lane;
  private readonly step: (batch: Buffer, done: Done) => void;
  private readonly deadline: Timer;
  private resolve!: (greeted: GreetedLane) => void;
  private reject!: (error: Error) => void;
  private readonly promise: Promise<GreetedLane>;
  private isDone = false;
  private ended: string | null = null;
  private readonly waiting: Buffer[] = [];
  private sink: LaneSink | null = null;

  constructor({ clock }: Greeter, lane: Lane, step: (batch: Buffer, done: Done) => void) {
    this.lane = lane;
    this.step = step;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.deadline = clock.after(greetingMs, () => this.fail(new GreetingError('the peer did not greet in time')));
  }

  begin(first: Buffer | null): Promise<GreetedLane> {
    this.lane.open(this);
    if (first !== null) this.lane.send(first);
    return this.promise;
  }

  // -- as the lane's sink ------------------------------------------------------------------------------------------

  received(batch: Buffer): void {
    if (this.sink !== null) this.sink.received(batch);
    else if (this.isDone) this.waiting.push(batch);
    else this.greet(batch);
  }

  drained(): void {
    this.sink?.drained();
  }

  closed(reason: string): void {
    this.ended = reason;
    if (this.sink !== null) this.sink.closed(reason);
    else if (!this.isDone) this.fail(new GreetingError(reason));
  }

  private greet(batch: Buffer): void {
    const done: Done = Object.assign(
      ({ peer, version }: { readonly peer: Greeting; readonly version: number }) => {
        this.isDone = true;
        this.deadline.cancel();
        this.resolve({ lane: this, peer, version });
      },
      { lane: this.lane },
    );
    try {
      this.step(batch, done);
    } catch (error) {
      this.fail(error instanceof GreetingError ? error : new GreetingError('the peer does not speak our protocol'));
    }
  }

  private fail(error: GreetingError): void {
    if (this.isDone) return;
    this.isDone = true;
    this.deadline.cancel();
    this.lane.close(error.message);
    this.reject(error);
  }

  // -- as the lane that is handed over -----------------------------------------------------------------------------

  open(sink: LaneSink): void {
    this.sink = sink;
    for (const batch of this.waiting.splice(0)) sink.received(batch);
    if (this.ended !== null) sink.closed(this.ended);
  }

  send(...sent: Parameters<Lane['send']>): boolean {
    return this.lane.send(...sent);
  }

  close(reason: string): void {
    this.lane.close(reason);
  }
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
