import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import { age } from './cluster-text.js';
import { CommandError } from './command-error.js';
import { confirm } from './confirm.js';
import { formatRows } from './table.js';

interface Prospect {
  readonly node: string;
  readonly epoch: number;
  readonly end: number;
  readonly messages: number;
  readonly silent_ms: number | null;
}

interface Prospects {
  readonly vhost: string;
  readonly name: string;
  readonly node: string;
  readonly leader: string | null;
  readonly epoch: number;
  readonly in_sync: readonly string[];
  readonly in_sync_and_running: readonly string[];
  /** Those with the most first. */
  readonly copies: readonly Prospect[];
}

/** `chapar queue promote tasks chapar@c`: the last resort when no copy in sync is coming back. */
export function addPromoteCommand(queue: Command): void {
  const command = queue
    .command('promote')
    .description(
      'make a copy lead that is not in sync, when none that is in sync is coming back: what it lacks is lost',
    )
    .argument('<name>')
    .argument('<node>', 'whose copy shall lead')
    .option('--yes', 'do not ask');
  talks(command, async (talk: Talk, options: { yes?: true }, name: string, node: string) => {
    const path = ['queues', 'quorum', talk.vhost, name, 'promote'];
    const prospects = (await talk.api.post([...path], { node }, 'dry-run=true')) as Prospects;
    assertLast(prospects);
    if (options.yes !== true) {
      process.stderr.write(prospectsText(prospects));
      const isSure = await confirm(`Let ${node} lead '${name}' with what it has?`);
      if (!isSure) throw new CommandError('nothing was changed.', 'Say yes to the question, or give --yes.');
    }
    const done = (await talk.api.post(path, { node })) as Prospects;
    if (talk.format === 'json') process.stdout.write(`${JSON.stringify(done, null, 2)}\n`);
    talk.say(`${node} leads '${name}' with what it has; ${lossText(prospects)}`);
  });
}

function assertLast({ name, node, in_sync_and_running: present, copies }: Prospects): void {
  if (present.length > 0)
    throw new CommandError(
      `the copy of '${name}' on ${present.join(', ')} is in sync and running: nothing has to be lost.`,
      `Hand the lead over instead: chapar queue transfer ${name}`,
    );
  if (!copies.some((copy) => copy.node === node))
    throw new CommandError(
      `${node} has no copy of '${name}' that answers.`,
      copies.length === 0 ? 'No copy does: start a node that has one.' : `These do: ${names(copies)}`,
    );
}

const names = (copies: readonly Prospect[]): string => copies.map(({ node }) => node).join(', ');

/** Who there was, the copies that answer, and what may be lost. Ends with a newline. */
export function prospectsText(prospects: Prospects): string {
  const { vhost, name, leader, epoch, in_sync: inSync, copies } = prospects;
  const before = leader === null ? 'nobody leads it' : `led by ${leader}, which is gone,`;
  const rows = copies.map((copy) => ({
    node: copy.node,
    epoch: copy.epoch,
    'up to entry': copy.end,
    messages: copy.messages,
    'heard its leader': copy.silent_ms === null ? 'not since it was started' : `${age(copy.silent_ms)} ago`,
  }));
  const table = formatRows(rows, ['node', 'epoch', 'up to entry', 'messages', 'heard its leader'], 'table');
  const head = `queue '${name}' in virtual host '${vhost}': ${before} in epoch ${epoch}; in sync: ${inSync.join(', ')}`;
  return `${head}\n\n${table}\n! ${lossText(prospects)}\n${betterText(prospects)}`;
}

function lossText({ node, epoch, copies }: Prospects): string {
  const copy = copies.find((each) => each.node === node)!;
  const upTo = copy.epoch < epoch ? ` to ${epoch}` : '';
  return `what was confirmed behind entry ${copy.end} in epoch ${copy.epoch}${upTo} is not in its copy, and what was settled since it heard its leader comes again`;
}

function betterText({ node, copies }: Prospects): string {
  const best = copies[0]!;
  if (best.node === node) return '';
  const own = copies.find((each) => each.node === node)!;
  if (own.epoch === best.epoch && own.end === best.end) return '';
  return `! ${best.node} has more: up to entry ${best.end} of epoch ${best.epoch}\n`;
}
