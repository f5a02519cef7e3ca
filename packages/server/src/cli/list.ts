import { Argument, type Command } from 'commander';
import { talks } from './api-command.js';
import { type Row, valueAt } from './table.js';

/** What can be listed, with the columns that are shown by default. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  queues: [
    'vhost',
    'name',
    'messages',
    'messages_ready',
    'messages_unacknowledged',
    'consumers',
    'durable',
    'exclusive',
    'auto_delete',
    'node',
    'members',
    'arguments',
  ],
  exchanges: ['vhost', 'name', 'type', 'durable', 'auto_delete', 'internal', 'arguments'],
  bindings: ['vhost', 'source', 'destination_type', 'destination', 'routing_key', 'arguments'],
  connections: ['name', 'user', 'vhost', 'state', 'channels', 'protocol', 'peer_host', 'peer_port', 'ssl'],
  channels: [
    'name',
    'user',
    'vhost',
    'number',
    'consumer_count',
    'messages_unacknowledged',
    'messages_unconfirmed',
    'prefetch_count',
    'confirm',
    'transactional',
  ],
  consumers: [
    'queue.vhost',
    'queue.name',
    'consumer_tag',
    'channel_details.name',
    'ack_required',
    'exclusive',
    'prefetch_count',
    'active',
  ],
  sessions: ['vhost', 'client_id', 'user', 'connected', 'subscription_count', 'expiry_seconds', 'queue', 'node'],
  users: ['name', 'tags'],
  permissions: ['vhost', 'user', 'configure', 'write', 'read'],
  'topic-permissions': ['vhost', 'user', 'exchange', 'write', 'read'],
  vhosts: ['name', 'description', 'tags'],
  policies: ['vhost', 'name', 'apply-to', 'pattern', 'priority', 'definition'],
  'operator-policies': ['vhost', 'name', 'apply-to', 'pattern', 'priority', 'definition'],
  parameters: ['vhost', 'component', 'name', 'value'],
  nodes: ['name', 'type', 'running', 'uptime', 'mem_used', 'fd_used', 'fd_total'],
};

/** Those that the API has elsewhere than under their name. */
const paths: Readonly<Record<string, readonly string[]>> = { sessions: ['mqtt', 'sessions'] };

/** Those in which `--vhost` means nothing. */
const withoutVhost = ['users', 'vhosts', 'nodes'];

/** `chapar list queues`. */
export function addListCommand(program: Command): void {
  const command = program
    .command('list')
    .description(`show what there is: ${Object.keys(kinds).join(', ')}`)
    .addArgument(new Argument('<kind>', 'what to list').choices(Object.keys(kinds)))
    .option('--columns <names>', 'fields of the API to show, separated by commas (a.b reaches into objects)');
  talks(command, async (talk, options: { columns?: string }, kind: string) => {
    const rows = (await talk.api.get(...(paths[kind] ?? [kind]))) as readonly Row[];
    const wanted =
      talk.vhostGiven === undefined || withoutVhost.includes(kind)
        ? rows
        : rows.filter((row) => vhostOf(row) === talk.vhostGiven);
    const columns = options.columns?.split(',');
    if (columns === undefined) talk.rows(wanted, kinds[kind] ?? []);
    else
      talk.rows(
        wanted.map((row) => pick(row, columns)),
        columns,
      );
  });
}

/** Consumers carry it in their queue. */
function vhostOf(row: Row): unknown {
  return row['vhost'] ?? (row['queue'] as Row | undefined)?.['vhost'];
}

/** What was asked for by name is all that is shown, in JSON too. */
function pick(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, valueAt(row, column)]));
}
