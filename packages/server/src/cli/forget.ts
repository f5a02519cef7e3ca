import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import { CommandError } from './command-error.js';
import { confirm } from './confirm.js';

/** Names that are shown one by one. */
const namesMax = 20;

interface Losses {
  readonly name: string;
  readonly data_id: string;
  readonly queues_lost: readonly { readonly vhost: string; readonly name: string }[];
}

/** `chapar forget NODE`: the cluster goes on without it, for good. */
export function addForgetCommand(program: Command): void {
  const command = program
    .command('forget')
    .description('take a node that is gone out of the cluster for good, with the durable queues that live there alone')
    .argument('<node>', 'its name, or its data id as `chapar cluster status` shows it')
    .option('--yes', 'do not ask');
  talks(command, async (talk: Talk, options: { yes?: true }, node: string) => {
    const losses = (await talk.api.delete(['nodes', node], 'dry-run=true')) as Losses;
    if (options.yes !== true) {
      process.stderr.write(lossText(losses));
      const isSure = await confirm(`Forget ${losses.name}?`);
      if (!isSure) throw new CommandError('nothing was changed.', 'Say yes to the question, or give --yes.');
    }
    const lost = (await talk.api.delete(['nodes', node])) as Losses;
    if (talk.format === 'json') process.stdout.write(`${JSON.stringify(lost, null, 2)}\n`);
    talk.say(`${lost.name} is no node of this cluster any more; ${queuesText(lost)}`);
  });
}

function lossText(losses: Losses): string {
  const { name, data_id: dataId, queues_lost: queues } = losses;
  const shown = queues.slice(0, namesMax).map((queue) => `  ${queue.name} in virtual host ${queue.vhost}`);
  if (queues.length > namesMax) shown.push(`  and ${queues.length - namesMax} more`);
  const list = shown.length === 0 ? '' : `${shown.join('\n')}\n`;
  return `${name} (data id ${dataId}): ${queuesText(losses)}\n${list}`;
}

function queuesText({ queues_lost: { length } }: Losses): string {
  if (length === 0) return 'no queue is lost';
  return length === 1 ? 'one queue is lost, with its messages' : `${length} queues are lost, with their messages`;
}
