import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import { argumentsNotHonouredYet } from '../topology/queue-arguments.js';

/** One key of a policy's definition. */
interface PolicyKey {
  /** What is wrong with a value, in the field's words; null when nothing is. */
  readonly fault: (value: JsonValue) => string | null;
  /** True when operator policies may have it, too. */
  readonly forOperators: boolean;
  /** One value out of the policy's and the operator policy's. */
  readonly merge: (own: JsonValue, operators: JsonValue) => JsonValue;
}

// ---- what values may be ------------------------------------------------------------------------------------------

type Is = (value: JsonValue) => boolean;

const text: Is = (value) => typeof value === 'string';
const truth: Is = (value) => typeof value === 'boolean';
const integer: Is = (value) => typeof value === 'number' && Number.isInteger(value);
const atLeast =
  (least: number): Is =>
  (value) =>
    integer(value) && (value as number) >= least;
const between =
  (least: number, most: number): Is =>
  (value) =>
    atLeast(least)(value) && (value as number) <= most;
const oneOf =
  (...allowed: readonly JsonValue[]): Is =>
  (value) =>
    allowed.includes(value);
const age: Is = (value) => typeof value === 'string' && /^\d+[YMDhms]$/.test(value);

const shown = (value: JsonValue): string => JSON.stringify(value);

// ---- how two become one ------------------------------------------------------------------------------------------

const operatorWins: PolicyKey['merge'] = (_own, operators) => operators;
const least: PolicyKey['merge'] = (own, operators) => Math.min(own as number, operators as number);
const most: PolicyKey['merge'] = (own, operators) => Math.max(own as number, operators as number);

/** Of two delivery limits the lower one; a negative one is none. */
export function lowerDeliveryLimit(a: number, b: number): number {
  return a < 0 || b < 0 ? Math.max(a, b) : Math.min(a, b);
}

/** More mirrors win over fewer, as in RabbitMQ 3.13. */
const mirrors: PolicyKey['merge'] = (own, operators) => {
  if (own === 'all' || operators === 'all') return 'all';
  return own === 'exactly' || operators === 'exactly' ? 'exactly' : operators;
};
const mirrorParameters: PolicyKey['merge'] = (own, operators) => {
  if (typeof own === 'number' && typeof operators === 'number') return Math.max(own, operators);
  if (typeof own === 'number' || typeof operators === 'number') return typeof own === 'number' ? own : operators;
  return (own as readonly JsonValue[]).length > (operators as readonly JsonValue[]).length ? own : operators;
};

// ---- the keys ----------------------------------------------------------------------------------------------------

/** `fault` begins with the value, as the field's texts do. */
const key = (is: Is, fault: string): PolicyKey => ({
  fault: (value) => (is(value) ? null : `${shown(value)} ${fault}`),
  forOperators: false,
  merge: operatorWins,
});
const operatorKey = (is: Is, fault: string, merge = operatorWins): PolicyKey => ({
  ...key(is, fault),
  forOperators: true,
  merge,
});
/** Those whose texts name the key first. */
const keyNamed = (is: Is, fault: (value: string) => string): PolicyKey => ({
  fault: (value) => (is(value) ? null : fault(shown(value))),
  forOperators: false,
  merge: operatorWins,
});
const promotion = (name: string): PolicyKey =>
  keyNamed(oneOf('always', 'when-synced'), (got) => `${name} must be "always" or "when-synced", got ${got}`);

/** Which settings a policy may have: those of RabbitMQ 3.10 to 4.x and our own. docs/QUEUES.md says which of them act. */
export const policyKeys: ReadonlyMap<string, PolicyKey> = new Map<string, PolicyKey>([
  ['message-ttl', operatorKey(atLeast(0), 'is not a valid message TTL', least)],
  ['expires', operatorKey(atLeast(1), 'is not a valid queue expiry', least)],
  ['max-length', operatorKey(atLeast(0), 'is not a valid maximum length', least)],
  ['max-length-bytes', operatorKey(atLeast(0), 'is not a valid maximum length in bytes', least)],
  [
    'overflow',
    operatorKey(oneOf('drop-head', 'reject-publish', 'reject-publish-dlx'), 'is not a valid overflow value'),
  ],
  [
    'delivery-limit',
    operatorKey(integer, 'is not a valid delivery limit', (a, b) => lowerDeliveryLimit(a as number, b as number)),
  ],
  ['dead-letter-exchange', key(text, 'is not a valid dead letter exchange name')],
  ['dead-letter-routing-key', key(text, 'is not a valid dead letter routing key')],
  ['dead-letter-strategy', key(oneOf('at-most-once', 'at-least-once'), 'is not a valid dead letter strategy')],
  ['consumer-timeout', key(atLeast(0), 'is not a valid consumer timeout')],
  ['alternate-exchange', key(text, 'is not a valid alternate exchange name')],
  ['queue-mode', key(oneOf('default', 'lazy'), 'is not a valid queue-mode value')],
  ['queue-version', operatorKey(oneOf(1, 2), 'is not a valid queue-version value')],
  ['max-in-memory-length', operatorKey(atLeast(0), 'is not a valid maximum memory in bytes', least)],
  ['max-in-memory-bytes', operatorKey(atLeast(0), 'is not a valid maximum memory in bytes', least)],
  // Mirrors and where they are.
  ['ha-mode', { ...operatorKey(oneOf('all', 'exactly', 'nodes'), 'is not a valid ha-mode value'), merge: mirrors }],
  ['ha-params', operatorKey(() => true, '', mirrorParameters)],
  [
    'ha-sync-mode',
    {
      ...keyNamed(oneOf('manual', 'automatic'), (got) => `ha-sync-mode must be "manual" or "automatic", got ${got}`),
      forOperators: true,
    },
  ],
  [
    'ha-sync-batch-size',
    keyNamed(atLeast(1), (got) => `ha-sync-batch-size takes an integer greater than 0, ${got} given`),
  ],
  ['ha-promote-on-shutdown', promotion('ha-promote-on-shutdown')],
  ['ha-promote-on-failure', promotion('ha-promote-on-failure')],
  [
    'queue-leader-locator',
    key(oneOf('client-local', 'balanced', 'random', 'least-leaders'), 'is not a valid queue leader locator value'),
  ],
  [
    'queue-master-locator',
    operatorKey(oneOf('min-masters', 'client-local', 'random'), 'invalid queue-master-locator value'),
  ],
  ['initial-cluster-size', key(atLeast(0), 'is not a valid cluster size')],
  ['target-group-size', operatorKey(atLeast(1), 'is not a valid qq target count value', most)],
  ['min-in-sync', operatorKey(atLeast(1), 'is not a valid number of replicas in sync', most)],
  // Streams.
  ['max-age', key(age, 'is not a valid max age')],
  ['stream-max-segment-size-bytes', key(atLeast(0), 'is not a valid segment size')],
  ['stream-filter-size-bytes', key(between(16, 255), 'is not a valid filter size. Valid range is 16-255')],
  // What belongs to plug-ins in the field.
  ['federation-upstream', key(text, 'is not a valid federation upstream name')],
  ['federation-upstream-set', key(text, 'is not a valid federation upstream set name')],
  ['federation-upstream-pattern', key(text, 'is not a valid federation upstream pattern name')],
  ['message-deduplication', key(truth, 'is not a valid message-deduplication value')],
]);

/** Kept for what is built later. Beside them those whose argument waits, too. */
const notHonouredYet = new Set([
  'ha-mode',
  'ha-params',
  'ha-sync-mode',
  'ha-sync-batch-size',
  'ha-promote-on-shutdown',
  'ha-promote-on-failure',
  'queue-master-locator',
  'initial-cluster-size',
  'target-group-size',
  'min-in-sync',
  'max-in-memory-length',
  'max-in-memory-bytes',
  'max-age',
  'stream-max-segment-size-bytes',
  'stream-filter-size-bytes',
  'federation-upstream',
  'federation-upstream-set',
  'federation-upstream-pattern',
]);

/** Of these: those that act where there are other nodes. */
const honouredInClusters = new Set(['ha-mode', 'ha-params', 'ha-sync-mode', 'min-in-sync']);

export function settingsNotHonouredYet(definition: Arguments, isClustered: boolean): string[] {
  const waits = (name: string): boolean => argumentsNotHonouredYet({ [`x-${name}`]: true }, false).length > 0;
  return Object.keys(definition).filter(
    (name) => (notHonouredYet.has(name) || waits(name)) && !(isClustered && honouredInClusters.has(name)),
  );
}

/** The first thing that is wrong with a definition, in the field's words and order; null when nothing is. */
export function definitionFault(definition: JsonValue, forOperators: boolean): string | null {
  if (!isTable(definition)) return `definition must be a dictionary: ${shown(definition)}`;
  const given = Object.entries(definition);
  if (given.length === 0) return 'no policy provided';
  const unknown: [string, JsonValue][] = [];
  for (const [name, value] of given) {
    const known = policyKeys.get(name);
    if (known === undefined || (forOperators && !known.forOperators)) unknown.push([name, value]);
    else {
      const fault = known.fault(value);
      if (fault !== null) return fault;
    }
  }
  const fault = mirroringFault(definition) ?? federationFault(definition);
  if (fault !== null) return fault;
  if (unknown.length === 0) return null;
  const refused = `${shown(Object.fromEntries(unknown))} are not recognised policy settings`;
  return forOperators ? `${refused}; operator policies take ${operatorKeyNames().join(', ')}` : refused;
}

const isTable = (value: JsonValue): value is Arguments =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const operatorKeyNames = (): string[] => [...policyKeys].filter(([, { forOperators }]) => forOperators).map(([n]) => n);

/** The settings of mirrored queues hang together. */
function mirroringFault(definition: Arguments): string | null {
  const { 'ha-mode': mode, 'ha-params': params } = definition;
  if (mode === undefined) {
    return Object.keys(definition).some((name) => name.startsWith('ha-'))
      ? 'ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown'
      : null;
  }
  const given = params === undefined ? 'none' : shown(params);
  if (mode === 'all') return params === undefined ? null : 'ha-mode="all" does not take parameters';
  if (mode === 'exactly') {
    return params !== undefined && atLeast(1)(params) ? null : `ha-mode="exactly" takes an integer, ${given} given`;
  }
  if (!Array.isArray(params)) return `ha-mode="nodes" takes a list, ${given} given`;
  if (params.length === 0) return 'ha-mode="nodes" list must be non-empty';
  const wrong = params.filter((each: JsonValue) => typeof each !== 'string');
  return wrong.length === 0 ? null : `ha-mode="nodes" takes a list of strings, ${shown(wrong)} was not a string`;
}

function federationFault(definition: Arguments): string | null {
  const given = Object.keys(definition).filter((name) => name.startsWith('federation-upstream'));
  return given.length < 2
    ? null
    : 'cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together';
}
