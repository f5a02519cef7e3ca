import { readFile } from 'node:fs/promises';
import type { ServerOptions } from '../config/options.js';
import { ConfigurationError } from '../config/problem.js';

/** The password of the administrator of a fresh data directory. Throws ConfigurationError when its file gives none. */
export async function readDefaultPassword(options: ServerOptions): Promise<string> {
  const file = options.auth.defaultPasswordFile;
  if (file === null) return 'guest';
  const password = (await readFile(file, 'utf8').catch((cause: Error) => refuse(`${file}: ${cause.message}`))).replace(
    /\r?\n$/,
    '',
  );
  return password === '' ? refuse(`${file} is empty`) : password;
}

function refuse(why: string): never {
  const hint = 'Name a readable file that holds the password of auth.defaultUser and nothing else.';
  throw new ConfigurationError([{ origin: null, text: `auth.defaultPasswordFile: ${why}`, hint }]);
}
