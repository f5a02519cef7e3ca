import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectoryLock, DirectoryLockedError } from '../disk.js';
import { isAlive, type LockHolder, self } from './lock-holder.js';

// Node has no flock(2), so a lock is a file that names its holder, and a dead holder's lock must be taken over without
// a moment in which two starters both believe that they hold it. "Remove the stale file, then create mine" has such a
// moment: the second starter may remove what the first has just created. Therefore nothing is ever removed or replaced
// to take a lock. Lock files are numbered, `lock.1`, `lock.2`, ...; the highest number decides; and only who found the
// highest one dead or released may create the next, which link(2) lets happen exactly once and with the whole content
// in place. Who created one looks again whether a higher one has appeared (it may have read a directory that was old by
// then) and steps back if so. The highest file is never deleted, not even by a release, which writes into it that nobody
// holds it; so numbers only grow. A new holder deletes all below its predecessor; the predecessor stays so that a
// directory listing that is read during a take-over cannot miss both of them.

const lockName = /^lock\.([1-9]\d{0,14})$/;
/** The holder touches its file this often, for those who cannot see its process (another container or machine). */
const touchIntervalMs = 1_000;
/** Such a holder counts as dead when its file was not touched for this long while somebody watched. */
const silentMsDefault = 5_000;

/** Takes the directory, after `silentMs` of silence from a holder that cannot be seen; throws DirectoryLockedError, or node's error when the directory cannot be written. */
export async function lockDirectory(directory: string, silentMs: number = silentMsDefault): Promise<DirectoryLock> {
  const me = await self(randomUUID());
  const draft = join(directory, `lock.draft-${me.nonce}`);
  await writeFile(draft, JSON.stringify(me), { mode: 0o640 });
  try {
    for (;;) {
      const highest = await highestLock(directory);
      if (highest > 0) await refuseIfHeld(directory, highest, silentMs);
      const mine = highest + 1;
      if (!(await createOnce(draft, lockPath(directory, mine)))) continue;
      if ((await highestLock(directory)) === mine) {
        await sweep(directory, mine - 1);
        return new HeldLock(directory, mine, me);
      }
      await unlink(lockPath(directory, mine));
    }
  } finally {
    await unlink(draft);
  }
}

/**
 * The process that holds the directory, as far as can be told without touching it; null when nobody does. A holder whose process
 * cannot be seen from here counts while its file is touched.
 */
export async function directoryHolder(directory: string): Promise<number | null> {
  const highest = await highestLock(directory);
  if (highest === 0) return null;
  const path = lockPath(directory, highest);
  const holder = await readHolder(path);
  if (holder === null || holder.released) return null;
  const alive = await isAlive(holder);
  if (alive === false || (alive === null && (await isSilent(path, 3 * touchIntervalMs)))) return null;
  return holder.pid;
}

class HeldLock implements DirectoryLock {
  private readonly directory: string;
  private readonly path: string;
  private readonly holder: LockHolder;
  private readonly touching: NodeJS.Timeout;
  private released: Promise<void> | null = null;

  constructor(directory: string, number: number, holder: LockHolder) {
    this.directory = directory;
    this.path = lockPath(directory, number);
    this.holder = holder;
    this.touching = setInterval(() => touch(this.path), touchIntervalMs).unref();
  }

  release(): Promise<void> {
    this.released ??= this.giveUp();
    return this.released;
  }

  private async giveUp(): Promise<void> {
    clearInterval(this.touching);
    const draft = join(this.directory, `lock.draft-${this.holder.nonce}`);
    await writeFile(draft, JSON.stringify({ ...this.holder, released: true }), { mode: 0o640 });
    await rename(draft, this.path);
  }
}

async function refuseIfHeld(directory: string, number: number, silentMs: number): Promise<void> {
  const path = lockPath(directory, number);
  const holder = await readHolder(path);
  if (holder === null || holder.released) return;
  const alive = await isAlive(holder);
  if (alive === false) return;
  if (alive === null && (await isSilent(path, silentMs))) return;
  throw new DirectoryLockedError(directory, holder.pid);
}

/** Null when the file has gone meanwhile (a higher one exists then) or holds no lock at all (it was damaged; link never shows half a file). */
async function readHolder(path: string): Promise<LockHolder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LockHolder;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Watches a holder whose process we cannot see. Compares the file with itself, so the machines' clocks need not agree. */
async function isSilent(path: string, silentMs: number): Promise<boolean> {
  const first = await touchedMs(path);
  const deadlineMs = performance.now() + silentMs;
  while (performance.now() < deadlineMs) {
    await new Promise((resume) => setTimeout(resume, 250));
    if ((await touchedMs(path)) !== first) return false;
  }
  return true;
}

async function touchedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return -1;
  }
}

function touch(path: string): void {
  const now = new Date();
  utimes(path, now, now).catch(() => {});
}

async function highestLock(directory: string): Promise<number> {
  let highest = 0;
  for (const name of await readdir(directory)) highest = Math.max(highest, numberOf(name));
  return highest;
}

async function sweep(directory: string, below: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const number = numberOf(name);
    if (number > 0 && number < below) await unlink(join(directory, name)).catch(() => {});
  }
}

function numberOf(name: string): number {
  const found = lockName.exec(name);
  return found === null ? 0 : Number(found[1]);
}

function lockPath(directory: string, number: number): string {
  return join(directory, `lock.${number}`);
}

async function createOnce(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
