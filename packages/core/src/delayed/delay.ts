import { shownValue } from '../arguments.js';
import { type BrokerError, brokerError } from '../errors.js';
import type { JsonValue } from '../ports.js';

/** The header that says how long a message waits. */
export const delayHeader = 'x-delay';

/** The longest delay that the field takes: 2^32 - 1, some 49 days. */
const delayMsMax = 0xffff_ffff;

/**
 * Milliseconds that a message is to wait; 0: it goes at once. An integer, a fraction (cut off) or an integer in text, as the field reads
 * the header; other values mean nothing. NaN: what claims to be a delay and cannot be one.
 */
export function delayMsOf(value: JsonValue | undefined): number {
  const given = numberOf(value);
  if (Number.isNaN(given)) return given;
  const delayMs = Math.max(0, Math.trunc(given));
  return delayMs <= delayMsMax ? delayMs : Number.NaN;
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (typeof value !== 'object' || value === null || !('$integer' in value)) return 0;
  return Number(value['$integer']);
}

export function invalidDelay(value: JsonValue | undefined): BrokerError {
  return brokerError('invalidDelay', { given: shownValue(value) });
}
