// Throws bytes at the AMQP 0-9-1 codec. Whatever they are: nothing but a CodecError comes out, what is decoded is no
// larger than its bytes explain, and the ways to look at the same bytes agree with each other.
import assert from 'node:assert/strict';
import {
  CodecError,
  checkTable,
  decodeMethod,
  decodeProperties,
  decodeTable,
  editTable,
  encodeMethod,
  encodeProperties,
  encodeTable,
  equalFieldValue,
  type FieldTable,
  type FieldValue,
  FRAME_HEADER_BYTES,
  findTableValue,
  isFieldTable,
  type MethodInput,
  PropertyScan,
  rewriteProperties,
  scanProperties,
} from '../../packages/amqp091/src/codec/index.js';
import { mutate, type Random, randomBytes, seeded } from './mutate.js';
import { SEED_METHODS, SEED_PROPERTIES, SEED_TABLES } from './seeds.js';

export interface FuzzResult {
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  /** Growth of the heap while it ran, bytes. */
  readonly heapGrowthBytes: number;
}

interface Target {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** Decodes `buf[start..end)`, checks what came out and throws CodecError when the bytes are refused. */
  readonly run: (buf: Buffer, start: number, end: number) => void;
}

/** More than any of these targets may keep alive: each input is a few KiB and nothing of it stays. */
const HEAP_GROWTH_BYTES_MAX = 256 * 1024 * 1024;
const INPUT_BYTES_MAX = 8192;

const TARGETS: readonly Target[] = [
  { name: 'methods', seeds: methodSeeds(), run: fuzzMethod },
  { name: 'properties', seeds: SEED_PROPERTIES.map(encodeProperties), run: fuzzProperties },
  { name: 'tables', seeds: SEED_TABLES.map(encodeTable), run: fuzzTable },
];

/** Runs for `seconds`; throws with the input in hex when anything but a refusal comes out. */
export function runFuzz(seconds: number, seed: number): FuzzResult {
  const random = seeded(seed);
  const heapAtStart = process.memoryUsage().heapUsed;
  const deadline = Date.now() + seconds * 1000;
  let [inputs, accepted, heapMax] = [0, 0, 0];
  do {
    for (const target of TARGETS) {
      for (let i = 0; i < 100; i++, inputs++) if (accepts(target, random, seed)) accepted++;
    }
    heapMax = Math.max(heapMax, process.memoryUsage().heapUsed);
    assert.ok(heapMax - heapAtStart < HEAP_GROWTH_BYTES_MAX, `the heap grew by ${heapMax - heapAtStart} bytes`);
  } while (Date.now() < deadline);
  const heapGrowthBytes = Math.max(0, heapMax - heapAtStart);
  return { seed, inputs, accepted, refused: inputs - accepted, heapGrowthBytes };
}

function accepts(target: Target, random: Random, seed: number): boolean {
  const input =
    random() < 0.15 ? randomBytes(random, 200) : mutate(random, pick(random, target.seeds), INPUT_BYTES_MAX);
  // In the middle of bytes of others, as in a chunk from a socket.
  const start = Math.floor(random() * 16);
  const buf = Buffer.concat([randomBytes(random, start, start), input, randomBytes(random, 16)]);
  try {
    target.run(buf, start, start + input.length);
    return true;
  } catch (error) {
    if (error instanceof CodecError) return false;
    throw new Error(`${target.name}, seed ${seed}, input ${input.toString('hex')}: ${error}`, { cause: error });
  }
}

function fuzzMethod(buf: Buffer, start: number, end: number): void {
  const method = decodeMethod(buf, start, end);
  assert.ok(nodes(Object.values(method) as FieldValue[]) <= end - start + 16, 'more values than bytes');
  const frame = encodeMethod(1, method as MethodInput);
  const again = decodeMethod(frame, FRAME_HEADER_BYTES, frame.length - 1);
  assert.ok(equalFields(again, method), 'decoded, encoded and decoded again it is another method');
}

const scan = new PropertyScan();

function fuzzProperties(buf: Buffer, start: number, end: number): void {
  const scanned = refusal(() => scanProperties(buf, start, end, scan));
  const decoded = refusal(() => decodeProperties(buf, start, end));
  assert.equal(scanned === null, decoded === null, `scanned: ${scanned?.message}, decoded: ${decoded?.message}`);
  if (decoded !== null) throw decoded;
  const properties = decodeProperties(buf, start, end);
  assert.equal(scan.deliveryMode, properties.deliveryMode ?? 0);
  assert.equal(scan.priority, properties.priority ?? -1);
  assert.equal(stringAt(buf, scan.replyToStart, scan.replyToEnd), properties.replyTo);
  assert.equal(stringAt(buf, scan.expirationStart, scan.expirationEnd), properties.expiration);
  assert.equal(stringAt(buf, scan.userIdStart, scan.userIdEnd), properties.userId);
  if (scan.headersStart >= 0) fuzzTable(buf, scan.headersStart, scan.headersEnd);
  assert.ok(rewriteProperties(buf, start, end, {}).equals(buf.subarray(start, end)), 'rewritten without a change');
  const changed = { replyTo: 'r', headers: null };
  const bytes = rewriteProperties(buf, start, end, changed);
  const { headers: _headers, ...rest } = properties;
  assert.ok(equalFields(decodeProperties(bytes), { ...rest, replyTo: 'r' }), 'rewritten with changes');
}

function fuzzTable(buf: Buffer, start: number, end: number): void {
  const checked = refusal(() => checkTable(buf, start, end));
  const decoded = refusal(() => decodeTable(buf, start, end));
  assert.equal(checked === null, decoded === null, `checked: ${checked?.message}, decoded: ${decoded?.message}`);
  if (decoded !== null) throw decoded;
  const table = decodeTable(buf, start, end);
  assert.equal(Object.getPrototypeOf(table), null);
  assert.ok(nodes(table) <= end - start + 1, 'more values than bytes');
  for (const key of Object.keys(table).slice(0, 3)) fuzzKey(buf, start, end, table, key);
  const encoded = refusal(() => encodeTable(table));
  // A key that was not UTF-8 has grown: up to three bytes for one.
  if (encoded !== null) assert.match(encoded.message, /a short string holds 255 bytes/);
  else assert.ok(equalFieldValue(decodeTable(encodeTable(table)), table), 'decoded, encoded and decoded again');
}

function fuzzKey(buf: Buffer, start: number, end: number, table: FieldTable, key: string): void {
  if (key.includes('\ufffd')) return;
  assert.ok(equalFieldValue(findTableValue(buf, start, end, key), table[key]), `found another value of ${key}`);
  const edited = editTable(buf, start, end, [key]);
  assert.equal(findTableValue(edited, 0, edited.length, key), undefined);
}

/** The CodecError that `act` throws, or null; anything else passes through. */
function refusal(act: () => unknown): CodecError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof CodecError) return error;
    throw error;
  }
}

/** How many values there are in a value. */
function nodes(value: FieldValue): number {
  if (Array.isArray(value)) return value.reduce((sum: number, inner) => sum + nodes(inner), 1);
  return isFieldTable(value) ? nodes(Object.values(value)) : 1;
}

function equalFields(a: object, b: object): boolean {
  return equalFieldValue({ ...a } as FieldTable, { ...b } as FieldTable);
}

function stringAt(buf: Buffer, start: number, end: number): string | undefined {
  return start < 0 ? undefined : buf.toString('utf8', start, end);
}

function methodSeeds(): Buffer[] {
  return SEED_METHODS.map((method) => {
    const frame = encodeMethod(0, method);
    return frame.subarray(FRAME_HEADER_BYTES, frame.length - 1);
  });
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}
