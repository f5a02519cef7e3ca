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
  /** Who the directory was before, while its files are on their way aside. */
  readonly setAside?: string;
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
  if ((await readIfPresent(disk, path)) !== null) return setAside(disk, directory, await readIdentity(disk, directory));
  const identity: Identity = { format: DIRECTORY_VERSION, dataId: random.uuid() };
  await write(disk, directory, identity);
  return identity;
}

/**
 * Makes a directory that nobody has open somebody else, as one that was restored from a backup must be: it gets a new data id, and what
 * its logs and metadata held is moved to `aside/<old data id>/`, never erased.
 */
export async function renewIdentity(disk: Disk, random: Random, directory: string): Promise<Identity> {
  const lock = await disk.lock(directory);
  try {
    const { format, dataId } = await openIdentity(disk, random, directory);
    // First who it is from now on: whatever cuts the move short, the next start goes on with it.
    const identity: Identity = { format, dataId: random.uuid(), setAside: dataId };
    await write(disk, directory, identity);
    return await setAside(disk, directory, identity);
  } finally {
    await lock.release();
  }
}

/** Moves what belongs to the data id before this one out of the way, if that is not done yet. */
async function setAside(disk: Disk, directory: string, identity: Identity): Promise<Identity> {
  const { setAside: before, ...renewed } = identity;
  if (before === undefined) return identity;
  for (const folder of ['wal', 'metadata'])
    await moveFiles(disk, join(directory, folder), join(directory, 'aside', before, folder));
  await write(disk, directory, renewed);
  return renewed;
}

async function moveFiles(disk: Disk, from: string, to: string): Promise<void> {
  const names = await disk.list(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  await disk.makeDirectory(to);
  // What carries a data id; the reserve is zeroes, and copies of damaged files are read by nobody.
  for (const name of names.filter((each) => each.endsWith('.log') || each === 'checkpoint')) {
    await disk.rename(join(from, name), join(to, name));
  }
  await disk.syncDirectory(to);
  if (names.length > 0) await disk.syncDirectory(from);
}

async function write(disk: Disk, directory: string, identity: Identity): Promise<void> {
  await disk.replaceFile(join(directory, FILE_NAME), Buffer.from(`${JSON.stringify(identity, null, 2)}\n`));
}

function parse(path: string, text: string): Identity {
  let found: { format?: unknown; dataId?: unknown; setAside?: unknown } | null;
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
  const before = found?.setAside;
  return typeof before === 'string' ? { format, dataId, setAside: before } : { format, dataId };
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
