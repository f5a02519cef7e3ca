import { join } from 'node:path';
import type { Disk, Random } from '@chapar/platform';
import { DamagedFileError, NewerFormatError } from './format-error.js';

/** Of the data directory as a whole; files have versions of their own. */
const DIRECTORY_VERSION = 1;

/** Who a data directory is. */
export interface Identity {
  readonly format: number;
  /** A UUID, made when the directory was. An empty, restored or copied disk is somebody else. */
  readonly dataId: string;
}

const FILE_NAME = 'chapar.json';

/** Reads `chapar.json` in the directory. Throws ENOENT when it has none, NewerFormatError or DamagedFileError. */
export async function readIdentity(disk: Disk, directory: string): Promise<Identity> {
  const path = join(directory, FILE_NAME);
  return parse(path, (await disk.readFile(path)).toString('utf8'));
}

/** Reads `chapar.json` in the directory, or writes it into a new one. Throws NewerFormatError or DamagedFileError. */
export async function openIdentity(disk: Disk, random: Random, directory: string): Promise<Identity> {
  const path = join(directory, FILE_NAME);
  if ((await readIfPresent(disk, path)) !== null) return readIdentity(disk, directory);
  const identity: Identity = { format: DIRECTORY_VERSION, dataId: random.uuid() };
  await disk.replaceFile(path, Buffer.from(`${JSON.stringify(identity, null, 2)}\n`));
  return identity;
}

function parse(path: string, text: string): Identity {
  let found: { format?: unknown; dataId?: unknown } | null;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  const format = found?.format;
  if (typeof format === 'number' && format > DIRECTORY_VERSION) {
    throw new NewerFormatError(path, format, DIRECTORY_VERSION);
  }
  const dataId = found?.dataId;
  if (format !== DIRECTORY_VERSION || typeof dataId !== 'string' || !/^[0-9a-f-]{36}$/i.test(dataId)) {
    throw new DamagedFileError(
      path,
      0,
      'Restore it from a backup of this data directory, or start with another directory.',
    );
  }
  return { format, dataId };
}

/** The file's bytes, null when there is no such file. */
export async function readIfPresent(disk: Disk, path: string): Promise<Buffer | null> {
  try {
    return await disk.readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
