import { type Arguments, noArguments } from '../arguments.js';
import { lowerDeliveryLimit } from '../policy/policy-key.js';
import type { JsonValue } from '../ports.js';

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

/**
 * The rules in a queue's own arguments, which were checked when it was declared, and in what policies come to for it (their merged
 * definition). Of two limits the lower one holds; elsewhere the argument beats the policy, except the overflow of a quorum queue.
 */
export function rulesOf(args: Arguments, policy: Arguments = noArguments): QueueRules {
  const rules: QueueRules = {
    ttlMs: lower(args['x-message-ttl'], policy['message-ttl']),
    expiresMs: lower(args['x-expires'], policy['expires']),
    lengthMax: lower(args['x-max-length'], policy['max-length']),
    bytesMax: lower(args['x-max-length-bytes'], policy['max-length-bytes']),
    overflow: overflowOf(args, policy),
    deadLetterExchange: own(args['x-dead-letter-exchange'], policy['dead-letter-exchange']) ?? null,
    deadLetterRoutingKey: own(args['x-dead-letter-routing-key'], policy['dead-letter-routing-key']) ?? null,
    deliveryLimit: deliveryLimitOf(args['x-delivery-limit'], policy['delivery-limit']),
    // 0 is another way to say that there is none.
    consumerTimeoutMs: lower(args['x-consumer-timeout'] || undefined, policy['consumer-timeout'] || undefined),
  };
  return sameRules(rules, noRules) ? noRules : rules;
}

export function sameRules(a: QueueRules, b: QueueRules): boolean {
  return a === b || ruleNames.every((rule) => a[rule] === b[rule]);
}

const ruleNames = Object.keys(noRules) as readonly (keyof QueueRules)[];

const number = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : Number.POSITIVE_INFINITY);
const lower = (argument: JsonValue | undefined, policy: JsonValue | undefined): number =>
  Math.min(number(argument), number(policy));
const own = (argument: JsonValue | undefined, policy: JsonValue | undefined): string | undefined =>
  (argument ?? policy) as string | undefined;

function overflowOf(args: Arguments, { overflow }: Arguments): Overflow {
  const chosen =
    args['x-queue-type'] === 'quorum' ? own(overflow, args['x-overflow']) : own(args['x-overflow'], overflow);
  return (chosen as Overflow | undefined) ?? 'drop-head';
}

/** A negative one is the field's way to say that there is none. */
function deliveryLimitOf(argument: JsonValue | undefined, policy: JsonValue | undefined): number {
  const limits = [argument, policy].filter((limit) => typeof limit === 'number');
  const limit = limits.length === 0 ? -1 : limits.reduce(lowerDeliveryLimit);
  return limit < 0 ? Number.POSITIVE_INFINITY : limit;
}
