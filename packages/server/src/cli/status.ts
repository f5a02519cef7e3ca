import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Talk, talks } from './api-command.js';
import { alarmText, type ClusterAnswer, clusterText } from './cluster-text.js';
import { CommandError } from './command-error.js';
import { type EndpointOptions, readTokenFile } from './endpoint.js';
import type { Row } from './table.js';

const pollMs = 200;

interface StatusOptions extends EndpointOptions {
  readonly wait?: true;
  readonly timeout: number;
}

/** `chapar status`, `chapar status --wait` for scripts. */
export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('what a broker says about itself; with --wait returns when it can serve')
    .option('--wait', 'wait until the broker is ready')
    .addOption(new Option('--timeout <seconds>', 'give up waiting after so long').default(60).argParser(seconds))
    // Before the connection is made: the token file may not be there yet.
    .hook('preAction', async (_program, action) => {
      const options = action.opts<StatusOptions>();
      if (options.wait === true) await waitUntilReady(options);
    });
  talks(command, async (talk: Talk) => {
    const overview = (await talk.api.get('overview')) as Row;
    const cluster = await clusterOf(talk);
    if (talk.format === 'json') {
      process.stdout.write(`${JSON.stringify(cluster === null ? overview : { ...overview, cluster }, null, 2)}\n`);
      return;
    }
    process.stdout.write(describe(overview));
    if (cluster?.id !== undefined) process.stdout.write(`\n${clusterText(cluster, Date.now())}`);
  });
}

/** Null for who may not watch the nodes, and for brokers that have no such answer. */
async function clusterOf({ api }: Talk): Promise<ClusterAnswer | null> {
  try {
    return (await api.get('cluster')) as ClusterAnswer;
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

function describe(overview: Row): string {
  const totals = { ...(overview['object_totals'] as Row | undefined) };
  const messages = overview['queue_totals'] as Row | undefined;
  const listeners = (overview['listeners'] as readonly Row[] | undefined) ?? [];
  const alarms = overview['alarms'] as readonly Row[] | undefined;
  const rows: [string, unknown][] = [
    [
      'product',
      `${overview['product_name'] ?? 'RabbitMQ'} ${overview['chapar_version'] ?? overview['product_version'] ?? overview['rabbitmq_version'] ?? ''}`,
    ],
    ['node', overview['node']],
    ['cluster', overview['cluster_name']],
    ['listeners', listeners.map((listener) => `${listener['protocol']} ${endpointText(listener)}`).join(', ')],
    [
      'objects',
      Object.entries(totals)
        .map(([name, count]) => `${count} ${name}`)
        .join(', '),
    ],
    [
      'messages',
      messages === undefined
        ? ''
        : `${messages['messages'] ?? 0} (${messages['messages_ready'] ?? 0} ready, ${messages['messages_unacknowledged'] ?? 0} unacknowledged)`,
    ],
    ['durability', overview['durability']],
    ['alarms', alarms?.map(alarmText).join('; ') || (alarms === undefined ? '' : 'none')],
  ];
  const shown = rows.filter(([, value]) => value !== undefined && value !== '');
  return `${shown.map(([name, value]) => `${name.padEnd(10)}  ${value}`).join('\n')}\n`;
}

function endpointText({ ip_address: address, port }: Row): string {
  return String(address).includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Polls `/health/ready`, which needs no password. */
async function waitUntilReady(options: StatusOptions): Promise<void> {
  const deadline = performance.now() + options.timeout * 1000;
  let last = '';
  while (performance.now() < deadline) {
    const answer = await askReady(options);
    if (answer === null) return;
    last = answer;
    await sleep(pollMs);
  }
  throw new CommandError(
    `the broker was not ready within ${options.timeout} s: ${last}`,
    'Its log says what it is waiting for; --timeout SECONDS waits longer.',
  );
}

/** Null when it is ready, else what is missing. */
async function askReady(options: StatusOptions): Promise<string | null> {
  try {
    // Read anew each time: the broker writes it when it starts, perhaps with another port than the last time.
    const url = options.url ?? readTokenFile(options.dataDir).url;
    const response = await fetch(`${url.replace(/\/+$/, '')}/health/ready`, { signal: AbortSignal.timeout(2000) });
    const text = await response.text();
    return response.ok ? null : `${url} answers ${response.status} ${text.slice(0, 200)}`;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function seconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number of seconds.');
  return Number(text);
}
