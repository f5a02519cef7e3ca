// A lock between processes of one checkout: two terminals that run `npm start` and `npm test` at once must not install or build
// over each other. A file that names its holder; a holder that died is noticed and replaced.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 200;
const remindMs = 5000;

/** Waits for the lock, runs `body` while holding it and gives it back. `waiting(holderPid, seconds)` is called now and then. */
export async function withLock(file, body, waiting) {
  await acquire(file, waiting);
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await body();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

async function acquire(file, waiting) {
  mkdirSync(path.dirname(file), { recursive: true });
  const began = Date.now();
  let reminded = 0;
  while (!tryAcquire(file)) {
    const holder = readHolder(file);
    if (holder === null) continue;
    if (!isAlive(holder)) {
      removeStale(file, holder);
      continue;
    }
    if (Date.now() - reminded >= remindMs) {
      reminded = Date.now();
      waiting(holder.pid, Math.round((Date.now() - began) / 1000));
    }
    await sleep(pollMs);
  }
}

/** Written beside and linked into place, so that nobody ever reads half a lock. */
function tryAcquire(file) {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, started: startedOf(process.pid) }));
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readHolder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    return { pid: 0, started: '' };
  }
}

/** The same process, not another one that got its number: where the system tells, the start time is compared too. */
function isAlive(holder) {
  if (holder.pid === 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return startedOf(holder.pid) === holder.started;
}

/** Ticks since boot; 'dead' for a process that has ended and only waits to be collected by its parent; '' where nobody tells. */
function startedOf(pid) {
  try {
    // Fields 3 and 22, counted after the name in parentheses, which may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : fields[19];
  } catch {
    return '';
  }
}

/** Moves the dead holder's file away; when another waiter was faster and we caught its fresh lock, that is put back. */
function removeStale(file, holder) {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    const caught = readHolder(aside);
    if (caught !== null && caught.pid !== holder.pid) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
