import { type Command, Option } from 'commander';
import { talks } from './api-command.js';
import { CommandError } from './command-error.js';
import type { Row } from './table.js';

/** `chapar delete queue tasks --if-empty`. */
export function addDeleteCommands(program: Command): void {
  const remove = program
    .command('delete')
    .description(
      'delete queues, exchanges, bindings, virtual hosts, policies, parameters; close connections; end sessions',
    );
  deleteNamed(
    remove
      .command('queue')
      .option('--if-empty', 'only without messages')
      .option('--if-unused', 'only without consumers'),
    'queues',
  );
  deleteNamed(remove.command('exchange').option('--if-unused', 'only without bindings'), 'exchanges');
  deleteNamed(remove.command('policy'), 'policies');
  deleteNamed(remove.command('operator-policy'), 'operator-policies');
  deleteBinding(remove);
  deleteVhost(remove);
  deleteParameter(remove);
  closeConnection(remove);
  endSession(remove);
}

function deleteNamed(command: Command, collection: string): void {
  talks(command.argument('<name>'), async (talk, options: { ifEmpty?: true; ifUnused?: true }, name: string) => {
    const conditions = [options.ifEmpty && 'if-empty=true', options.ifUnused && 'if-unused=true'].filter(Boolean);
    await talk.api.delete([collection, talk.vhost, name], conditions.join('&'));
    talk.say(`${command.name()} '${name}' is gone`);
  });
}

function deleteBinding(remove: Command): void {
  const command = remove
    .command('binding')
    .argument('<source>', 'an exchange')
    .argument('<destination>', 'a queue, or with --to exchange an exchange')
    .addOption(new Option('--to <kind>', 'what the destination is').choices(['queue', 'exchange']).default('queue'))
    .option('--routing-key <key>', 'routing key or pattern of the binding', '');
  talks(command, async (talk, options: { to: string; routingKey: string }, source: string, destination: string) => {
    const ends = ['bindings', talk.vhost, 'e', source, options.to === 'queue' ? 'q' : 'e', destination];
    const bindings = (await talk.api.get(...ends)) as readonly Row[];
    // The same two ends and key may be bound with several sets of arguments; all of them go.
    const found = bindings.filter((binding) => binding['routing_key'] === options.routingKey);
    if (found.length === 0) {
      throw new CommandError(
        `${options.to} '${destination}' is not bound to exchange '${source}' with routing key '${options.routingKey}'.`,
        'chapar list bindings shows what is bound.',
      );
    }
    for (const binding of found) await talk.api.delete([...ends, String(binding['properties_key'])]);
    talk.say(
      `${options.to} '${destination}' is not bound to exchange '${source}' with '${options.routingKey}' any more`,
    );
  });
}

function deleteVhost(remove: Command): void {
  talks(remove.command('vhost').argument('<name>'), async (talk, _options: object, name: string) => {
    await talk.api.delete(['vhosts', name]);
    talk.say(`virtual host '${name}' is gone, with everything in it`);
  });
}

function deleteParameter(remove: Command): void {
  const command = remove.command('parameter').argument('<component>').argument('<name>');
  talks(command, async (talk, _options: object, component: string, name: string) => {
    await talk.api.delete(['parameters', component, talk.vhost, name]);
    talk.say(`parameter '${name}' of ${component} is gone`);
  });
}

function closeConnection(remove: Command): void {
  const command = remove.command('connection').argument('<name>', 'as chapar list connections shows it');
  talks(command, async (talk, _options: object, name: string) => {
    await talk.api.delete(['connections', name]);
    talk.say(`connection '${name}' is closed`);
  });
}

function endSession(remove: Command): void {
  const command = remove.command('session').argument('<client>', "a client identifier of MQTT's");
  talks(command, async (talk, _options: object, client: string) => {
    await talk.api.delete(['mqtt', 'sessions', talk.vhost, client]);
    talk.say(`the session of '${client}' is over, with its connection and its messages`);
  });
}
