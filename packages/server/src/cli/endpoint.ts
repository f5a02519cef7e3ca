import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CommandError } from './command-error.js';
import { askPassword } from './password.js';

/** How to reach a broker's management API. */
export interface Endpoint {
  /** Without a slash at its end: `http://127.0.0.1:15672`. */
  readonly url: string;
  /** Of the Authorization header. */
  readonly authorization: string;
}

export interface EndpointOptions {
  readonly url?: string;
  readonly user?: string;
  readonly dataDir?: string;
}

/** Where a broker leaves the way to itself for whoever may read its data directory (mode 0600). */
export const tokenFileName = 'management.token';

/** The broker named by `--url` and `--user`, else the local one whose data directory is given or lies here. */
export async function findEndpoint(options: EndpointOptions): Promise<Endpoint> {
  if (options.url === undefined && options.user === undefined) return readTokenFile(options.dataDir);
  const { name, password } = await credentials(options.user);
  return {
    url: cleanUrl(options.url ?? 'http://127.0.0.1:15672'),
    authorization: `Basic ${Buffer.from(`${name}:${password}`, 'utf8').toString('base64')}`,
  };
}

/** Throws CommandError when there is none. */
export function readTokenFile(dataDir: string | undefined): Endpoint {
  const directory = path.resolve(dataDir ?? process.env['CHAPAR_NODE__DATA_DIR'] ?? 'data');
  const file = path.join(directory, tokenFileName);
  const wayOut = 'Name the broker: --data-dir DIR for one on this machine, or --url URL --user NAME.';
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new CommandError(`no broker has run with the data directory ${directory}.`, wayOut);
    if (code === 'EACCES')
      throw new CommandError(
        `${file} belongs to somebody else.`,
        'Run as the user of the broker, or name --url URL --user NAME.',
      );
    throw new CommandError(`${file}: ${message}`, wayOut);
  }
  const found = parseToken(text);
  if (found === null) throw new CommandError(`${file} is not a token file.`, wayOut);
  return { url: cleanUrl(found.url), authorization: `Bearer ${found.token}` };
}

function parseToken(text: string): { url: string; token: string } | null {
  try {
    const { url, token } = JSON.parse(text) as { url?: unknown; token?: unknown };
    return typeof url === 'string' && typeof token === 'string' ? { url, token } : null;
  } catch {
    return null;
  }
}

function cleanUrl(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full) || !/^https?:/.test(full)) {
    throw new CommandError(
      `'${text}' is not an address of a management API.`,
      'Written http://HOST:PORT or https://HOST:PORT.',
      2,
    );
  }
  return full.replace(/\/+$/, '').replace(/\/api$/, '');
}

/** `NAME:PASSWORD`, or `NAME` with the password from CHAPAR_PASSWORD or the terminal; guest/guest when nobody is named. */
async function credentials(user: string | undefined): Promise<{ name: string; password: string }> {
  if (user === undefined) return { name: 'guest', password: 'guest' };
  const at = user.indexOf(':');
  if (at >= 0) return { name: user.slice(0, at), password: user.slice(at + 1) };
  return { name: user, password: process.env['CHAPAR_PASSWORD'] ?? (await askPassword(`Password of ${user}: `)) };
}
