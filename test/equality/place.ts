import type { MethodInput } from '../../packages/amqp091/src/codec/index.js';
import type { Content, Received } from '../support/amqp-peer.js';

/** A client's end of one connection to the broker under test. */
export interface Line {
  send(channel: number, method: MethodInput, content?: Content): void;
  /** What came since the last call. */
  take(): Promise<Received[]>;
  hangUp(): Promise<void>;
}

/** What an administrator sets; a definition of null takes it away. */
export interface PolicyWish {
  readonly kind: 'policies' | 'operator-policies';
  readonly name: string;
  readonly pattern: string;
  readonly definition: { readonly [setting: string]: string | number } | null;
  readonly priority: number;
  readonly applyTo: 'all' | 'queues' | 'exchanges';
}

/** Where a session takes place: a broker, and the time that it lives in. */
export interface Place {
  /** Connected and open, as guest in the virtual host "/". */
  dial(): Promise<Line>;
  /** Lets the broker do what it has to do: all of it on a simulated clock, for a moment on a real one. */
  pause(): Promise<void>;
  /** How many pauses in which nothing comes mean that nothing will. */
  readonly quietPauses: number;
  /** After so many pauses an answer that is still owed will not come. */
  readonly pausesMax: number;
  /** Sets or takes away a policy in the virtual host "/", and lets it act. */
  policy(wish: PolicyWish): Promise<void>;
  /** Lets milliseconds pass. */
  wait(ms: number): Promise<void>;
}

/** A broker in which sessions take place one after the other, each finding it empty. */
export interface Stage {
  play(session: (place: Place) => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}
