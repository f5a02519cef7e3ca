import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { talks } from './api-command.js';
import { CommandError } from './command-error.js';
import { gatherPair } from './pairs.js';
import type { Row } from './table.js';

/** `chapar purge`, `chapar publish`, `chapar get`. */
export function addMessageCommands(program: Command): void {
  addPurge(program);
  addPublish(program);
  addGet(program);
}

function addPurge(program: Command): void {
  const command = program
    .command('purge')
    .description("drop a queue's ready messages, or those that wait in an exchange until they are due")
    .argument('[queue]')
    .option('--delayed <exchange>', 'the messages delayed by this exchange');
  talks(command, async (talk, { delayed }: { delayed?: string }, queue: string | undefined) => {
    if ((queue === undefined) === (delayed === undefined))
      throw new CommandError('name a queue, or an exchange with --delayed.', 'chapar purge --help tells more.', 2);
    if (queue !== undefined) {
      await talk.api.delete(['queues', talk.vhost, queue, 'contents']);
      talk.say(`queue '${queue}' is purged`);
    } else {
      await talk.api.delete(['exchanges', talk.vhost, delayed!, 'delayed']);
      talk.say(`no message delayed by exchange '${delayed}' is left`);
    }
  });
}

interface PublishOptions {
  readonly exchange: string;
  readonly routingKey: string;
  readonly property?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly base64?: true;
}

function addPublish(program: Command): void {
  const command = program
    .command('publish')
    .description('publish one message, to try something out')
    .argument('[payload]', 'its body; read from standard input when left out')
    .option(
      '--exchange <name>',
      'exchange (default: the default exchange, which routes to the queue named by the key)',
      'amq.default',
    )
    .option('--routing-key <key>', 'routing key', '')
    .option(
      '--property <name=value>',
      'a property such as delivery_mode=2 or content_type=text/plain; repeatable',
      gatherPair,
    )
    .option('--header <name=value>', 'a header; repeatable', gatherPair)
    .option('--base64', 'the payload is base64');
  talks(command, async (talk, options: PublishOptions, given: string | undefined) => {
    const payload = given ?? readFileSync(0, 'utf8');
    const headers = options.header === undefined ? {} : { headers: options.header };
    const answer = await talk.api.post(
      ['exchanges', talk.vhost, options.exchange === '' ? 'amq.default' : options.exchange, 'publish'],
      {
        properties: { ...options.property, ...headers },
        routing_key: options.routingKey,
        payload,
        payload_encoding: options.base64 === true ? 'base64' : 'string',
      },
    );
    if ((answer as { routed?: boolean }).routed !== true) {
      throw new CommandError(
        'the message was not routed to any queue.',
        'chapar list bindings shows what is bound; the default exchange takes the name of a queue as routing key.',
      );
    }
    talk.say('published and routed');
  });
}

function addGet(program: Command): void {
  const command = program
    .command('get')
    .description('take messages from a queue, to look at them')
    .argument('<queue>')
    .addOption(new Option('--count <number>', 'at most so many').default(1).argParser(wholeNumber))
    .option('--ack', 'remove them from the queue (default: they go back to their places)');
  talks(command, async (talk, options: { count: number; ack?: true }, queue: string) => {
    const rows = (await talk.api.post(['queues', talk.vhost, queue, 'get'], {
      count: options.count,
      ackmode: options.ack === true ? 'ack_requeue_false' : 'ack_requeue_true',
      encoding: 'auto',
    })) as readonly Row[];
    if (rows.length === 0) talk.say(`queue '${queue}' has no ready message`);
    if (rows.length > 0 || talk.format === 'json')
      talk.rows(rows, ['exchange', 'routing_key', 'redelivered', 'properties', 'payload_bytes', 'payload']);
  });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 up.');
  return Number(text);
}
