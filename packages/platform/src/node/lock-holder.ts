import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Who holds a lock, as written into its file. */
export interface LockHolder {
  readonly pid: number;
  /** When the process began, in clock ticks since boot: tells a holder from a later process with the same pid. Null where /proc is not there. */
  readonly startTicks: string | null;
  /** Where the pid means something: host, boot and pid namespace. */
  readonly realm: string;
  readonly nonce: string;
  readonly released: boolean;
}

/** This process, as a holder. */
export async function self(nonce: string): Promise<LockHolder> {
  return { pid: process.pid, startTicks: await startTicks(process.pid), realm: await realm(), nonce, released: false };
}

/** Null when the holder lives (or lived) in a realm whose processes we cannot see. */
export async function isAlive(holder: LockHolder): Promise<boolean | null> {
  if (holder.realm !== (await realm())) return null;
  if (holder.startTicks !== null) return (await startTicks(holder.pid)) === holder.startTicks;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, it is only not ours.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and brackets, so count from the last bracket. A zombie is dead. */
async function startTicks(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

async function realm(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${boot.trim()} ${namespace}`.trim() || hostname();
}
