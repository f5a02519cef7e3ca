import { type ErrorKey, type ErrorParameters, errorRegistry } from './error-registry.js';

/** How much a protocol error closes: the smallest scope that the field's rules allow. */
export type ErrorScope = 'channel' | 'connection';

/**
 * A wrong of the peer's: closes `scope` with the field's code and text. Made by `brokerError` from the one registry, thrown in the
 * core or in a door, and turned into bytes by the door it came in through.
 */
export class BrokerError extends Error {
  readonly key: ErrorKey;
  /** AMQP reply code; other doors map it. */
  readonly code: number;
  /** `NOT_FOUND` and its like. */
  readonly codeName: string;
  readonly scope: ErrorScope;

  constructor(key: ErrorKey, text: string) {
    const entry = errorRegistry[key];
    super(`${entry.name} - ${text}`);
    this.key = key;
    this.code = entry.code;
    this.codeName = entry.name;
    this.scope = entry.scope;
  }
}

/** `brokerError('queueNotFound', { queue: 'q', vhost: '/' })`; the compiler checks the parameters against the text. */
export function brokerError<K extends ErrorKey>(key: K, parameters: ErrorParameters<K>): BrokerError {
  const values = parameters as Record<string, string | number>;
  const text = errorRegistry[key].text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
  return new BrokerError(key, text);
}
