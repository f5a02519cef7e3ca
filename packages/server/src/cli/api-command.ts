import { type Command, Option } from 'commander';
import { ApiClient } from './api-client.js';
import { type EndpointOptions, findEndpoint } from './endpoint.js';
import { type Format, formatRows, formats, type Row } from './table.js';

/** What the verbs that talk to a broker get beside their own options. */
export interface Talk {
  readonly api: ApiClient;
  /** `--vhost`, else `/`. */
  readonly vhost: string;
  /** `--vhost` when it was given. */
  readonly vhostGiven: string | undefined;
  readonly format: Format;
  /** Rows on standard output, as `--format` says. */
  rows(rows: readonly Row[], columns: readonly string[]): void;
  /** One line about what was done, on standard output; nothing with `--format json`. */
  say(text: string): void;
}

interface CommonOptions extends EndpointOptions {
  readonly vhost?: string;
  readonly format: Format;
}

/** Adds the options that all verbs of this kind share, and the action with its connection. `A`: arguments, `O`: own options. */
export function talks<A extends readonly unknown[], O>(
  command: Command,
  run: (talk: Talk, options: O, ...args: A) => Promise<void>,
): Command {
  return command
    .addOption(new Option('--format <format>', 'how to print').choices([...formats]).default('table'))
    .option('-p, --vhost <name>', 'virtual host (default: /)')
    .option('--data-dir <dir>', 'data directory of a broker on this machine (default: data)')
    .option('--url <url>', 'management API of a broker, http://HOST:PORT')
    .option('--user <name[:password]>', 'user for --url; the password else from CHAPAR_PASSWORD or the terminal')
    .action(async (...given: unknown[]) => {
      const options = command.opts<CommonOptions>();
      const args = given.slice(0, command.registeredArguments.length) as unknown as A;
      await run(await open(options), options as unknown as O, ...args);
    });
}

async function open(options: CommonOptions): Promise<Talk> {
  const { vhost, format } = options;
  return {
    api: new ApiClient(await findEndpoint(options)),
    vhost: vhost ?? '/',
    vhostGiven: vhost,
    format,
    rows: (rows, columns) => process.stdout.write(formatRows(rows, columns, format)),
    say: (text) => {
      if (format !== 'json') process.stdout.write(`${text}\n`);
    },
  };
}
