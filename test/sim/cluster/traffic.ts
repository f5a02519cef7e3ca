import type { Arguments, Outcome, Refusal } from '@chapar/core';

/** What a client of the simulation asks for, in the nouns of AMQP 0-9-1. Those with a number are answered. */
export type Request =
  | {
      readonly kind: 'publish';
      readonly exchange: string;
      readonly routingKey: string;
      readonly body: string;
      readonly persistent: boolean;
      readonly priority: number;
      readonly mandatory: boolean;
      /** Its own time to live; -1: none. Milliseconds. */
      readonly expirationMs: number;
      /** It takes effect with the next commit. */
      readonly isHeld: boolean;
    }
  | { readonly kind: 'settle'; readonly deliveryTag: number; readonly outcome: Outcome }
  | ({ readonly re: number } & Question);

export type Question =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'declare-queue';
      readonly name: string;
      readonly durable: boolean;
      readonly exclusive: boolean;
      readonly autoDelete: boolean;
      readonly arguments: Arguments;
    }
  | { readonly kind: 'find-queue'; readonly name: string }
  | { readonly kind: 'delete-queue'; readonly name: string }
  | { readonly kind: 'purge-queue'; readonly name: string }
  | { readonly kind: 'declare-exchange'; readonly name: string; readonly type: string }
  | { readonly kind: 'bind'; readonly exchange: string; readonly routingKey: string; readonly queue: string }
  | { readonly kind: 'unbind'; readonly exchange: string; readonly routingKey: string; readonly queue: string }
  | {
      readonly kind: 'consume';
      readonly tag: string;
      readonly queue: string;
      readonly acknowledges: boolean;
      readonly exclusive: boolean;
      /** 0: no limit. */
      readonly prefetch: number;
      readonly arguments: Arguments;
    }
  | { readonly kind: 'cancel'; readonly tag: string }
  | { readonly kind: 'commit' }
  | { readonly kind: 'get'; readonly queue: string };

/** What a node tells a client. */
export type Tiding =
  | { readonly kind: 'opened' }
  | { readonly kind: 'answer'; readonly re: number; readonly value: string | number }
  | { readonly kind: 'failed'; readonly re: number; readonly key: string; readonly text: string }
  | { readonly kind: 'ack'; readonly tag: number; readonly multiple: boolean }
  | { readonly kind: 'nack'; readonly tag: number; readonly why: Refusal }
  | { readonly kind: 'returned'; readonly body: string }
  | ({ readonly kind: 'deliver' } & Delivered)
  | ({ readonly kind: 'got'; readonly re: number } & Delivered)
  | { readonly kind: 'cancelled'; readonly tag: string; readonly why: string };

/** A message as it comes to a client. */
export interface Delivered {
  /** Of its consumer; empty for basic.get. */
  readonly tag: string;
  readonly queue: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  /** When the node sent it, by true time: clients are told late, and what one was told first may have been sent last. */
  readonly sentMs: number;
  readonly body: string;
}
