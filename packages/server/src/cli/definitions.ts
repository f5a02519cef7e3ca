import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import { CommandError } from './command-error.js';
import type { Row } from './table.js';

/** `chapar definitions export|import`: RabbitMQ's definitions files, of all virtual hosts or of one. */
export function addDefinitionCommands(program: Command): void {
  const definitions = program
    .command('definitions')
    .description('everything that is declared, as a file: export, import');
  talks(
    definitions.command('export').argument('[file]', 'standard output when left out'),
    async (talk: Talk, _options: object, file?: string) => {
      const exported = (await talk.api.get('definitions', ...ofVhost(talk))) as Row;
      const text = `${JSON.stringify(exported, null, 2)}\n`;
      if (file === undefined) {
        process.stdout.write(text);
        return;
      }
      // It holds password hashes.
      writeFileSync(file, text, { mode: 0o600 });
      talk.say(`exported to ${file}: ${counts(exported)}`);
    },
  );
  talks(
    definitions.command('import').argument('<file>', '- for standard input'),
    async (talk: Talk, _options: object, file: string) => {
      const given = readDefinitions(file);
      await talk.api.post(['definitions', ...ofVhost(talk)], given);
      talk.say(`imported from ${file}: ${counts(given)}`);
    },
  );
}

function ofVhost(talk: Talk): string[] {
  return talk.vhostGiven === undefined ? [] : [talk.vhostGiven];
}

function readDefinitions(file: string): Row {
  try {
    const value: unknown = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  } catch (cause) {
    throw new CommandError(
      `${file} cannot be imported: ${(cause as Error).message}`,
      'It must be a definitions file: JSON, as chapar definitions export writes it.',
    );
  }
  throw new CommandError(
    `${file} is not a definitions file.`,
    'It must be a JSON object, as chapar definitions export writes it.',
  );
}

/** `2 queues, 1 exchanges`. */
function counts(definitions: Row): string {
  const lists = Object.entries(definitions).filter(([, value]) => Array.isArray(value) && value.length > 0);
  return lists.map(([name, value]) => `${(value as readonly unknown[]).length} ${name}`).join(', ') || 'nothing';
}
