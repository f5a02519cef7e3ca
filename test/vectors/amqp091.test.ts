import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type BasicProperties,
  CodecError,
  checkTable,
  decodeMethod,
  decodeProperties,
  decodeTable,
  encodeMethod,
  encodeProperties,
  encodeTable,
  type FieldTable,
  FRAME_HEADER_BYTES,
  METHOD,
  type MethodInput,
  PropertyScan,
  scanProperties,
} from '../../packages/amqp091/src/codec/index.js';
import { revive } from './revive.js';

interface Pika {
  source: string;
  channel: number;
  methods: { name: string; id: number; fields: object; hex: string }[];
  properties: { fields: object; hex: string }[];
  tables: { value: object; hex: string }[];
}
interface Tables {
  tables: ({ why: string; hex: string } & ({ value: object } | { error: string }))[];
}

const pika: Pika = load('amqp091-pika.json');
const byHand: Tables = load('amqp091-tables.json');

describe(`methods as ${pika.source} encodes them`, () => {
  test('are all the methods there are', () => {
    expect(new Set(pika.methods.map(({ id }) => id))).toEqual(new Set(Object.values(METHOD)));
  });

  test.each(pika.methods)('$name $hex', ({ name, id, fields, hex }) => {
    const frame = Buffer.from(hex, 'hex');
    const wanted = revive(fields) as object;
    const end = frame.length - 1;
    expect(decodeMethod(frame, FRAME_HEADER_BYTES, end)).toEqual({ id, name, ...wanted });
    expect(encodeMethod(pika.channel, { name, ...wanted } as MethodInput).toString('hex')).toBe(hex);
    for (let cut = FRAME_HEADER_BYTES; cut < end; cut++) {
      expect(() => decodeMethod(frame, FRAME_HEADER_BYTES, cut), `cut at ${cut}`).toThrow(CodecError);
    }
    expect(() => decodeMethod(frame, FRAME_HEADER_BYTES, end + 1)).toThrow(/after its arguments/);
  });
});

describe(`properties as ${pika.source} encodes them`, () => {
  test.each(pika.properties)('$hex', ({ fields, hex }) => {
    const bytes = Buffer.from(hex, 'hex');
    const wanted = revive(fields) as BasicProperties;
    expect(decodeProperties(bytes)).toEqual({ ...wanted });
    expect(encodeProperties(wanted).toString('hex')).toBe(hex);
    const scan = new PropertyScan();
    scanProperties(bytes, 0, bytes.length, scan);
    expect([scan.deliveryMode, scan.priority]).toEqual([wanted.deliveryMode ?? 0, wanted.priority ?? -1]);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeProperties(bytes, 0, cut), `cut at ${cut}`).toThrow(CodecError);
      expect(() => scanProperties(bytes, 0, cut, scan), `cut at ${cut}`).toThrow(CodecError);
    }
  });
});

describe('tables', () => {
  test.each(pika.tables)(`as ${pika.source} encodes them: $hex`, ({ value, hex }) => {
    const wanted = revive(value) as FieldTable;
    expect(decodeTable(Buffer.from(hex, 'hex'))).toEqual(wanted);
    // Keys like '1' come first in a JavaScript object, and pika writes negative 64-bit integers under L instead of l.
    if ('1' in value || 'least' in value) expect(decodeTable(encodeTable(wanted))).toEqual(wanted);
    else expect(encodeTable(wanted).toString('hex')).toBe(hex);
    decodeAtEveryCut(hex);
  });

  test.each(byHand.tables)('by hand, $why: $hex', ({ hex, ...wanted }) => {
    const bytes = Buffer.from(hex, 'hex');
    if ('error' in wanted) {
      expect(() => decodeTable(bytes), wanted.error).toThrow(CodecError);
      expect(() => checkTable(bytes, 0, bytes.length), wanted.error).toThrow(CodecError);
    } else {
      const value = revive(wanted.value) as FieldTable;
      expect(decodeTable(bytes)).toEqual(value);
      expect(() => checkTable(bytes, 0, bytes.length)).not.toThrow();
      expect(decodeTable(encodeTable(value))).toEqual(value);
    }
    decodeAtEveryCut(hex);
  });
});

/** A table has no count, so a cut between two entries leaves a table; anywhere else it is an error of ours alone. */
function decodeAtEveryCut(hex: string): void {
  const bytes = Buffer.from(hex, 'hex');
  for (let cut = 0; cut < bytes.length; cut++) {
    try {
      const begun = decodeTable(bytes, 0, cut);
      expect(decodeTable(encodeTable(begun))).toEqual(begun);
    } catch (error) {
      expect(error).toBeInstanceOf(CodecError);
    }
  }
}

function load<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as T;
}
