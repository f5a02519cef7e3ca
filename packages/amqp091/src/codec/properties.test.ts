import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodecError } from './errors.js';
import { fieldTable } from './field-value.js';
import { type BasicProperties, decodeProperties, encodeProperties, HEADERS_FLAG, PROPERTIES } from './properties.js';
import { type PropertyChanges, rewriteProperties } from './property-edit.js';
import { PropertyScan, scanProperties } from './property-scan.js';
import { decodeTable, encodeTable } from './table.js';
import { editTable } from './table-scan.js';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const headers = fc.dictionary(text, fc.oneof(fc.integer(), text, fc.constant(null), fc.array(text))).map(fieldTable);
const model = {
  contentType: text,
  contentEncoding: text,
  headers,
  deliveryMode: fc.nat(255),
  priority: fc.nat(255),
  correlationId: text,
  replyTo: text,
  expiration: text,
  messageId: text,
  timestamp: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })),
  type: text,
  userId: text,
  appId: text,
  clusterId: text,
};
const anyProperties = fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<BasicProperties>;

describe('any properties', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(anyProperties, fc.uint8Array(), (properties, around) => {
        const bytes = encodeProperties(properties);
        expect(decodeProperties(bytes)).toEqual(properties);
        const inside = Buffer.concat([around, bytes, around]);
        expect(decodeProperties(inside, around.length, around.length + bytes.length)).toEqual(properties);
      }),
    );
  });

  test('are scanned as they would be decoded, with nothing left from the scan before', () => {
    const scan = new PropertyScan();
    fc.assert(
      fc.property(anyProperties, fc.uint8Array({ maxLength: 9 }), (properties, around) => {
        const bytes = Buffer.concat([around, encodeProperties(properties), around]);
        scanProperties(bytes, around.length, bytes.length - around.length, scan);
        expect(found(bytes, scan)).toEqual({
          flags: PROPERTIES.reduce((flags, [name, flag]) => (properties[name] === undefined ? flags : flags | flag), 0),
          deliveryMode: properties.deliveryMode ?? 0,
          priority: properties.priority ?? -1,
          headers: properties.headers,
          replyTo: properties.replyTo,
          expiration: properties.expiration,
          userId: properties.userId,
        });
      }),
    );
  });

  test('are rewritten as if they were decoded, changed and encoded', () => {
    const anyChanges = fc.record(
      Object.fromEntries(
        Object.entries(model).map(([name, value]) => [name, fc.option(value as fc.Arbitrary<unknown>)]),
      ),
      { requiredKeys: [] },
    ) as fc.Arbitrary<PropertyChanges>;
    fc.assert(
      fc.property(anyProperties, anyChanges, (properties, changes) => {
        const bytes = encodeProperties(properties);
        const wanted: { [name: string]: unknown } = { ...properties };
        for (const [name, change] of Object.entries(changes)) {
          if (change === null) delete wanted[name];
          else wanted[name] = change;
        }
        expect(rewriteProperties(bytes, 0, bytes.length, changes)).toEqual(encodeProperties(wanted));
      }),
    );
  });
});

test('headers are stripped without touching the rest', () => {
  const bytes = encodeProperties({ contentType: 'text/plain', headers: fieldTable({ BCC: ['a'], n: 1 }), appId: 'x' });
  const scan = new PropertyScan();
  scanProperties(bytes, 0, bytes.length, scan);
  const entries = editTable(bytes, scan.headersStart, scan.headersEnd, ['BCC']);
  const stripped = rewriteProperties(bytes, 0, bytes.length, { headers: entries });
  expect(decodeProperties(stripped)).toEqual({ contentType: 'text/plain', headers: fieldTable({ n: 1 }), appId: 'x' });
  expect(entries).toEqual(encodeTable(fieldTable({ n: 1 })));
});

test.each([
  ['no flags', ''],
  ['half the flags', '80'],
  ['another flag word', '0001' + '0000'],
  ['a flag that stands for nothing', '0002'],
  ['a string without its length', '8000'],
  ['a string cut', '80000561'],
  ['a table without its length', '2000000000'],
  ['a table past the end', '200000000001'],
  ['a table with an unknown type', '200000000003016b5a'],
  ['a table whose entry passes its end', '3000000000030161530000'],
  ['a delivery mode missing', '1000'],
  ['a timestamp cut', '004000000000000000'],
  ['a byte too many', '100002ff'],
])('%s is refused', (_, hex) => {
  const bytes = Buffer.from(hex, 'hex');
  // What follows in the buffer belongs to somebody else.
  const padded = Buffer.concat([bytes, Buffer.alloc(300)]);
  for (const buf of [bytes, padded]) {
    expect(() => decodeProperties(buf, 0, bytes.length)).toThrow(CodecError);
    expect(() => scanProperties(buf, 0, bytes.length, new PropertyScan())).toThrow(CodecError);
  }
});

test('scanning and decoding agree on any bytes', () => {
  const flags = fc.integer({ min: 0, max: 0xffff });
  const outcome = (act: () => unknown) => {
    try {
      act();
      return 'accepted';
    } catch (error) {
      return error instanceof CodecError ? 'refused' : `thrown: ${error}`;
    }
  };
  fc.assert(
    fc.property(flags, fc.uint8Array({ maxLength: 40 }), (word, rest) => {
      const bytes = Buffer.concat([Buffer.from([word >> 8, word & 0xfc]), rest]);
      const decoded = outcome(() => decodeProperties(bytes));
      expect(outcome(() => scanProperties(bytes, 0, bytes.length, new PropertyScan()))).toBe(decoded);
      if (decoded === 'accepted') expect(rewriteProperties(bytes, 0, bytes.length, {})).toEqual(bytes);
    }),
    { numRuns: 3000 },
  );
});

test('what cannot be written is a CodecError', () => {
  expect(() => encodeProperties({ replyTo: 'x'.repeat(256) })).toThrow(CodecError);
  expect(() => encodeProperties({ timestamp: -1 })).toThrow(CodecError);
  expect(() => rewriteProperties(Buffer.from('0000', 'hex'), 0, 2, { userId: 'x'.repeat(256) })).toThrow(CodecError);
});

function found(bytes: Buffer, scan: PropertyScan): object {
  const string = (start: number, end: number) => (start < 0 ? undefined : bytes.toString('utf8', start, end));
  expect((scan.flags & HEADERS_FLAG) !== 0).toBe(scan.headersStart >= 0);
  return {
    flags: scan.flags,
    deliveryMode: scan.deliveryMode,
    priority: scan.priority,
    headers: scan.headersStart < 0 ? undefined : decodeTable(bytes, scan.headersStart, scan.headersEnd),
    replyTo: string(scan.replyToStart, scan.replyToEnd),
    expiration: string(scan.expirationStart, scan.expirationEnd),
    userId: string(scan.userIdStart, scan.userIdEnd),
  };
}
