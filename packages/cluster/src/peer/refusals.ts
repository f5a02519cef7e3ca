import { BrokerError, type DetachReason, type ErrorKey, errorRegistry, type Outcome, type Refusal } from '@chapar/core';

/** Outcomes, refusals and reasons as they stand in frames, by number. */
export const outcomes: readonly Outcome[] = ['accept', 'release', 'reject'];
export const refusals: readonly Refusal[] = ['store-failed', 'queue-full', 'node-down', 'not-enough-copies'];
export const detachReasons: readonly DetachReason[] = ['queue-deleted', 'consumer-timeout', 'node-down', 'fenced'];

/** An error of the registry on its way between nodes. */
export interface ErrorForm {
  readonly key: string;
  /** Without the code's name. */
  readonly text: string;
}

export function formOfError(error: unknown): ErrorForm {
  if (error instanceof BrokerError) {
    return { key: error.key, text: error.message.slice(error.codeName.length + 3) };
  }
  return { key: 'internal', text: error instanceof Error ? error.message : String(error) };
}

/** Why a consumer that comes back is none any more. */
export function detachReasonOf(error: unknown, otherwise: DetachReason): DetachReason {
  return error instanceof BrokerError && error.key === 'consumerFenced' ? 'fenced' : otherwise;
}

export function errorOfForm({ key, text }: ErrorForm): Error {
  return Object.hasOwn(errorRegistry, key) ? new BrokerError(key as ErrorKey, text) : new Error(text);
}
