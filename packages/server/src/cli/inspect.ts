import path from 'node:path';
import { createNodePlatform, directoryHolder, NodeDisk } from '@chapar/platform';
import type { Inspection } from '@chapar/store';
import { type Command, Option } from 'commander';
import { CommandError } from './command-error.js';
import { formatRows, type Row } from './table.js';

/** `chapar inspect DIR`: what a data directory holds, without a broker. Ends with 1 when something in it is damaged. */
export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('print what a data directory holds, without a broker and without changing anything')
    .argument('<dir>', 'the data directory')
    .addOption(new Option('--format <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .action(async (directory: string, { format }: { format: 'text' | 'json' }) => {
      const dataDir = path.resolve(directory);
      const holder = await holderOf(dataDir);
      if (holder !== null)
        process.stderr.write(
          `warning: a broker (process ${holder}) holds this directory and changes it while it is read\n`,
        );
      const inspection = await inspect(dataDir);
      const shown = { heldBy: holder, ...inspection };
      process.stdout.write(format === 'json' ? `${JSON.stringify(shown, null, 2)}\n` : describe(inspection));
      if (inspection.damages.length > 0) process.exitCode = 1;
    });
}

async function holderOf(dataDir: string): Promise<number | null> {
  try {
    return await directoryHolder(dataDir);
  } catch (cause) {
    throw noDataDirectory(dataDir, cause);
  }
}

async function inspect(dataDir: string): Promise<Inspection> {
  const { inspectDirectory } = await import('@chapar/store');
  const platform = { ...createNodePlatform({ log: { level: 'silent' } }), disk: new NodeDisk({ readOnly: true }) };
  try {
    return await inspectDirectory(platform, dataDir);
  } catch (cause) {
    throw noDataDirectory(dataDir, cause);
  }
}

function noDataDirectory(dataDir: string, cause: unknown): CommandError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new CommandError(
      `${dataDir} is not a data directory of Chapar: ${message}`,
      'Name the directory with chapar.json in it.',
    );
  return new CommandError(`${dataDir} cannot be inspected: ${message}`, '');
}

function describe({ dataDir, dataId, metadata, queues, files, checkpoint, damages }: Inspection): string {
  const live = queues.reduce((sum, queue) => sum + queue.messages, 0);
  const liveBytes = queues.reduce((sum, queue) => sum + queue.bytes, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const kinds = Object.entries(metadata?.entries ?? {}).map(([kind, count]) => `${count} ${kind}`);
  const head: [string, string][] = [
    ['directory', dataDir],
    ['data id', dataId],
    [
      'metadata',
      metadata === null ? 'none that can be read' : `revision ${metadata.revision}: ${kinds.join(', ') || 'nothing'}`,
    ],
    ['messages', `${live} in ${queues.length} queues, ${liveBytes} bytes of ${bytes} in ${files.length} files`],
    ['checkpoint', checkpointLine(checkpoint)],
    ['damage', damages.length === 0 ? 'none' : `${damages.length} places`],
  ];
  const parts = [`${head.map(([name, text]) => `${name.padEnd(10)}  ${text}`).join('\n')}\n`];
  if (queues.length > 0) {
    // Nobody without mirrored queues needs to know what it is.
    const copies = queues.some(({ committed }) => committed !== null) ? ['committed'] : [];
    const positions = ['nextPosition', ...copies];
    parts.push(table(queues, ['vhost', 'name', 'kind', 'messages', 'pending', 'bytes', ...positions, 'incarnation']));
  }
  if (files.length > 0) parts.push(table(files, ['path', 'bytes', 'liveMessages', 'liveBytes', 'entries']));
  if (damages.length > 0) parts.push(table(damages, ['path', 'offset', 'what']));
  return parts.join('\n');
}

function checkpointLine(checkpoint: Inspection['checkpoint']): string {
  if (checkpoint === null) return 'none: a start reads all of the log';
  const { path: file, bytes, isHealthy, generation, offset, messages } = checkpoint;
  if (!isHealthy) return `${file} is damaged: a start reads all of the log`;
  return `${messages} messages in ${bytes} bytes; a start reads from file ${generation}, offset ${offset} on`;
}

function table(rows: readonly object[], columns: readonly string[]): string {
  return formatRows(rows as readonly Row[], columns, 'table');
}
