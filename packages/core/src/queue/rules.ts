import type { Arguments } from '../arguments.js';

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

/**
 * What a queue was told to do beside queueing: compiled from its arguments and the policies that apply, replaced as a whole when one
 * of them changes. Infinity: no such limit.
 */
export interface QueueRules {
  /** `x-message-ttl`. Milliseconds. */
  readonly ttlMs: number;
  /** `x-expires`: unused for so long, the queue goes. Milliseconds. */
  readonly expiresMs: number;
  /** `x-max-length`. Ready messages. */
  readonly lengthMax: number;
  /** `x-max-length-bytes`. Of the bodies of ready messages. */
  readonly bytesMax: number;
  /** `x-overflow`. */
  readonly overflow: Overflow;
  /** `x-dead-letter-exchange`; null: what is dropped is gone. */
  readonly deadLetterExchange: string | null;
  /** `x-dead-letter-routing-key`; null: the keys that the message came with. */
  readonly deadLetterRoutingKey: string | null;
  /** `x-delivery-limit`: returned more often than this, a message is dead-lettered. */
  readonly deliveryLimit: number;
  /** `x-consumer-timeout`: held unsettled for so long, a message is taken back and its consumer cancelled. Milliseconds. */
  readonly consumerTimeoutMs: number;
}

export const noRules: QueueRules = Object.freeze({
  ttlMs: Number.POSITIVE_INFINITY,
  expiresMs: Number.POSITIVE_INFINITY,
  lengthMax: Number.POSITIVE_INFINITY,
  bytesMax: Number.POSITIVE_INFINITY,
  overflow: 'drop-head',
  deadLetterExchange: null,
  deadLetterRoutingKey: null,
  deliveryLimit: Number.POSITIVE_INFINITY,
  consumerTimeoutMs: Number.POSITIVE_INFINITY,
});

/** The rules in a queue's own arguments, which were checked when it was declared. `noRules` itself when there are none. */
export function rulesOf(args: Arguments): QueueRules {
  const rules: QueueRules = {
    ttlMs: number(args['x-message-ttl']),
    expiresMs: number(args['x-expires']),
    lengthMax: number(args['x-max-length']),
    bytesMax: number(args['x-max-length-bytes']),
    overflow: (args['x-overflow'] as Overflow | undefined) ?? 'drop-head',
    deadLetterExchange: (args['x-dead-letter-exchange'] as string | undefined) ?? null,
    deadLetterRoutingKey: (args['x-dead-letter-routing-key'] as string | undefined) ?? null,
    // The field's way to say that there is none.
    deliveryLimit: args['x-delivery-limit'] === -1 ? Number.POSITIVE_INFINITY : number(args['x-delivery-limit']),
    consumerTimeoutMs: number(args['x-consumer-timeout']),
  };
  return (Object.keys(noRules) as (keyof QueueRules)[]).every((rule) => rules[rule] === noRules[rule])
    ? noRules
    : rules;
}

const number = (value: unknown): number => (typeof value === 'number' ? value : Number.POSITIVE_INFINITY);
