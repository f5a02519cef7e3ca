import { type Command, Option } from 'commander';
import { type Talk, talks } from './api-command.js';
import { gatherPair, parseJson } from './pairs.js';

interface EntityOptions {
  readonly durable?: boolean;
  readonly autoDelete?: true;
  readonly argument?: Readonly<Record<string, unknown>>;
}

/** `chapar declare queue tasks --argument x-max-length=1000`. */
export function addDeclareCommands(program: Command): void {
  const declare = program
    .command('declare')
    .description('create queues, exchanges, bindings, virtual hosts, policies, parameters');
  declareQueue(declare);
  declareExchange(declare);
  declareBinding(declare);
  declareVhost(declare);
  declarePolicy(declare.command('policy'), 'policies');
  declarePolicy(declare.command('operator-policy'), 'operator-policies');
  declareParameter(declare);
}

function withEntityOptions(command: Command): Command {
  return command
    .option('--durable', 'survives a restart (default)')
    .option('--no-durable', 'is gone after a restart')
    .option('--auto-delete', 'vanishes with its last user')
    .option('--argument <name=value>', 'an argument such as x-max-length=1000; repeatable', gatherPair);
}

function entityBody(options: EntityOptions): Record<string, unknown> {
  return {
    durable: options.durable !== false,
    auto_delete: options.autoDelete === true,
    arguments: options.argument ?? {},
  };
}

function declareQueue(declare: Command): void {
  const command = withEntityOptions(declare.command('queue').argument('<name>'));
  talks(command, async (talk, options: EntityOptions, name: string) => {
    await talk.api.put(['queues', talk.vhost, name], entityBody(options));
    talk.say(`queue '${name}' is there`);
  });
}

function declareExchange(declare: Command): void {
  const command = withEntityOptions(declare.command('exchange').argument('<name>'))
    .addOption(new Option('--type <type>', 'direct, fanout, topic or headers').default('direct'))
    .option('--internal', 'clients cannot publish to it');
  talks(command, async (talk, options: EntityOptions & { type: string; internal?: true }, name: string) => {
    const body = { ...entityBody(options), type: options.type, internal: options.internal === true };
    await talk.api.put(['exchanges', talk.vhost, name], body);
    talk.say(`exchange '${name}' is there`);
  });
}

interface BindingOptions {
  readonly to: 'queue' | 'exchange';
  readonly routingKey: string;
  readonly argument?: Readonly<Record<string, unknown>>;
}

function declareBinding(declare: Command): void {
  const command = declare
    .command('binding')
    .argument('<source>', 'an exchange')
    .argument('<destination>', 'a queue, or with --to exchange an exchange')
    .addOption(new Option('--to <kind>', 'what the destination is').choices(['queue', 'exchange']).default('queue'))
    .option('--routing-key <key>', 'routing key or pattern', '')
    .option('--argument <name=value>', 'an argument such as x-match=any; repeatable', gatherPair);
  talks(command, async (talk, options: BindingOptions, source: string, destination: string) => {
    const kind = options.to === 'queue' ? 'q' : 'e';
    const body = { routing_key: options.routingKey, arguments: options.argument ?? {} };
    await talk.api.post(['bindings', talk.vhost, 'e', source, kind, destination], body);
    talk.say(`${options.to} '${destination}' is bound to exchange '${source}'`);
  });
}

function declareVhost(declare: Command): void {
  const command = declare
    .command('vhost')
    .argument('<name>')
    .option('--description <text>', 'what it is for')
    .option('--default-queue-type <type>', 'of queues that name none: classic or quorum');
  talks(command, async (talk, options: { description?: string; defaultQueueType?: string }, name: string) => {
    const { description, defaultQueueType: type } = options;
    const body = {
      ...(description === undefined ? {} : { description }),
      ...(type === undefined ? {} : { default_queue_type: type }),
    };
    await talk.api.put(['vhosts', name], body);
    talk.say(`virtual host '${name}' is there`);
  });
}

interface PolicyOptions {
  readonly pattern: string;
  readonly definition: string;
  readonly priority: string;
  readonly applyTo: string;
}

function declarePolicy(policy: Command, collection: string): void {
  const command = policy
    .argument('<name>')
    .requiredOption('--pattern <re>', 'names that it applies to')
    .requiredOption('--definition <json>', 'what it sets, such as {"max-length": 1000}')
    .option('--priority <number>', 'the highest one that fits wins', '0')
    .option('--apply-to <what>', 'queues, classic_queues, quorum_queues, exchanges or all', 'all');
  talks(command, async (talk: Talk, options: PolicyOptions, name: string) => {
    const definition = parseJson(options.definition, '--definition');
    const body = {
      pattern: options.pattern,
      definition,
      priority: parseJson(options.priority, '--priority'),
      'apply-to': options.applyTo,
    };
    await talk.api.put([collection, talk.vhost, name], body);
    talk.say(`${command.name()} '${name}' is there`);
  });
}

function declareParameter(declare: Command): void {
  const command = declare.command('parameter').argument('<component>').argument('<name>').argument('<value>', 'JSON');
  talks(command, async (talk: Talk, _options: object, component: string, name: string, text: string) => {
    const body = { component, name, vhost: talk.vhost, value: parseJson(text, 'the value') };
    await talk.api.put(['parameters', component, talk.vhost, name], body);
    talk.say(`parameter '${name}' of ${component} is there`);
  });
}
