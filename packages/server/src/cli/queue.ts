import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import { age } from './cluster-text.js';
import { counted } from './counted.js';
import { addPromoteCommand } from './promote.js';
import { formatRows, type Row } from './table.js';

/** `chapar queue status tasks`, `chapar queue add-member tasks chapar@c`. */
export function addQueueCommands(program: Command): void {
  const queue = program
    .command('queue')
    .description('one queue: its copies on the nodes of a cluster, and who leads it');
  const status = queue.command('status').description('the copies of a mirrored queue and how far behind each is');
  talks(status.argument('<name>'), async (talk: Talk, _options: object, name: string) => {
    const answer = (await talk.api.get('queues', talk.vhost, name)) as QueueAnswer;
    const text = talk.format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : statusText(answer);
    process.stdout.write(text);
  });
  member(queue, 'add-member', 'put a copy of a queue on a node', async ({ api, vhost, say }, name, node) => {
    await api.post(['queues', 'quorum', vhost, name, 'replicas', 'add'], { node });
    say(`${node} has a copy of '${name}' from now on, and counts when that has caught up`);
  });
  member(queue, 'remove-member', 'take the copy of a queue from a node', async ({ api, vhost, say }, name, node) => {
    await api.delete(['queues', 'quorum', vhost, name, 'replicas', 'delete'], '', { node });
    say(`${node} has no copy of '${name}' any more`);
  });
  addPromoteCommand(queue);
  const transfer = queue
    .command('transfer')
    .description('hand the lead of a mirrored queue over')
    .argument('<name>')
    .argument('[node]', 'who shall lead (default: the member in sync that leads the fewest queues)');
  talks(transfer, async (talk: Talk, _options: object, name: string, node?: string) => {
    const path = ['queues', 'quorum', talk.vhost, name, 'leader'];
    const { leader } = (await talk.api.post(path, node === undefined ? {} : { node })) as { leader: string };
    talk.say(`${leader} leads '${name}'`);
  });
}

function member(
  queue: Command,
  verb: string,
  description: string,
  run: (talk: Talk, name: string, node: string) => Promise<void>,
): void {
  const command = queue.command(verb).description(description).argument('<name>').argument('<node>');
  talks(command, (talk: Talk, _options: object, name: string, node: string) => run(talk, name, node));
}

// ---------------------------------------------------------------------------------------------------------------

/** The answer of /api/queues/:vhost/:queue, as far as it is shown. */
interface QueueAnswer {
  readonly name: string;
  readonly vhost: string;
  readonly type: string;
  readonly state: string;
  readonly node: string;
  readonly messages?: number;
  readonly leader?: string | null;
  readonly epoch?: number;
  readonly min_in_sync?: number;
  readonly wanted_members?: number | string;
  /** `waiting`: by its policy it shall have copies, and has none yet. */
  readonly mirroring?: string;
  readonly members?: readonly string[];
  readonly online?: readonly string[];
  readonly in_sync?: readonly string[];
  /** Absent: the queue has none; null: nobody leads it, or the leader does not answer. */
  readonly copies?: CopiesAnswer | null;
}

interface CopiesAnswer {
  readonly end: number;
  readonly committed: number;
  readonly short: boolean;
  readonly members: readonly {
    readonly node: string;
    readonly lag: number;
    readonly lag_ms: number;
    readonly silent_ms: number | null;
  }[];
}

const columns = ['node', 'role', 'in sync', 'lag', 'behind for', 'heard'];

/** The queue, a line for each copy, then what is wrong, in words. Ends with a newline. */
function statusText(queue: QueueAnswer): string {
  const { name, vhost, type, state, node, messages, copies, members = [], leader } = queue;
  const facts = [`${type} queue '${name}' in virtual host '${vhost}'`, state];
  if (messages !== undefined) facts.push(counted(messages, 'message'));
  if (copies === undefined) return `${facts.join(', ')}\n${aloneText(node, queue.mirroring)}\n`;
  const { epoch, min_in_sync: min, wanted_members: wanted } = queue;
  facts.push(leader === null ? 'no leader' : `led by ${leader} in epoch ${epoch}`);
  if (copies !== null) facts.push(`committed ${copies.committed} of ${copies.end}`);
  facts.push(
    `${counted(min ?? 0, 'copy', 'copies')} must be in sync, ${wanted === 'all' ? 'one on every node' : wanted} wanted`,
  );
  const table = formatRows(
    members.map((each) => row(each, queue)),
    columns,
    'table',
  );
  const wrong = wrongWith(queue);
  const said = wrong.length === 0 ? '' : `\n${wrong.map((line) => `! ${line}`).join('\n')}\n`;
  return `${facts.join(', ')}\n\n${table}${said}`;
}

function row(node: string, { copies, leader, in_sync: inSync = [], online = [] }: QueueAnswer): Row {
  const known = copies?.members.find((each) => each.node === node);
  return {
    node,
    role: !online.includes(node) ? 'gone' : node === leader ? 'leader' : 'follower',
    'in sync': inSync.includes(node),
    lag: known?.lag,
    'behind for': known === undefined ? '' : known.lag === 0 ? '' : age(known.lag_ms),
    heard: known === undefined ? '' : known.silent_ms === null ? 'never' : `${age(known.silent_ms)} ago`,
  };
}

function aloneText(node: string, mirroring: string | undefined): string {
  if (mirroring !== 'waiting') return `lives on ${node} alone: it has no copies`;
  return `lives on ${node} alone: by its policy it shall have copies, and gets them when that node is there and has the time`;
}

function wrongWith({ copies, leader, min_in_sync: min = 0, in_sync: inSync = [], ...queue }: QueueAnswer): string[] {
  const { members = [], online = [], wanted_members: wanted } = queue;
  const wrong: string[] = [];
  const there = inSync.filter((node) => online.includes(node));
  if (leader === null) wrong.push('nobody leads it: publishes and consumers wait');
  else if (leader !== undefined && !online.includes(leader)) wrong.push(`its leader ${leader} is gone`);
  else if (copies === null) wrong.push(`its leader ${leader} does not answer the node that was asked`);
  if (copies?.short === true || there.length < min) {
    wrong.push(`fewer copies answer than must be in sync (${min}): publishes are refused`);
  }
  const behind = members.filter((node) => online.includes(node) && !inSync.includes(node));
  if (behind.length > 0) wrong.push(`not in sync yet: ${behind.join(', ')}`);
  if (typeof wanted === 'number' && members.length < wanted) {
    wrong.push(`it has ${counted(members.length, 'copy', 'copies')} of ${wanted}: there is no other node for one`);
  }
  return wrong;
}
