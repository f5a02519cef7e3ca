// Every method of AMQP 0-9-1 as RabbitMQ speaks it: name, class id, method id, fields in the order of the wire.
// `text` is a short string that must be UTF-8; `shortstr` may be any bytes (RabbitMQ checks neither the exchange nor
// the routing key of a message in flight). Neighbouring bits share an octet, the first in the lowest bit.

export type FieldKind = 'bit' | 'octet' | 'short' | 'long' | 'longlong' | 'text' | 'shortstr' | 'longstr' | 'table';

// biome-ignore format: a method a line
export const METHODS = [
  ['connection.start', 10, 10, { versionMajor: 'octet', versionMinor: 'octet', serverProperties: 'table', mechanisms: 'longstr', locales: 'longstr' }],
  ['connection.start-ok', 10, 11, { clientProperties: 'table', mechanism: 'text', response: 'longstr', locale: 'text' }],
  ['connection.secure', 10, 20, { challenge: 'longstr' }],
  ['connection.secure-ok', 10, 21, { response: 'longstr' }],
  ['connection.tune', 10, 30, { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }],
  ['connection.tune-ok', 10, 31, { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }],
  ['connection.open', 10, 40, { virtualHost: 'text', capabilities: 'text', insist: 'bit' }],
  ['connection.open-ok', 10, 41, { knownHosts: 'text' }],
  ['connection.close', 10, 50, { replyCode: 'short', replyText: 'text', classId: 'short', methodId: 'short' }],
  ['connection.close-ok', 10, 51, {}],
  ['connection.blocked', 10, 60, { reason: 'text' }],
  ['connection.unblocked', 10, 61, {}],
  ['connection.update-secret', 10, 70, { newSecret: 'longstr', reason: 'text' }],
  ['connection.update-secret-ok', 10, 71, {}],
  ['channel.open', 20, 10, { outOfBand: 'text' }],
  ['channel.open-ok', 20, 11, { channelId: 'longstr' }],
  ['channel.flow', 20, 20, { active: 'bit' }],
  ['channel.flow-ok', 20, 21, { active: 'bit' }],
  ['channel.close', 20, 40, { replyCode: 'short', replyText: 'text', classId: 'short', methodId: 'short' }],
  ['channel.close-ok', 20, 41, {}],
  ['access.request', 30, 10, { realm: 'text', exclusive: 'bit', passive: 'bit', active: 'bit', write: 'bit', read: 'bit' }],
  ['access.request-ok', 30, 11, { ticket: 'short' }],
  ['exchange.declare', 40, 10, { ticket: 'short', exchange: 'text', type: 'text', passive: 'bit', durable: 'bit', autoDelete: 'bit', internal: 'bit', noWait: 'bit', arguments: 'table' }],
  ['exchange.declare-ok', 40, 11, {}],
  ['exchange.delete', 40, 20, { ticket: 'short', exchange: 'text', ifUnused: 'bit', noWait: 'bit' }],
  ['exchange.delete-ok', 40, 21, {}],
  ['exchange.bind', 40, 30, { ticket: 'short', destination: 'text', source: 'text', routingKey: 'text', noWait: 'bit', arguments: 'table' }],
  ['exchange.bind-ok', 40, 31, {}],
  ['exchange.unbind', 40, 40, { ticket: 'short', destination: 'text', source: 'text', routingKey: 'text', noWait: 'bit', arguments: 'table' }],
  ['exchange.unbind-ok', 40, 51, {}],
  ['queue.declare', 50, 10, { ticket: 'short', queue: 'text', passive: 'bit', durable: 'bit', exclusive: 'bit', autoDelete: 'bit', noWait: 'bit', arguments: 'table' }],
  ['queue.declare-ok', 50, 11, { queue: 'text', messageCount: 'long', consumerCount: 'long' }],
  ['queue.bind', 50, 20, { ticket: 'short', queue: 'text', exchange: 'text', routingKey: 'text', noWait: 'bit', arguments: 'table' }],
  ['queue.bind-ok', 50, 21, {}],
  ['queue.purge', 50, 30, { ticket: 'short', queue: 'text', noWait: 'bit' }],
  ['queue.purge-ok', 50, 31, { messageCount: 'long' }],
  ['queue.delete', 50, 40, { ticket: 'short', queue: 'text', ifUnused: 'bit', ifEmpty: 'bit', noWait: 'bit' }],
  ['queue.delete-ok', 50, 41, { messageCount: 'long' }],
  ['queue.unbind', 50, 50, { ticket: 'short', queue: 'text', exchange: 'text', routingKey: 'text', arguments: 'table' }],
  ['queue.unbind-ok', 50, 51, {}],
  ['basic.qos', 60, 10, { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' }],
  ['basic.qos-ok', 60, 11, {}],
  ['basic.consume', 60, 20, { ticket: 'short', queue: 'text', consumerTag: 'text', noLocal: 'bit', noAck: 'bit', exclusive: 'bit', noWait: 'bit', arguments: 'table' }],
  ['basic.consume-ok', 60, 21, { consumerTag: 'text' }],
  ['basic.cancel', 60, 30, { consumerTag: 'text', noWait: 'bit' }],
  ['basic.cancel-ok', 60, 31, { consumerTag: 'text' }],
  ['basic.publish', 60, 40, { ticket: 'short', exchange: 'shortstr', routingKey: 'shortstr', mandatory: 'bit', immediate: 'bit' }],
  ['basic.return', 60, 50, { replyCode: 'short', replyText: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr' }],
  ['basic.deliver', 60, 60, { consumerTag: 'shortstr', deliveryTag: 'longlong', redelivered: 'bit', exchange: 'shortstr', routingKey: 'shortstr' }],
  ['basic.get', 60, 70, { ticket: 'short', queue: 'text', noAck: 'bit' }],
  ['basic.get-ok', 60, 71, { deliveryTag: 'longlong', redelivered: 'bit', exchange: 'shortstr', routingKey: 'shortstr', messageCount: 'long' }],
  ['basic.get-empty', 60, 72, { clusterId: 'text' }],
  ['basic.ack', 60, 80, { deliveryTag: 'longlong', multiple: 'bit' }],
  ['basic.reject', 60, 90, { deliveryTag: 'longlong', requeue: 'bit' }],
  ['basic.recover-async', 60, 100, { requeue: 'bit' }],
  ['basic.recover', 60, 110, { requeue: 'bit' }],
  ['basic.recover-ok', 60, 111, {}],
  ['basic.nack', 60, 120, { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' }],
  ['confirm.select', 85, 10, { noWait: 'bit' }],
  ['confirm.select-ok', 85, 11, {}],
  ['tx.select', 90, 10, {}],
  ['tx.select-ok', 90, 11, {}],
  ['tx.commit', 90, 20, {}],
  ['tx.commit-ok', 90, 21, {}],
  ['tx.rollback', 90, 30, {}],
  ['tx.rollback-ok', 90, 31, {}],
] as const satisfies readonly (readonly [
  name: string,
  classId: number,
  methodId: number,
  fields: { readonly [field: string]: FieldKind },
])[];

type Row = (typeof METHODS)[number];

/** `'queue.declare'`, `'basic.get-ok'`, ... */
export type MethodName = Row[0];

type Dashed<S extends string> = S extends `${infer A}-${infer B}` ? `${A}_${Dashed<B>}` : S;
type Constant<S extends string> = S extends `${infer A}.${infer B}` ? Uppercase<`${A}_${Dashed<B>}`> : never;

/** The id of each method, class id << 16 | method id, under its name: `METHOD.BASIC_GET_OK`. */
export const METHOD = Object.freeze(
  Object.fromEntries(METHODS.map(([name, classId, methodId]) => [constantName(name), (classId << 16) | methodId])),
) as { readonly [Name in MethodName as Constant<Name>]: number };

function constantName(name: string): string {
  return name.replace(/[.-]/g, '_').toUpperCase();
}
