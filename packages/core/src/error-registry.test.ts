import { describe, expect, it } from 'vitest';
import { type ErrorKey, errorRegistry } from './error-registry.js';
import { BrokerError, brokerError } from './errors.js';

/** AMQP 0-9-1 §1.2 and RabbitMQ's extension: the name of each code, and how much it closes. */
const codes: { readonly [code: number]: readonly [name: string, scope: 'channel' | 'connection' | 'either'] } = {
  403: ['ACCESS_REFUSED', 'either'],
  404: ['NOT_FOUND', 'channel'],
  405: ['RESOURCE_LOCKED', 'channel'],
  406: ['PRECONDITION_FAILED', 'channel'],
  320: ['CONNECTION_FORCED', 'connection'],
  501: ['FRAME_ERROR', 'connection'],
  502: ['SYNTAX_ERROR', 'connection'],
  503: ['COMMAND_INVALID', 'connection'],
  504: ['CHANNEL_ERROR', 'connection'],
  505: ['UNEXPECTED_FRAME', 'connection'],
  506: ['RESOURCE_ERROR', 'connection'],
  530: ['NOT_ALLOWED', 'connection'],
  540: ['NOT_IMPLEMENTED', 'connection'],
  541: ['INTERNAL_ERROR', 'connection'],
};

const placeholdersOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
const make = brokerError as (key: ErrorKey, parameters: Record<string, string>) => BrokerError;

describe('error registry', () => {
  for (const [key, entry] of Object.entries(errorRegistry)) {
    it(key, () => {
      const { code, name, scope, text, cause, hint } = entry;
      const known = codes[code];
      expect(known?.[0]).toBe(name);
      if (known?.[1] !== 'either') expect(scope).toBe(known?.[1]);
      if (code === 403 && scope === 'connection') expect(key).toBe('loginRefused');
      // Sentences of use to somebody who reads them, and a text that is part of a sentence.
      for (const sentence of [cause, hint]) expect(sentence).toMatch(/^[A-Za-z0-9].*[.)]$/s);
      expect(text).not.toMatch(/\n|^\s|\s$/);
      // Braces are placeholders and nothing else.
      expect(text.replace(/\{\w+\}/g, '')).not.toMatch(/[{}]/);
      const parameters = Object.fromEntries(placeholdersOf(text).map((each) => [each, `<${each}>`]));
      const error = make(key as ErrorKey, parameters);
      expect(error).toBeInstanceOf(BrokerError);
      expect(error.message).toBe(`${name} - ${text.replace(/\{(\w+)\}/g, '<$1>')}`);
      expect([error.key, error.code, error.codeName, error.scope]).toEqual([key, code, name, scope]);
    });
  }

  it('puts values in as they stand', () => {
    const hostile = "$& $1 {vhost} '\n";
    expect(brokerError('queueNotFound', { queue: hostile, vhost: '/' }).message).toBe(
      `NOT_FOUND - no queue '${hostile}' in vhost '/'`,
    );
    expect(brokerError('unknownDeliveryTag', { tag: 7 }).message).toBe('PRECONDITION_FAILED - unknown delivery tag 7');
  });

  it('has the texts that clients and their users know', () => {
    const texts = Object.fromEntries(Object.entries(errorRegistry).map(([key, { text }]) => [key, text]));
    expect(texts['exclusiveConsumer']).toBe("queue '{queue}' in vhost '{vhost}' in exclusive use");
    expect(texts['inequivalent']).toBe(
      "inequivalent arg '{argument}' for {kind} '{name}' in vhost '{vhost}': received {received} but current is {current}",
    );
    expect(texts['resourceLocked']).toMatch(
      /^cannot obtain exclusive access to locked queue '\{queue\}' in vhost '\{vhost\}'/,
    );
    expect(texts['accessRefused']).toBe(
      "{permission} access to {kind} '{name}' in vhost '{vhost}' refused for user '{user}'",
    );
  });
});
