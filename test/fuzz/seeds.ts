import {
  type BasicProperties,
  BinaryString,
  Decimal,
  type FieldTable,
  Float,
  fieldTable,
  METHODS,
  type MethodInput,
  Timestamp,
} from '../../packages/amqp091/src/codec/index.js';

const VALUES = {
  bit: () => true,
  octet: () => 9,
  short: () => 258,
  long: () => 131_072,
  longlong: () => 2 ** 40,
  text: () => 'amq.\u00fc',
  shortstr: () => 'a.b.c',
  longstr: () => Buffer.from('\0guest\0guest'),
  table: () => fieldTable({ k: 1 }),
};

/** Well-formed input to be damaged: every type, nested and at its limits. */
export const SEED_TABLES: readonly FieldTable[] = [
  fieldTable(),
  fieldTable({ s: 'text', u: '\u{1f407}', n: null, t: true, f: false, i: -1, l: 2 ** 40, b: 2n ** 60n, d: 0.1 }),
  fieldTable({ x: Buffer.from([0, 255]), S: new BinaryString(Buffer.from([255])), F: new Float(3) }),
  fieldTable({ T: new Timestamp(1_700_000_000), D: new Decimal(2, 125) }),
  fieldTable({ a: [1, 'two', [3, [4, []]], fieldTable({ five: [fieldTable()] })] }),
  fieldTable({ __proto__x: 1, constructor: 'c', '0': 0, '': '', toString: [] }),
  nested(32),
  fieldTable({ 'x-death': [fieldTable({ queue: 'q', reason: 'expired', count: 3n, time: new Timestamp(1) })] }),
  fieldTable(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key-${i}`, i % 2 ? i : `value ${i}`]))),
];

export const SEED_PROPERTIES: readonly BasicProperties[] = [
  {},
  { deliveryMode: 2 },
  { contentType: 'text/plain', deliveryMode: 1, priority: 9, expiration: '60000', replyTo: 'amq.rabbitmq.reply-to' },
  { contentType: 'a', contentEncoding: 'b', correlationId: 'c', messageId: 'd', type: 'e', userId: 'f', appId: 'g' },
  { timestamp: 2n ** 63n, clusterId: 'c', userId: 'guest' },
  ...SEED_TABLES.map((headers) => ({ headers, deliveryMode: 2, replyTo: 'x', expiration: '1', userId: 'guest' })),
];

/** Each method once with everything set, those with a table once for each table. */
export const SEED_METHODS: readonly MethodInput[] = METHODS.flatMap(([name, , , fields]) => {
  const values = Object.fromEntries(Object.entries(fields).map(([field, kind]) => [field, VALUES[kind]()]));
  const table = Object.entries(fields).find(([, kind]) => kind === 'table')?.[0];
  if (table === undefined) return [{ name, ...values } as MethodInput];
  return SEED_TABLES.map((value) => ({ name, ...values, [table]: value }) as MethodInput);
});

function nested(depth: number): FieldTable {
  let table = fieldTable({ end: null });
  for (let i = 1; i < depth; i++) table = i % 2 === 0 ? fieldTable({ t: table }) : fieldTable({ a: [table] });
  return table;
}
