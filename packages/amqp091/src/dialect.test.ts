import { Address, DIALECT_AMQP091, Message } from '@chapar/core';
import { describe, expect, test } from 'vitest';
import { type BasicProperties, decodeProperties, encodeProperties, fieldTable, Timestamp } from './codec/index.js';
import { amqp091Dialect, propertiesOfJson } from './dialect.js';

function message(properties: BasicProperties): Message {
  const bytes = encodeProperties(properties);
  const { length } = bytes;
  return new Message(new Address('e', 'k'), DIALECT_AMQP091, false, -1, -1, bytes, 0, length, length, length, null, 0);
}

describe('what the core sees of a message', () => {
  test('headers', () => {
    expect(amqp091Dialect.headers(message({ deliveryMode: 2 }))).toEqual({});
    const headers = fieldTable({ colour: 'red', at: new Timestamp(5) });
    expect(amqp091Dialect.headers(message({ headers, replyTo: 'r' }))).toEqual({
      colour: 'red',
      at: { $timestamp: 5 },
    });
  });

  test('properties by the names of the management API', () => {
    const described = amqp091Dialect.describe(
      message({ contentType: 'text/plain', deliveryMode: 2, timestamp: 5, headers: fieldTable({ n: 1 }) }),
    );
    expect(described).toEqual({ content_type: 'text/plain', delivery_mode: 2, timestamp: 5, headers: { n: 1 } });
  });
});

describe('properties from JSON', () => {
  test('as the management API has them', () => {
    const json = {
      content_type: 'text/plain',
      delivery_mode: 2,
      priority: 9,
      timestamp: 5.9,
      headers: { a: [1, 'b'] },
    };
    expect(decodeProperties(propertiesOfJson(json))).toEqual({
      contentType: 'text/plain',
      deliveryMode: 2,
      priority: 9,
      timestamp: 5,
      headers: fieldTable({ a: [1, 'b'] }),
    });
  });

  test.each([
    [{ colour: 'red' }, "'colour' is not a property"],
    [{ constructor: 'x' }, "'constructor' is not a property"],
    [{ contentType: 'x' }, "'contentType' is not a property"],
    [{ __proto__x: 'x' }, 'is not a property'],
    [{ content_type: 5 }, "property 'content_type' cannot be 5"],
    [{ content_type: 'x'.repeat(256) }, "property 'content_type' cannot be"],
    [{ priority: 256 }, "property 'priority' cannot be 256"],
    [{ timestamp: -1 }, "property 'timestamp' cannot be -1"],
    [{ timestamp: 1e300 }, "property 'timestamp' cannot be 1e+300"],
    [{ headers: [] }, "property 'headers' cannot be []"],
    [{ headers: { ['k'.repeat(256)]: 1 } }, 'a short string holds 255 bytes'],
    [{ headers: { a: { $integer: 'abc' } } }, '$integer cannot be "abc"'],
    [{ headers: JSON.parse(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`) }, 'nested deeper'],
  ])('%o is a RangeError', (json, text) => {
    expect(() => propertiesOfJson(json)).toThrow(RangeError);
    expect(() => propertiesOfJson(json)).toThrow(text);
  });
});
