import { channel, connection, type Entry } from './error-entry.js';
import { protocolErrors } from './protocol-errors.js';

/**
 * Every error that a peer can see: code, text, cause and way out. `docs/errors.md` is generated from here, and a test provokes each.
 * Codes and classes: AMQP 0-9-1 §1.2 as RabbitMQ uses them; texts follow what the field's clients and their users know.
 */
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
  queueHomeDown: channel(
    404,
    'NOT_FOUND',
    "home node '{node}' of {kind} '{queue}' in vhost '{vhost}' is down or inaccessible",
    'The queue is not mirrored and its messages are on a node of the cluster that has died, or that this node cannot reach.',
    'Start that node again with its data directory, or mend the network between the nodes (chapar status shows links). If it is gone for good, an administrator lets it go with its queues: chapar forget NODE.',
  ),
  queueLeaderless: channel(
    404,
    'NOT_FOUND',
    "mirrored queue '{queue}' in vhost '{vhost}' has no leader that can be reached (the last one: {leader})",
    'Of the nodes that have everything that was confirmed none is up, or none can be reached from this node; or another one has not yet taken over.',
    'Wait a few seconds. If it stays so, start the nodes that have copies of the queue, or mend the network between the nodes (chapar status shows links).',
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
  consumerFenced: channel(
    405,
    'RESOURCE_LOCKED',
    "queue '{queue}' in vhost '{vhost}' has a later owner",
    "The queue is an MQTT session's, and the session has gone on at another node since this consumer's had it.",
    'None is needed: the client is connected there. If it is not, let it connect again.',
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
  consumerTimeout: channel(
    406,
    'PRECONDITION_FAILED',
    "delivery acknowledgement on channel {channel} timed out: consumer '{tag}' of queue '{queue}' in vhost '{vhost}' held a message longer than its consumer timeout allows",
    'A consumer held a delivery unsettled for longer than x-consumer-timeout. Clients that understand basic.cancel from the broker (consumer_cancel_notify) get that instead, and keep their channel.',
    'Settle in time, take fewer messages at once (basic.qos), or set a longer x-consumer-timeout for the consumer or the queue; without one there is no limit.',
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
  invalidDelay: channel(
    406,
    'PRECONDITION_FAILED',
    'invalid x-delay {given}: expected a whole number of milliseconds, at most 4294967295 (49 days)',
    'The header x-delay of a message to an exchange of type x-delayed-message says how long it waits.',
    'Send an integer. For longer delays keep the message in a store of your own until its time comes nearer.',
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
    'connection refused: node connection limit ({limit}) is reached',
    'The node has as many connections as it may have.',
    'Close connections, or raise limits.connectionMax.',
  ),
  vhostConnectionLimit: connection(
    530,
    'NOT_ALLOWED',
    "access to vhost '{vhost}' refused for user '{user}': connection limit ({limit}) is reached",
    'The limit max-connections of the virtual host is reached.',
    'Close connections to the virtual host, or raise its limit (PUT /api/vhost-limits/VHOST/max-connections).',
  ),
  userConnectionLimit: connection(
    530,
    'NOT_ALLOWED',
    "connection refused for user '{user}': user connection limit ({limit}) is reached",
    'The limit max-connections of the user is reached.',
    'Close connections of the user, or raise its limit (PUT /api/user-limits/USER/max-connections).',
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
    "cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({limit}) is reached",
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
  ...protocolErrors,
} as const satisfies Record<string, Entry>;

export type ErrorKey = keyof typeof errorRegistry;

type Placeholders<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;

/** The parameters that the text of an error names. */
export type ErrorParameters<K extends ErrorKey> = {
  readonly [Name in Placeholders<(typeof errorRegistry)[K]['text']>]: string | number;
};
