/**
 * Every error that a peer can see: code, text, cause and way out. `docs/errors.md` is generated from here, and a test provokes each.
 * Codes and classes: AMQP 0-9-1 §1.2 as RabbitMQ uses them; texts follow what the field's clients and their users know.
 */
interface Entry {
  readonly code: number;
  readonly name: string;
  readonly scope: 'channel' | 'connection';
  /** `{name}` stands for a parameter. */
  readonly text: string;
  readonly cause: string;
  readonly hint: string;
}

const channel = <T extends string>(code: number, name: string, text: T, cause: string, hint: string) =>
  ({ code, name, scope: 'channel', text, cause, hint }) as const;
const connection = <T extends string>(code: number, name: string, text: T, cause: string, hint: string) =>
  ({ code, name, scope: 'connection', text, cause, hint }) as const;

export const errorRegistry = {
  // ---- 404 -----------------------------------------------------------------------------------------------------
  queueNotFound: channel(
    404,
    'NOT_FOUND',
    "no queue '{queue}' in vhost '{vhost}'",
    'A queue was named that does not exist in this virtual host; for an empty name: none was declared on this channel.',
    'Declare the queue first, or check its name and the virtual host of the connection. Exclusive and auto-delete queues vanish with their connection or last consumer.',
  ),
  exchangeNotFound: channel(
    404,
    'NOT_FOUND',
    "no exchange '{exchange}' in vhost '{vhost}'",
    'An exchange was named that does not exist in this virtual host.',
    'Declare the exchange before publishing or binding to it, or check its name and the virtual host of the connection.',
  ),
  // ---- 403 -----------------------------------------------------------------------------------------------------
  accessRefused: channel(
    403,
    'ACCESS_REFUSED',
    "{permission} access to {kind} '{name}' in vhost '{vhost}' refused for user '{user}'",
    'The user has no permission whose pattern matches the name.',
    'An administrator grants it: chapar permissions set USER --vhost VHOST --configure RE --write RE --read RE.',
  ),
  topicAccessRefused: channel(
    403,
    'ACCESS_REFUSED',
    "{permission} access to topic '{routingKey}' in exchange '{exchange}' in vhost '{vhost}' refused for user '{user}'",
    "A topic permission is set for this user and exchange, and its pattern does not match the message's or binding's routing key.",
    'Change the topic permission of the user (PUT /api/topic-permissions/VHOST/USER), or the routing key.',
  ),
  loginRefused: connection(
    403,
    'ACCESS_REFUSED',
    'Login was refused using authentication mechanism {mechanism}. For details see the broker logfile.',
    'Unknown user, wrong password, or a user that may log in from the loopback interface only (guest).',
    "The broker's log names the reason. guest works from this machine only; make a user of your own for other machines: chapar user add NAME.",
  ),
  reservedName: channel(
    403,
    'ACCESS_REFUSED',
    "{kind} name '{name}' contains reserved prefix 'amq.*'",
    'Names that begin with amq. belong to the broker.',
    'Choose another name; for a server-named queue declare it with an empty name.',
  ),
  defaultExchange: channel(
    403,
    'ACCESS_REFUSED',
    'operation not permitted on the default exchange',
    'The default exchange cannot be declared, deleted, bound or unbound; every queue is reachable through it by its name.',
    'Publish to it with the queue name as the routing key, or use amq.direct where bindings are wanted.',
  ),
  internalExchange: channel(
    403,
    'ACCESS_REFUSED',
    "cannot publish to internal exchange '{exchange}' in vhost '{vhost}'",
    'The exchange was declared internal: it takes messages from other exchanges only.',
    'Publish to an exchange that is bound to it.',
  ),
  systemExchange: channel(
    403,
    'ACCESS_REFUSED',
    "deletion of system exchange '{exchange}' in vhost '{vhost}' not allowed",
    'The pre-declared exchanges amq.* stay.',
    'Delete the bindings instead.',
  ),
  exclusiveConsumer: channel(
    403,
    'ACCESS_REFUSED',
    "queue '{queue}' in vhost '{vhost}' in exclusive use",
    'Another consumer has the queue for itself, or this one asked for that while others consume.',
    'Wait for the other consumer to end, or consume without exclusive.',
  ),
  // ---- 405 -----------------------------------------------------------------------------------------------------
  resourceLocked: channel(
    405,
    'RESOURCE_LOCKED',
    "cannot obtain exclusive access to locked queue '{queue}' in vhost '{vhost}'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
    'The queue is exclusive to another connection, or exists and is not exclusive.',
    'Use a server-named queue (empty name) per connection, or wait until the other connection is gone.',
  ),
  // ---- 406 -----------------------------------------------------------------------------------------------------
  inequivalent: channel(
    406,
    'PRECONDITION_FAILED',
    "inequivalent arg '{argument}' for {kind} '{name}' in vhost '{vhost}': received {received} but current is {current}",
    'The queue or exchange exists with other properties than the ones declared now.',
    'Declare it as it is (or passively), or delete it first. Policies change most properties without a new declaration.',
  ),
  invalidArgument: channel(
    406,
    'PRECONDITION_FAILED',
    "invalid arg '{argument}' for {kind} '{name}' in vhost '{vhost}': {reason}",
    'An argument has a value that it cannot have.',
    'Use the type and range that the text names.',
  ),
  invalidProperty: channel(
    406,
    'PRECONDITION_FAILED',
    "invalid property '{property}' for {kind} '{name}' in vhost '{vhost}': {reason}",
    'Something is declared with properties that do not go together.',
    'Declare it as the text says.',
  ),
  unknownExchangeType: channel(
    406,
    'PRECONDITION_FAILED',
    "unknown exchange type '{type}'",
    'exchange.declare names a type that this broker does not have.',
    'Use direct, fanout, topic, headers or another type that docs/EXCHANGES.md names.',
  ),
  inUse: channel(
    406,
    'PRECONDITION_FAILED',
    "{kind} '{name}' in vhost '{vhost}' in use",
    'Deletion with if-unused, and there are consumers (queue) or bindings (exchange).',
    'Delete without if-unused, or end the use first.',
  ),
  notEmpty: channel(
    406,
    'PRECONDITION_FAILED',
    "queue '{queue}' in vhost '{vhost}' not empty",
    'Deletion with if-empty, and the queue holds messages.',
    'Purge or drain it first, or delete without if-empty.',
  ),
  unknownDeliveryTag: channel(
    406,
    'PRECONDITION_FAILED',
    'unknown delivery tag {tag}',
    'A delivery was settled that this channel does not hold: settled twice, delivered on another channel, or consumed with no-ack.',
    'Settle each delivery once, on the channel it came on; do not settle no-ack deliveries.',
  ),
  userIdMismatch: channel(
    406,
    'PRECONDITION_FAILED',
    "user_id property set to '{given}' but authenticated user was '{user}'",
    "The message claims another sender than the connection's user.",
    'Leave user-id out or set it to the user logged in; the tag impersonator permits others.',
  ),
  messageTooLarge: channel(
    406,
    'PRECONDITION_FAILED',
    'message size {bytes} is larger than configured max size {bytesMax}',
    'The body is larger than limits.maxMessageSize.',
    'Send smaller messages (a reference to the data), or raise limits.maxMessageSize (at most 512 MiB).',
  ),
  invalidExpiration: channel(
    406,
    'PRECONDITION_FAILED',
    "invalid expiration '{given}': expected a whole number of milliseconds from 0 to 315360000000 (ten years), as text",
    'The property expiration is a string of digits: the time to live in milliseconds.',
    'Set it to, say, "60000", or leave it out.',
  ),
  invalidCopies: channel(
    406,
    'PRECONDITION_FAILED',
    'unsupported value of header {header}: expected an array of strings of at most 255 bytes',
    'The headers CC and BCC name further routing keys of a message.',
    'Send an array of long strings, or leave the header out.',
  ),
  txRefused: channel(
    406,
    'PRECONDITION_FAILED',
    'partial tx completion: {count} of the messages were refused ({reason})',
    'Messages of a transaction could not be stored.',
    'See the log of the broker; publish them again.',
  ),
  confirmToTx: channel(
    406,
    'PRECONDITION_FAILED',
    'cannot switch from confirm to tx mode',
    'The channel is in confirm mode; the two exclude each other.',
    'Use another channel for transactions.',
  ),
  txToConfirm: channel(
    406,
    'PRECONDITION_FAILED',
    'cannot switch from tx to confirm mode',
    'The channel is transactional; the two exclude each other.',
    'Use another channel for publisher confirms.',
  ),
  notTransactional: channel(
    406,
    'PRECONDITION_FAILED',
    'channel is not transactional',
    'tx.commit or tx.rollback without tx.select.',
    'Send tx.select first.',
  ),
  replyConsumerExists: channel(
    406,
    'PRECONDITION_FAILED',
    'reply consumer already set',
    'A channel has at most one consumer of amq.rabbitmq.reply-to.',
    'Consume it once per channel.',
  ),
  replyConsumerAcknowledges: channel(
    406,
    'PRECONDITION_FAILED',
    'reply consumer cannot acknowledge',
    'amq.rabbitmq.reply-to was consumed without no-ack.',
    'Consume it with no-ack (auto-ack) set.',
  ),
  replyConsumerMissing: channel(
    406,
    'PRECONDITION_FAILED',
    'fast reply consumer does not exist',
    'A message has reply-to amq.rabbitmq.reply-to, and this channel consumes no replies.',
    'Consume amq.rabbitmq.reply-to on the same channel before publishing the request.',
  ),
  unsupportedQueueType: channel(
    406,
    'PRECONDITION_FAILED',
    "invalid arg 'x-queue-type' for queue '{queue}' in vhost '{vhost}': unsupported queue type '{type}': {reason}",
    'The argument x-queue-type names a type that this broker does not have.',
    'Leave x-queue-type out or use classic or quorum.',
  ),
  metadataUnavailable: channel(
    406,
    'PRECONDITION_FAILED',
    "the metadata store did not take the change of {kind} '{name}' in vhost '{vhost}': {reason}",
    'The store of declarations failed: disk full, disk failing, or (in a cluster) etcd out of reach.',
    'See the log of the broker; what exists goes on working meanwhile.',
  ),
  // ---- 530 -----------------------------------------------------------------------------------------------------
  vhostNotFound: connection(
    530,
    'NOT_ALLOWED',
    'vhost {vhost} not found',
    'The virtual host named in connection.open does not exist.',
    "Create it (PUT /api/vhosts/NAME), or correct the path of the URL: 'amqp://host/%2F' and 'amqp://host' mean '/', 'amqp://host/' means the virtual host with the empty name in many clients.",
  ),
  vhostRefused: connection(
    530,
    'NOT_ALLOWED',
    "access to vhost '{vhost}' refused for user '{user}'",
    'The user has no permissions in that virtual host.',
    'An administrator grants them: chapar permissions set USER --vhost VHOST.',
  ),
  connectionLimit: connection(
    530,
    'NOT_ALLOWED',
    'connection refused: {what} connection limit ({limit}) is reached',
    'A limit on connections of the node, virtual host or user is reached.',
    'Close connections, or raise limits.connectionMax, the vhost limit max-connections or the user limit max-connections.',
  ),
  channelLimit: connection(
    530,
    'NOT_ALLOWED',
    'number of channels opened ({count}) has reached the negotiated channel_max ({limit})',
    'The connection opens more channels than were negotiated.',
    'Close channels that are no longer used; raise limits.channelMax if so many are really needed.',
  ),
  userChannelLimit: connection(
    530,
    'NOT_ALLOWED',
    "number of channels opened for user '{user}' has reached the maximum allowed user limit of ({limit})",
    'The user limit max-channels is reached.',
    'Close channels, or raise the limit of the user.',
  ),
  queueLimit: channel(
    406,
    'PRECONDITION_FAILED',
    "cannot declare queue '{queue}' in vhost '{vhost}': queue limit in vhost '{vhost}' ({limit}) is reached",
    'The limit max-queues of the virtual host is reached.',
    'Delete queues that are no longer used, or raise the limit.',
  ),
  consumerTagReuse: connection(
    530,
    'NOT_ALLOWED',
    "attempt to reuse consumer tag '{tag}'",
    'The channel has a consumer of that tag.',
    'Leave the tag empty and the broker makes one, or cancel the other consumer first.',
  ),
  // ---- 540 -----------------------------------------------------------------------------------------------------
  immediate: connection(
    540,
    'NOT_IMPLEMENTED',
    'immediate=true',
    'basic.publish with immediate set; the field dropped it with AMQP 0-9-1.',
    'Publish without it; use a message time to live of 0 (expiration "0") for "deliver now or never".',
  ),
  prefetchSize: connection(
    540,
    'NOT_IMPLEMENTED',
    'prefetch_size!=0 ({bytes})',
    'basic.qos with a prefetch size in bytes.',
    'Set prefetch-size 0 and use prefetch-count.',
  ),
  recoverWithoutRequeue: connection(
    540,
    'NOT_IMPLEMENTED',
    'requeue=false',
    'basic.recover with requeue=false: redelivery to the same consumer.',
    'Use basic.recover with requeue=true.',
  ),
  tuneRefused: connection(
    530,
    'NOT_ALLOWED',
    'negotiated {what} = {value} is {relation} than the {bound} allowed value ({limit})',
    'connection.tune-ok asks for more than connection.tune offered, or for less than the protocol allows.',
    'Let the client take what the broker offers; frame-max is at least 4096.',
  ),
  inactiveFlow: connection(
    540,
    'NOT_IMPLEMENTED',
    'active=false',
    'channel.flow with active=false: a client asked the broker to stop delivering.',
    'Use basic.qos with a prefetch count, or basic.cancel.',
  ),
  // ---- 503 and other connection errors -------------------------------------------------------------------------
  unknownMethod: connection(
    503,
    'COMMAND_INVALID',
    'unknown method {classId}.{methodId}',
    'The peer sent a class and method number that AMQP 0-9-1 does not have.',
    'Check that the client speaks AMQP 0-9-1.',
  ),
  unexpectedMethod: connection(
    503,
    'COMMAND_INVALID',
    '{method} is not expected {when}',
    'A method came at a time or in a direction in which the protocol does not allow it.',
    'This is a fault of the client library.',
  ),
  notChannelZero: connection(
    503,
    'COMMAND_INVALID',
    '{method} on channel {channel}: connection methods belong to channel 0 and all others to other channels',
    'A method came on a channel that it does not belong to.',
    'This is a fault of the client library.',
  ),
  channelNotOpen: connection(
    504,
    'CHANNEL_ERROR',
    "expected 'channel.open' on channel {channel}, got {got}",
    'A frame came on a channel that is not open.',
    'Open the channel first; threads that share a connection need a channel each.',
  ),
  secondChannelOpen: connection(
    504,
    'CHANNEL_ERROR',
    "second 'channel.open' seen on channel {channel}",
    'channel.open came twice.',
    'Close the channel before opening it again, or use another number.',
  ),
  expectedHeader: connection(
    505,
    'UNEXPECTED_FRAME',
    'expected content header for class 60 on channel {channel}, got {got} instead',
    'A method with content must be followed by its content header; frames of one channel do not interleave.',
    'Two threads probably publish on one channel at once: give each a channel of its own.',
  ),
  expectedBody: connection(
    505,
    'UNEXPECTED_FRAME',
    'expected content body on channel {channel}, got {got} instead',
    'The content announced in the header is not complete yet.',
    'Two threads probably publish on one channel at once: give each a channel of its own.',
  ),
  unexpectedContent: connection(
    505,
    'UNEXPECTED_FRAME',
    'expected method frame on channel {channel}, got {got} instead',
    'A content frame came without a method that carries content.',
    'Two threads probably publish on one channel at once: give each a channel of its own.',
  ),
  unknownMechanism: connection(
    503,
    'COMMAND_INVALID',
    "unknown authentication mechanism '{mechanism}'",
    'connection.start-ok names a SASL mechanism that was not offered.',
    'Use PLAIN or AMQPLAIN; EXTERNAL is offered on TLS connections that show a client certificate.',
  ),
  heartbeatOnChannel: connection(
    505,
    'UNEXPECTED_FRAME',
    'heartbeat frame on channel {channel}',
    'Heartbeats belong to channel 0.',
    'This is a fault of the client library.',
  ),
  bodyTooLong: connection(
    505,
    'UNEXPECTED_FRAME',
    'content body on channel {channel} is longer than the {bytes} bytes announced',
    'The body frames hold more than the content header announced.',
    'This is a fault of the client library, or two threads publish on one channel.',
  ),
  frameTooLarge: connection(
    501,
    'FRAME_ERROR',
    'frame of {bytes} bytes is larger than the negotiated maximum of {bytesMax}',
    'The peer sent a frame larger than frame-max.',
    'The client must split content into frames of at most the negotiated frame-max.',
  ),
  frameEnd: connection(
    501,
    'FRAME_ERROR',
    'frame of type {type} on channel {channel} does not end with 0xCE but with {got}',
    'The byte stream is not a sequence of AMQP frames.',
    'Two threads may write to one socket at once, or something between client and broker changes the bytes.',
  ),
  frameType: connection(
    501,
    'FRAME_ERROR',
    'unknown frame type {type}',
    'The byte stream is not a sequence of AMQP frames.',
    'Two threads may write to one socket at once, or the peer does not speak AMQP 0-9-1.',
  ),
  malformedFrame: connection(
    501,
    'FRAME_ERROR',
    'cannot read {what}: {reason}',
    'The arguments of a method do not have the layout that the protocol gives them.',
    'This is a fault of the client library, or two threads write to one socket at once.',
  ),
  malformed: connection(
    502,
    'SYNTAX_ERROR',
    'cannot read {what}: {reason}',
    'The fields of a method, a table or the properties are not as the protocol lays them out.',
    'This is a fault of the client library.',
  ),
  // ---- 320 and 541 ---------------------------------------------------------------------------------------------
  shutdown: connection(
    320,
    'CONNECTION_FORCED',
    "broker forced connection closure with reason '{reason}'",
    'The broker stops, or an administrator closed the connection.',
    'Connect again, to another node of the list where there is one.',
  ),
  vhostDeleted: connection(
    320,
    'CONNECTION_FORCED',
    "vhost '{vhost}' is deleted",
    'An administrator deleted the virtual host that the connection uses.',
    'Use another virtual host.',
  ),
  userDeleted: connection(
    320,
    'CONNECTION_FORCED',
    "user '{user}' is deleted",
    'An administrator deleted the user of the connection.',
    'Log in as another user.',
  ),
  handshakeTimeout: connection(
    320,
    'CONNECTION_FORCED',
    'the handshake did not end within {seconds} seconds',
    'A peer connected and did not log in and open a virtual host in time.',
    'See limits.handshakeSeconds; health checks that only connect are closed like this without harm.',
  ),
  slowReader: connection(
    320,
    'CONNECTION_FORCED',
    'the peer read nothing for {seconds} seconds while {bytes} bytes waited for it',
    'The peer does not read what it asked for.',
    'Consume with a prefetch count, and read from the socket also while working on a message.',
  ),
  internal: connection(
    541,
    'INTERNAL_ERROR',
    'an error inside the broker closed this connection; its log tells more (reference {reference})',
    'A fault of the broker.',
    'Please report it with the log lines of that reference.',
  ),
} as const satisfies Record<string, Entry>;

export type ErrorKey = keyof typeof errorRegistry;

type Placeholders<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;

/** The parameters that the text of an error names. */
export type ErrorParameters<K extends ErrorKey> = {
  readonly [Name in Placeholders<(typeof errorRegistry)[K]['text']>]: string | number;
};
