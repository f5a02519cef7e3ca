import { hostname } from 'node:os';
import path from 'node:path';
import type { Adoption } from '@chapar/cluster';
import type { Command } from 'commander';
import { parseAddress } from '../config/address.js';
import { readConfiguration } from '../config/effective.js';
import type { Flags } from '../config/flags.js';
import { membershipOptions } from '../config/membership-options.js';
import { CommandError } from './command-error.js';

interface AdoptOptions extends Flags {
  readonly force?: true;
  readonly dryRun?: true;
  readonly format?: string;
}

/** `chapar cluster adopt`: works on a data directory whose node is stopped, and on etcd; no broker is asked. */
export function addAdoptCommand(cluster: Command): void {
  cluster
    .command('adopt')
    .description(
      'put a cluster that etcd has lost there again, from what the data directory of a stopped node remembers; for each node once',
    )
    .option('--config <file>', 'YAML file with settings (docs/CONFIGURATION.md)')
    .option('--data-dir <dir>', 'the data directory (default: data)')
    .option('--etcd <url,...>', 'the etcd to put it into')
    .option('--etcd-prefix <path>', "the cluster's part of etcd (default: /chapar)")
    .option('--force', 'throw away what else is under the prefix')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--format <format>', 'text or json', 'text')
    .action(async (options: AdoptOptions) => {
      const { directory, adoption } = await run(options);
      const text =
        options.format === 'json'
          ? `${JSON.stringify(adoption, null, 2)}\n`
          : adoptionText(adoption, directory, options.dryRun === true);
      process.stdout.write(text);
    });
}

async function run(options: AdoptOptions): Promise<{ readonly directory: string; readonly adoption: Adoption }> {
  const config = readConfiguration(options, process.env);
  const directory = path.resolve(config.get('node.dataDir'));
  const peer = parseAddress('peer', '');
  const belongs = membershipOptions(config, process.cwd(), typeof peer === 'string' ? undefined : peer, hostname());
  if (belongs === null) {
    throw new CommandError('there is no etcd to put it into.', 'Name one: --etcd URL (in the file: cluster.etcd).', 2);
  }
  const { adoptInto } = await import('../cluster/adoption.js');
  return { directory, adoption: await adoptInto(belongs, directory, options.force === true, options.dryRun === true) };
}

/** Ends with a newline. */
export function adoptionText(adoption: Adoption, directory: string, isPlan: boolean): string {
  const { how, cluster, from, put, skipped, removed, copyRevision, isNewer } = adoption;
  const would = (does: string, done: string) => (isPlan ? `would be ${does}` : `was ${done}`);
  const first =
    how === 'rebuilt'
      ? `The cluster ${from} ${would('made anew', 'made anew')}${isPlan ? '' : ` as ${cluster}`} from ${directory}`
      : `${directory} ${would('taken', 'taken')} into the cluster ${cluster}, which was made anew from ${from}`;
  const copy = copyRevision === null ? 'it has no copy that can be read' : `its copy is of revision ${copyRevision}`;
  const lines = [`${first}; ${copy}.`, `  ${put} records put into etcd, ${skipped} were there already`];
  if (removed > 0) lines.push(`  ${removed} keys that were there before ${isPlan ? 'would be ' : ''}thrown away`);
  if (isNewer) {
    lines.push(
      '  This copy is newer than the one that the cluster was made anew from: where both have a record the older one stays.',
      '  To have it the other way, begin anew with this directory: --force, then the others.',
    );
  }
  if (!isPlan) lines.push('Do the same on the data directories of the other nodes, then start them.');
  return `${lines.join('\n')}\n`;
}
