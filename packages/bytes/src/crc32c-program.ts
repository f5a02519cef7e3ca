/**
 * The loop of CRC-32C as a WebAssembly module, put together here by hand: sixteen bytes a step as in the JavaScript beside it, but with whole
 * words read at once, and with what depends on the step before added last. It has a memory of its own, whose first bytes are the tables.
 *
 * Module: `crc(at: i32, end: i32, seed: i32) -> i32` and `memory`.
 */
export function crc32cProgram(memoryPages: number): Uint8Array<ArrayBuffer> {
  const code = [...uint(2), ...[...uint(1), I32], ...[...uint(1), I64], ...body()];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x60, 3, I32, I32, I32, 1, I32]),
    ...section(3, [0]),
    ...section(5, [1, ...uint(memoryPages), ...uint(memoryPages)]),
    ...section(7, [...named('crc'), 0, 0], [...named('memory'), 2, 0]),
    ...section(10, [...uint(code.length), ...code]),
  ]);
}

const I32 = 0x7f;
const I64 = 0x7e;

// Locals: the three parameters, then the first word of a step with the checksum so far, and a double word of it.
const AT = 0;
const END = 1;
const CRC = 2;
const LOW = 3;
const LONG = 4;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, ...sint(value)];
const load32 = (offset: number): number[] => [0x28, 0, ...uint(offset)];
const load64 = (offset: number): number[] => [0x29, 0, ...uint(offset)];
const load8 = (offset: number): number[] => [0x2d, 0, ...uint(offset)];
const GREATER = 0x4b;
const AT_LEAST = 0x4f;
const ADD = 0x6a;
const AND = 0x71;
const XOR = 0x73;
const SHIFT_LEFT = 0x74;
const SHIFT_RIGHT = 0x76;
const SHIFT_RIGHT_64 = 0x88;
const WRAP = 0xa7;
const END_OF_BLOCK = 0x0b;

const bytesPerStep = 16;
const tableBytes = 1024;

function body(): number[] {
  const step = [
    ...[...get(AT), ...load32(0), ...get(CRC), XOR, ...set(LOW)],
    ...[...get(AT), ...load64(8), ...set(LONG)],
    ...sum([0, 1, 2, 3, 4, 5, 6, 7].map((byte) => lookUp64(byte, 7 - byte))),
    ...[...get(AT), ...load64(0), ...set(LONG)],
    ...[...sum([4, 5, 6, 7].map((byte) => lookUp64(byte, 15 - byte))), XOR],
    ...[...sum([0, 1, 2, 3].map((byte) => lookUp32(byte, 15 - byte))), XOR, ...set(CRC)],
  ];
  const single = [
    ...[...get(CRC), ...get(AT), ...load8(0), XOR, ...constant(0xff), AND, ...constant(2), SHIFT_LEFT, ...load32(0)],
    ...[...get(CRC), ...constant(8), SHIFT_RIGHT, XOR, ...set(CRC)],
  ];
  return [
    ...invert(),
    ...loop([...get(AT), ...constant(bytesPerStep), ADD, ...get(END), GREATER], step, bytesPerStep),
    ...loop([...get(AT), ...get(END), AT_LEAST], single, 1),
    ...[...invert(), ...get(CRC), END_OF_BLOCK],
  ];
}

function invert(): number[] {
  return [...get(CRC), ...constant(-1), XOR, ...set(CRC)];
}

/** `until` is asked before each round, which moves `AT` by so many bytes. */
function loop(until: number[], round: number[], bytes: number): number[] {
  const next = [...get(AT), ...constant(bytes), ADD, ...set(AT)];
  return [0x02, 0x40, 0x03, 0x40, ...until, 0x0d, 1, ...round, ...next, 0x0c, 0, END_OF_BLOCK, END_OF_BLOCK];
}

/** What the byte at `8 * byte` in `LOW` adds by this table. */
function lookUp32(byte: number, table: number): number[] {
  const offset =
    byte === 0 ? [...get(LOW), ...constant(2), SHIFT_LEFT] : [...get(LOW), ...constant(8 * byte - 2), SHIFT_RIGHT];
  return [...offset, ...constant(0x3fc), AND, ...load32(table * tableBytes)];
}

/** The same of `LONG`. */
function lookUp64(byte: number, table: number): number[] {
  const offset =
    byte === 0
      ? [...get(LONG), WRAP, ...constant(2), SHIFT_LEFT]
      : [...get(LONG), 0x42, ...sint(8 * byte - 2), SHIFT_RIGHT_64, WRAP];
  return [...offset, ...constant(0x3fc), AND, ...load32(table * tableBytes)];
}

/** By pairs, so that none waits for all before it. */
function sum(terms: number[][]): number[] {
  if (terms.length === 1) return terms[0]!;
  const half = terms.length / 2;
  return [...sum(terms.slice(0, half)), ...sum(terms.slice(half)), XOR];
}

function section(id: number, ...items: number[][]): number[] {
  const content = [...uint(items.length), ...items.flat()];
  return [id, ...uint(content.length), ...content];
}

function named(name: string): number[] {
  return [name.length, ...Buffer.from(name)];
}

function uint(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value & 0x7f), ...uint(value >>> 7)];
}

function sint(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [0x80 | (value & 0x7f), ...sint(value >> 7)];
}
