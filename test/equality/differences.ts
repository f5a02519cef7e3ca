// Every difference between what RabbitMQ 3.10.8 was recorded to say and what Chapar says, and why. Nothing else may differ.

export interface TextDifference {
  readonly reason: string;
  /** A line of RabbitMQ's and one of Chapar's of these forms count as equal when the groups caught the same. */
  readonly theirs: RegExp;
  readonly ours: RegExp;
}

/** A line that only Chapar says. */
export interface Addition {
  readonly reason: string;
  readonly ours: RegExp;
}

export interface BlockDifference {
  readonly session: string;
  readonly reason: string;
  /** These lines of RabbitMQ's stand for those of Chapar's. */
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
}

const inWords = 'RabbitMQ prints the Erlang term that its check made; Chapar says what was expected and what it got.';

/** A line in which a channel is closed over a method with 406. */
const refusal = (text: string, method: string): RegExp =>
  new RegExp(`^(\\w+)< channel\\.close replyCode=406 replyText="PRECONDITION_FAILED - ${text}" over=${method}$`);

const inQueue = "for queue '([^']*)' in vhost '/'";

export const texts: readonly TextDifference[] = [
  {
    reason: inWords,
    theirs: refusal(`invalid arg '(x-[^']+)' ${inQueue}: .*`, 'queue.declare'),
    ours: refusal(
      `invalid arg '(x-[^']+)' ${inQueue}: (?:expected|x-dead-letter-exchange is not set).*`,
      'queue.declare',
    ),
  },
  {
    reason: inWords,
    theirs: refusal("invalid type '\\w+' for arg '(x-[^']+)' in queue '([^']*)' in vhost '/'", 'queue.declare'),
    ours: refusal(`invalid arg '(x-[^']+)' ${inQueue}: expected .*`, 'queue.declare'),
  },
  {
    reason: inWords,
    theirs: refusal("invalid type '\\w+' for arg '([^']+)' in exchange '([^']*)' in vhost '/'", 'exchange.declare'),
    ours: refusal("invalid arg '([^']+)' for exchange '([^']*)' in vhost '/': expected .*", 'exchange.declare'),
  },
  {
    reason: inWords,
    theirs: refusal(`invalid arg 'x-priority' ${inQueue}: .*`, 'basic.consume'),
    ours: refusal(`invalid arg 'x-priority' ${inQueue}: expected an integer, got .*`, 'basic.consume'),
  },
  {
    reason: inWords,
    theirs: refusal("invalid expiration '(.*)': .*", 'basic.publish'),
    ours: refusal("invalid expiration '(.*)': expected a whole number of milliseconds .*", 'basic.publish'),
  },
  {
    reason: inWords,
    theirs: refusal('invalid message: \\{unacceptable_type_in_header,\\\\"(B?CC)\\\\",\\w+\\}', 'basic.publish'),
    ours: refusal(
      'unsupported value of header (B?CC): expected an array of strings of at most 255 bytes',
      'basic.publish',
    ),
  },
  {
    reason: 'RabbitMQ names the type when one side has no such argument, and only then.',
    theirs: refusal(
      "inequivalent arg '([^']+)' for (queue|exchange) '([^']*)' in vhost '/': received none but current is the value '([^']*)' of type '\\w+'",
      '(\\w+\\.declare)',
    ),
    ours: refusal(
      "inequivalent arg '([^']+)' for (queue|exchange) '([^']*)' in vhost '/': received none but current is '([^']*)'",
      '(\\w+\\.declare)',
    ),
  },
  {
    reason: 'RabbitMQ names the type when one side has no such argument, and only then.',
    theirs: refusal(
      "inequivalent arg '([^']+)' for (queue|exchange) '([^']*)' in vhost '/': received the value '([^']*)' of type '\\w+' but current is none",
      '(\\w+\\.declare)',
    ),
    ours: refusal(
      "inequivalent arg '([^']+)' for (queue|exchange) '([^']*)' in vhost '/': received '([^']*)' but current is none",
      '(\\w+\\.declare)',
    ),
  },
  {
    reason: inWords,
    theirs: refusal(`invalid arg '(x-queue-type)' ${inQueue}: .*unsupported queue type '(.*)'.*`, 'queue.declare'),
    ours: refusal(`invalid arg '(x-queue-type)' ${inQueue}: unsupported queue type '(.*)': .*`, 'queue.declare'),
  },
  {
    reason: 'Chapar adds which queues are meant.',
    theirs: refusal(`invalid property '([\\w-]+)' ${inQueue}`, 'queue.declare'),
    ours: refusal(`invalid property '([\\w-]+)' ${inQueue}: a quorum queue .*`, 'queue.declare'),
  },
  {
    reason: inWords,
    theirs: refusal('The binding key must be (?:an integer: <<.*>>|greater than 0)', 'queue.bind'),
    ours: refusal(
      "invalid arg 'routing_key' for exchange 'e' in vhost '/': expected the weight of the binding, an integer from 1 up in text, got '.*'",
      'queue.bind',
    ),
  },
  {
    reason: inWords,
    theirs: refusal('Unsupported property: (.*)', 'exchange.declare'),
    ours: refusal(
      "invalid arg 'hash-property' for exchange '\\w+' in vhost '/': expected .*, got '(.*)'",
      'exchange.declare',
    ),
  },
  {
    reason: 'Chapar adds which exchange and argument it is about.',
    theirs: refusal('(hash-header and hash-property are mutually exclusive)', 'exchange.declare'),
    ours: refusal(
      "invalid arg 'hash-property' for exchange '\\w+' in vhost '/': (hash-header and hash-property are mutually exclusive)",
      'exchange.declare',
    ),
  },
  {
    reason: 'RabbitMQ quotes the names of types that come from plugins twice.',
    theirs: refusal("(inequivalent arg 'type' .* current is) ''([^']+)''", 'exchange.declare'),
    ours: refusal("(inequivalent arg 'type' .* current is) '([^']+)'", 'exchange.declare'),
  },
  {
    reason: 'As later patch versions of RabbitMQ: a type that is not known costs the channel and not the connection.',
    theirs:
      /^(\w+)< connection\.close replyCode=503 replyText="COMMAND_INVALID - (?:unknown|invalid) exchange type '(.*)'" over=exchange\.declare$/,
    ours: /^(\w+)< channel\.close replyCode=406 replyText="PRECONDITION_FAILED - unknown exchange type '(.*)'" over=exchange\.declare$/,
  },
  {
    reason: 'Chapar says how many messages of the transaction were refused, and why.',
    theirs: refusal('partial tx completion', 'tx.commit'),
    ours: refusal('partial tx completion: \\d+ of the messages were refused \\(queue-full\\)', 'tx.commit'),
  },
  {
    reason: 'Chapar writes every count as a long, also in entries that came with the message.',
    theirs: /^( {4}headers\.x-death\[\d+\]\.count) = int (\d+)$/,
    ours: /^( {4}headers\.x-death\[\d+\]\.count) = long (\d+)$/,
  },
];

export const additions: readonly Addition[] = [
  {
    reason: 'RabbitMQ 4.x tells the last death as well as the first.',
    ours: /^ {4}headers\.x-last-death-(?:exchange|queue|reason) = string /,
  },
];

const everyKind = 'Here a queue of any type can be told what a queue of any other type can.';

export const blocks: readonly BlockDifference[] = [
  {
    session: 'redeclare-x-queue-mode',
    reason: 'The queue mode means nothing here, as in RabbitMQ 3.12 and later, and so is not compared.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'with' in vhost '/': received 'lazy' but current is 'default'" over=queue.declare`,
      'A1> queue.declare queue=with',
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'with' in vhost '/': received none but current is the value 'default' of type 'longstr'" over=queue.declare`,
    ],
    ours: [
      'A1< queue.declare-ok queue=with messageCount=0 consumerCount=0',
      'A1> queue.declare queue=with',
      'A1< queue.declare-ok queue=with messageCount=0 consumerCount=0',
    ],
  },
  {
    session: 'redeclare-x-queue-mode',
    reason: 'The queue mode means nothing here, as in RabbitMQ 3.12 and later, and so is not compared.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'without' in vhost '/': received the value 'default' of type 'longstr' but current is none" over=queue.declare`,
    ],
    ours: ['A1< queue.declare-ok queue=without messageCount=0 consumerCount=0'],
  },
  {
    session: 'prefetch',
    reason:
      'Whose turn it is when the room of a whole channel gets free is not laid down; each broker keeps its own order.',
    theirs: [
      'A1< basic.deliver consumerTag=c deliveryTag=5 redelivered=false exchange="" routingKey=q',
      '    body = 5',
      'A1< basic.deliver consumerTag=d deliveryTag=6 redelivered=false exchange="" routingKey=q',
    ],
    ours: [
      'A1< basic.deliver consumerTag=d deliveryTag=5 redelivered=false exchange="" routingKey=q',
      '    body = 5',
      'A1< basic.deliver consumerTag=c deliveryTag=6 redelivered=false exchange="" routingKey=q',
    ],
  },
  {
    session: 'cc-bcc-odd',
    reason: 'RabbitMQ overlooks what is no text within CC; Chapar refuses it like a CC that is no array.',
    theirs: [
      'A1> basic.get queue=to noAck=true',
      'A1< basic.get-ok deliveryTag=2 redelivered=false exchange="" routingKey=to messageCount=0',
      '    headers.CC[0] = int 1',
      '    headers.CC[1] = string to',
      '    body = a number in it',
    ],
    ours: [
      'A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - unsupported value of header CC: expected an array of strings of at most 255 bytes" over=basic.publish',
      'A1> basic.get queue=to noAck=true',
      'A1< basic.get-empty clusterId=""',
    ],
  },
  {
    session: 'direct-reply-to',
    reason: 'RabbitMQ 3.10 returns a mandatory reply to amq.rabbitmq.reply-to as unroutable although it was delivered.',
    theirs: [
      'B1< basic.return replyCode=312 replyText=NO_ROUTE exchange="" routingKey=amq.rabbitmq.reply-to<1>',
      '    correlationId = c',
      '    body = answer',
      'B1> basic.publish routingKey=amq.rabbitmq.reply-to.nobody mandatory=true',
    ],
    ours: ['B1> basic.publish routingKey=amq.rabbitmq.reply-to.nobody mandatory=true'],
  },
  {
    session: 'consistent-hash-arguments',
    reason: 'RabbitMQ fails with an internal error where Chapar says what is wrong.',
    theirs: ['A1< connection.close replyCode=541 replyText=INTERNAL_ERROR over=nothing'],
    ours: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid arg 'hash-header' for exchange 'odd' in vhost '/': expected the name of a header, got '5'" over=exchange.declare`,
    ],
  },
  {
    session: 'quorum-declare',
    reason: everyKind,
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'prioritised' in vhost '/' of queue type rabbit_quorum_queue" over=queue.declare`,
    ],
    ours: [`A1< queue.declare-ok queue=prioritised messageCount=0 consumerCount=0`],
  },
  {
    session: 'quorum-declare',
    reason: 'RabbitMQ 3.10 takes a text where a number is meant.',
    theirs: [`A1< queue.declare-ok queue=wrong-limit messageCount=0 consumerCount=0`],
    ours: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'wrong-limit' in vhost '/': expected an integer of at least -1, got 'text'" over=queue.declare`,
    ],
  },
  {
    session: 'quorum-declare',
    reason: 'Of several arguments that differ each broker names another one first.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'" over=queue.declare`,
    ],
    ours: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received none but current is '3'" over=queue.declare`,
    ],
  },
  {
    session: 'quorum-declare',
    reason: 'Chapar names the type that a queue without x-queue-type has.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'classic' in vhost '/': received the value 'quorum' of type 'longstr' but current is none" over=queue.declare`,
    ],
    ours: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'classic' in vhost '/': received 'quorum' but current is 'classic'" over=queue.declare`,
    ],
  },
  {
    session: 'quorum-declare',
    reason: everyKind,
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'limited' in vhost '/' of queue type rabbit_classic_queue" over=queue.declare`,
    ],
    ours: [`A1< queue.declare-ok queue=limited messageCount=0 consumerCount=0`],
  },
  {
    session: 'delivery-modes',
    reason: 'RabbitMQ 3.10 refuses delivery modes that it does not know; Chapar takes them as not persistent.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,0}" over=basic.publish`,
      `A1> basic.get queue=q noAck=true`,
      `A1< basic.get-empty clusterId=""`,
    ],
    ours: [
      `A1> basic.get queue=q noAck=true`,
      `A1< basic.get-ok deliveryTag=3 redelivered=false exchange="" routingKey=q messageCount=0`,
      `    deliveryMode = 0`,
      `    body = 0`,
    ],
  },
  {
    session: 'delivery-modes',
    reason: 'RabbitMQ 3.10 refuses delivery modes that it does not know; Chapar takes them as not persistent.',
    theirs: [
      `A1< channel.close replyCode=406 replyText="PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}" over=basic.publish`,
      `A1> basic.get queue=q noAck=true`,
      `A1< basic.get-empty clusterId=""`,
    ],
    ours: [
      `A1> basic.get queue=q noAck=true`,
      `A1< basic.get-ok deliveryTag=4 redelivered=false exchange="" routingKey=q messageCount=0`,
      `    deliveryMode = 3`,
      `    body = 3`,
    ],
  },
  {
    session: 'single-active-consumer-priority',
    reason: 'As on quorum queues of RabbitMQ 4.x, one of higher priority takes over when the active one holds nothing.',
    theirs: ['A1< basic.deliver consumerTag=a deliveryTag=1 redelivered=false exchange="" routingKey=q'],
    ours: ['B1< basic.deliver consumerTag=b deliveryTag=1 redelivered=false exchange="" routingKey=q'],
  },
  {
    session: 'dead-letter-republished',
    reason:
      'A message whose client made up x-death without a first death has none in RabbitMQ 3.10; in Chapar the first that it saw.',
    theirs: ['    body = with a death of its own'],
    ours: [
      '    headers.x-first-death-exchange = string ',
      '    headers.x-first-death-queue = string q',
      '    headers.x-first-death-reason = string rejected',
      '    headers.x-last-death-exchange = string ',
      '    headers.x-last-death-queue = string q',
      '    headers.x-last-death-reason = string rejected',
      '    body = with a death of its own',
    ],
  },
  {
    session: 'dead-letter-republished',
    reason:
      'A message whose client made up x-death without a first death has none in RabbitMQ 3.10; in Chapar the first that it saw.',
    theirs: ['    headers.x-first-death-queue = string elsewhere', '    body = with nonsense'],
    ours: [
      '    headers.x-first-death-exchange = string ',
      '    headers.x-first-death-queue = string q',
      '    headers.x-first-death-reason = string rejected',
      '    headers.x-last-death-exchange = string ',
      '    headers.x-last-death-queue = string q',
      '    headers.x-last-death-reason = string rejected',
      '    body = with nonsense',
    ],
  },
  {
    session: 'dead-letter-republished',
    reason:
      'A message whose client made up x-death without a first death has none in RabbitMQ 3.10; in Chapar the first that it saw.',
    theirs: ['    body = with a death elsewhere'],
    ours: [
      '    headers.x-first-death-exchange = string ',
      '    headers.x-first-death-queue = string q',
      '    headers.x-first-death-reason = string rejected',
      '    headers.x-last-death-exchange = string ',
      '    headers.x-last-death-queue = string q',
      '    headers.x-last-death-reason = string rejected',
      '    body = with a death elsewhere',
    ],
  },
];
