import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';

/** What is wrong with a value, null when nothing is. */
type Check = (value: JsonValue) => string | null;

const integer =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? null
      : `expected an integer ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}, got ${shown(value)}`;
const text: Check = (value) => (typeof value === 'string' ? null : `expected a string, got ${shown(value)}`);
const truth: Check = (value) => (typeof value === 'boolean' ? null : `expected true or false, got ${shown(value)}`);
const oneOf =
  (...allowed: string[]): Check =>
  (value) =>
    allowed.includes(value as string) ? null : `expected one of ${allowed.join(', ')}, got ${shown(value)}`;
const shown = (value: JsonValue): string => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value));

/** What the field takes at most. */
const TEN_YEARS_MS = 315_360_000_000;

/** The arguments that the field gives a meaning: checked when declared, compared when declared again. Milliseconds, bytes, counts. */
const known: { readonly [name: string]: Check } = {
  'x-message-ttl': integer(0, TEN_YEARS_MS),
  'x-expires': integer(1, TEN_YEARS_MS),
  'x-max-length': integer(0),
  'x-max-length-bytes': integer(0),
  'x-overflow': oneOf('drop-head', 'reject-publish', 'reject-publish-dlx'),
  'x-dead-letter-exchange': text,
  'x-dead-letter-routing-key': text,
  'x-dead-letter-strategy': oneOf('at-most-once', 'at-least-once'),
  'x-max-priority': integer(0, 255),
  'x-delivery-limit': integer(-1),
  'x-single-active-consumer': truth,
  'x-consumer-timeout': integer(0),
  'x-queue-type': text,
  'x-queue-mode': oneOf('default', 'lazy'),
  'x-queue-version': integer(1, 2),
  'x-quorum-initial-group-size': integer(1),
  'x-quorum-target-group-size': integer(1),
  'x-queue-leader-locator': oneOf('client-local', 'balanced'),
  'x-queue-master-locator': text,
  'x-message-deduplication': truth,
};

/** Kept and compared, and without effect so far: they act from the issue on that builds them. */
const notHonouredYet = new Set([
  'x-quorum-initial-group-size',
  'x-quorum-target-group-size',
  'x-queue-leader-locator',
  'x-message-deduplication',
]);

/** Of these: those that act where there are other nodes. */
const honouredInClusters = new Set(['x-quorum-initial-group-size', 'x-queue-leader-locator']);

export interface ArgumentFault {
  readonly argument: string;
  readonly reason: string;
}

/** The first argument that has a value it cannot have. */
export function faultyQueueArgument(args: Arguments): ArgumentFault | null {
  for (const [argument, check] of Object.entries(known)) {
    const value = args[argument];
    if (value === undefined) continue;
    const reason = check(value);
    if (reason !== null) return { argument, reason };
  }
  if (args['x-dead-letter-routing-key'] !== undefined && args['x-dead-letter-exchange'] === undefined) {
    return { argument: 'x-dead-letter-routing-key', reason: 'x-dead-letter-exchange is not set' };
  }
  return null;
}

/** Arguments that make two declarations differ; all others are kept and listed only. */
export const comparedQueueArguments: readonly string[] = Object.keys(known).filter(
  (name) => name !== 'x-queue-mode' && name !== 'x-queue-version' && name !== 'x-queue-master-locator',
);

export function argumentsNotHonouredYet(args: Arguments, isClustered: boolean): string[] {
  return Object.keys(args).filter((name) => notHonouredYet.has(name) && !(isClustered && honouredInClusters.has(name)));
}
