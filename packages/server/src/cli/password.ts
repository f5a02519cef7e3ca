import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError } from './command-error.js';

export interface PasswordOptions {
  readonly password?: string;
  readonly passwordFile?: string;
}

/** The password given by option or file; else asked for on the terminal, or read from standard input where there is none. */
export async function readPassword(options: PasswordOptions, question: string): Promise<string> {
  if (options.password !== undefined) return options.password;
  if (options.passwordFile !== undefined) return withoutNewline(readPasswordFile(options.passwordFile));
  return askPassword(question);
}

/** Asks without showing what is typed. */
export async function askPassword(question: string): Promise<string> {
  if (process.stdin.isTTY !== true) return withoutNewline(readFileSync(0, 'utf8'));
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => {
      process.stderr.write('\n');
      lines.close();
      resolve(line);
    });
    lines.once('SIGINT', () => {
      lines.close();
      reject(new CommandError('no password was given.', ''));
    });
  });
}

function readPasswordFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandError(
      `${file}: ${(cause as Error).message}`,
      'Name a readable file that holds the password and nothing else.',
    );
  }
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
