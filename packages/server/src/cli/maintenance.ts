import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Talk, talks } from './api-command.js';
import { CommandError } from './command-error.js';
import { counted } from './counted.js';
import type { Row } from './table.js';

const pollMs = 250;

interface MaintenanceAnswer {
  readonly node: string;
  readonly state: 'serving' | 'draining' | 'drained';
  readonly moved: number;
  readonly left: readonly { readonly vhost: string; readonly name: string; readonly why: string }[];
  readonly only_here: number;
  readonly only_here_names: readonly { readonly vhost: string; readonly name: string }[];
  readonly connections: number;
}

/** `chapar drain`, `chapar revive`, `chapar rebalance`. */
export function addMaintenanceCommands(program: Command): void {
  addDrain(program);
  addRevive(program);
  addRebalance(program);
}

interface DrainOptions {
  readonly now?: true;
  readonly timeout: number;
}

function addDrain(program: Command): void {
  const command = program
    .command('drain')
    .description(
      'take a node out of use before it is stopped: others lead its mirrored queues, its clients are told to go elsewhere',
    )
    .argument('[node]', 'its name (default: the node that is asked)')
    .option('--now', 'do not wait until the mirrored queues can be without it')
    .addOption(new Option('--timeout <seconds>', 'give up after so long').default(120).argParser(seconds));
  talks(command, async (talk: Talk, { now, timeout }: DrainOptions, given?: string) => {
    const deadline = performance.now() + timeout * 1000;
    const own = await ownName(talk);
    const node = given ?? own;
    if (now !== true && node === own) await waitUntilNotNeeded(talk, deadline);
    let answer = (await talk.api.post(['nodes', node, 'drain'], {})) as MaintenanceAnswer;
    while (answer.state === 'draining' && performance.now() < deadline) {
      await sleep(pollMs);
      answer = (await talk.api.get('nodes', node, 'maintenance')) as MaintenanceAnswer;
    }
    if (talk.format === 'json') process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    else process.stdout.write(drainText(answer));
    if (answer.state !== 'drained' || answer.left.length > 0) process.exitCode = 1;
  });
}

async function ownName({ api }: Talk): Promise<string> {
  return String(((await api.get('overview')) as Row)['node']);
}

/** As `rabbitmq-upgrade await_online_quorum_plus_one`: only a node itself is asked whether it is needed. */
async function waitUntilNotNeeded({ api, say }: Talk, deadline: number): Promise<void> {
  let said = '';
  for (;;) {
    const why = await api.check('health', 'checks', 'node-is-quorum-critical');
    if (why === null) return;
    const queues = ((why['queues'] as readonly Row[] | undefined) ?? []).map(({ name }) => String(name));
    const text = `waiting: ${counted(queues.length, 'mirrored queue')} would have too few copies without this node (${shortList(queues)})`;
    if (text !== said) say(text);
    said = text;
    if (performance.now() >= deadline) {
      throw new CommandError(
        'this node is needed and was not drained.',
        'Bring the other nodes back or add copies elsewhere; --now drains it all the same.',
      );
    }
    await sleep(pollMs);
  }
}

function drainText({ node, state, moved, left, only_here: only, only_here_names: names }: MaintenanceAnswer): string {
  const lines = [
    state === 'drained'
      ? `${node} is drained: ${counted(moved, 'queue')} got another leader. Stop it, or take it into use again: chapar revive ${node}`
      : `${node} is ${state}: ${counted(moved, 'queue')} got another leader so far`,
  ];
  for (const { vhost, name, why } of left) lines.push(`! it still leads '${name}' in virtual host '${vhost}': ${why}`);
  if (only > 0) {
    const shown = shortList(names.map(({ name }) => name));
    const are = only === 1 ? 'is' : 'are';
    lines.push(`! ${counted(only, 'queue')} ${are} on this node alone and gone while it is (${shown})`);
  }
  return `${lines.join('\n')}\n`;
}

function addRevive(program: Command): void {
  const command = program
    .command('revive')
    .description('take a node into use again that was drained')
    .argument('[node]', 'its name (default: the node that is asked)');
  talks(command, async (talk: Talk, _options: object, given?: string) => {
    const node = given ?? (await ownName(talk));
    const answer = await talk.api.post(['nodes', node, 'revive'], {});
    if (talk.format === 'json') process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    talk.say(`${node} is in use again; chapar rebalance gives it leads`);
  });
}

interface RebalanceOptions {
  readonly dryRun?: true;
  readonly wait?: true;
  readonly timeout: number;
}

function addRebalance(program: Command): void {
  const command = program
    .command('rebalance')
    .description('spread the leads of mirrored queues evenly over the nodes, a few queues a second')
    .option('--dry-run', 'only show what would move')
    .option('--wait', 'return when it is done')
    .addOption(new Option('--timeout <seconds>', 'with --wait: give up after so long').default(600).argParser(seconds));
  talks(command, async (talk: Talk, options: RebalanceOptions) => {
    const path = ['rebalance', 'queues'];
    const look = async () => (await talk.api.post(path, {}, 'dry-run=true')) as readonly Row[];
    const moves = await look();
    if (options.dryRun === true || talk.format === 'json') talk.rows(moves, ['vhost', 'name', 'from', 'to']);
    if (options.dryRun === true) return;
    if (moves.length > 0) await talk.api.post(path, {});
    talk.say(
      moves.length === 0
        ? 'the leads are even already'
        : `${counted(moves.length, 'queue')} ${moves.length === 1 ? 'gets' : 'get'} another leader`,
    );
    if (options.wait !== true || moves.length === 0) return;
    const deadline = performance.now() + options.timeout * 1000;
    let left = moves.length;
    while (left > 0 && performance.now() < deadline) {
      await sleep(pollMs);
      left = (await look()).length;
    }
    if (left > 0)
      throw new CommandError(
        `${counted(left, 'queue')} ${left === 1 ? 'has' : 'have'} not moved within ${options.timeout} s.`,
        'Look at chapar list queues.',
      );
    talk.say('the leads are even');
  });
}

// ---------------------------------------------------------------------------------------------------------------

const namesMax = 5;

function shortList(names: readonly string[]): string {
  const more = names.length > namesMax ? `, and ${names.length - namesMax} more` : '';
  return `${names.slice(0, namesMax).join(', ')}${more}`;
}

function seconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number of seconds.');
  return Number(text);
}
